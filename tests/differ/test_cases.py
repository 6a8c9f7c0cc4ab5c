"""Every line of the shared case file gets its expected verdict and exactly its paths."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from differ.cases import judge_case

TODAY = date(2026, 11, 21)
CASES = [
    json.loads(line) for line in (Path(__file__).parent / "data" / "differ.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case_gets_its_expected_verdict_and_paths(case: dict[str, Any]) -> None:
    judged = judge_case(case, TODAY)

    assert (judged["verdict"], judged.get("paths")) == (case["expected"], sorted(case.get("paths", []))), judged
