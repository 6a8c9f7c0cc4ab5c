"""The comparison that is exported, held against the cases of the differ: it misses no mismatch and is never stricter."""

from __future__ import annotations

import base64
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from export.expectation import expectation
from export.generated.parity_compare import differences
from export.rule_terms import rule_terms
from rules.load import rules_from_case
from traffic.message import Answer, Failure, Response

TODAY = date(2026, 11, 21)
FILE = Path(__file__).resolve().parents[1] / "differ" / "data" / "differ.jsonl"
CASES = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
BROKEN = Response(599, (), b"x")


def answer(document: dict[str, Any]) -> Answer:
    if document.get("error"):
        return Failure("timeout")
    body = document.get("body", "")
    raw = base64.b64decode(body["b64"]) if isinstance(body, dict) else body.encode("utf-8", "surrogatepass")
    headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in document["headers"])
    return Response(document["status"], headers, raw, document.get("truncated", False))


def pairs(of: Response) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in of.headers]


def expected_of(
    make: Any, case: dict[str, Any], candidate: Answer, places: list[tuple[str, str]]
) -> tuple[dict[str, Any], str]:
    primary = answer(case["primary"])
    assert isinstance(primary, Response)
    route = f"{case['request']['method']} {case['request'].get('route', case['request']['path'])}"
    target = case["request"]["path"].encode("latin-1", "replace")
    example = make.example(primary, candidate, *places, route=route, target=target)
    content_type = next((value for name, value in pairs(primary) if name.lower() == "content-type"), "")
    terms = rule_terms(rules_from_case(case), route, primary.status, content_type, TODAY)
    return expectation(example, terms, target)


@pytest.mark.parametrize("case", [c for c in CASES if c.get("expected") == "mismatch"], ids=lambda c: c["name"])
def test_a_mismatch_makes_a_test_that_fails(make: Any, case: dict[str, Any]) -> None:
    candidate = answer(case["candidate"])
    headers = {name.lower() for side in ("primary", "candidate") for name, _ in case[side].get("headers", [])}
    places = []
    for path in case["paths"]:
        header = "header" if path in headers else "cookie"
        places.append(("status" if path == "status" else "body" if path.startswith(("$", "html:")) else header, path))

    _, untestable = expected_of(make, case, candidate, places)

    assert untestable == ""


@pytest.mark.parametrize("case", [c for c in CASES if c.get("expected") in ("match", "tolerated")], ids=lambda c: c["name"])
def test_an_answer_that_is_held_equal_passes_the_test(make: Any, case: dict[str, Any]) -> None:
    primary, fixed = answer(case["primary"]), answer(case["candidate"])
    assert isinstance(primary, Response)
    assert isinstance(fixed, Response)

    expected, untestable = expected_of(make, case, BROKEN, [("status", "status")])

    assert untestable == ""
    assert differences(expected, primary.body, fixed.status, pairs(fixed), fixed.body) == []
