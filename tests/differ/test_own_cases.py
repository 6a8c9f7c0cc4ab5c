"""Every line of our own case file gets its expected verdict, its paths where it names them, and the rules that applied."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from differ.cases import judge_case

TODAY = date(2026, 11, 21)
CASES = [
    json.loads(line) for line in (Path(__file__).parent / "data" / "own.jsonl").read_text(encoding="utf-8").split("\n") if line
]


def test_names_are_unique() -> None:
    names = [case["name"] for case in CASES]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case_gets_its_expected_verdict_and_paths(case: dict[str, Any]) -> None:
    judged = judge_case(case, TODAY)

    expected = {key: case[key] for key in ("paths", "tolerated") if key in case}
    assert judged["verdict"] == case["expected"], judged
    assert {key: sorted(judged[key]) for key in expected} == expected
