"""T9, hostile JSON: whatever either side sends ends in a verdict, JSON is read, and what is none never looks like some."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest

from differ.explain import explain
from differ.facts import Judgement
from differ.judge import judge
from rules.load import EMPTY, rules_from_case
from rules.model import RuleSet
from tests.differ.hostile_json import BROKEN, OPEN, VALID
from traffic.message import Request, Response

TODAY = date(2026, 11, 21)
UNORDERED = rules_from_case({"rules": [{"path": "$", "action": "unordered"}, {"path": "$..*", "action": "unordered"}]})
MASKED = rules_from_case({"rules": [{"path": "$..a", "action": "ignore"}, {"path": "$[?@ != 1]", "action": "type_only"}]})


def judged(primary: bytes, candidate: bytes, rules: RuleSet = EMPTY) -> Judgement:
    answers = [Response(200, ((b"Content-Type", b"application/json"),), body) for body in (primary, candidate)]
    return judge(Request("GET", b"/"), "GET /", answers[0], answers[1], rules, TODAY)


def said(primary: bytes, candidate: bytes, rules: RuleSet = EMPTY) -> tuple[str, list[str]]:
    judgement = judged(primary, candidate, rules)
    return judgement.verdict.value, judgement.paths


def read(text: bytes) -> Any:
    """A document in a form that Python's `==` compares by type."""

    def typed(value: Any) -> Any:
        if isinstance(value, dict):
            return ("object", sorted((key, typed(item)) for key, item in value.items()))
        if isinstance(value, list):
            return ("array", [typed(item) for item in value])
        return (type(value).__name__, value)

    return typed(json.loads(text, parse_int=Decimal, parse_float=Decimal))


def sorted_lists(value: Any) -> str:
    """The document without the order of its lists, as text."""
    kind, inner = value
    if kind == "object":
        return f"object {[(key, sorted_lists(item)) for key, item in inner]}"
    return f"array {sorted(map(sorted_lists, inner))}" if kind == "array" else repr(value)


def test_there_are_enough_texts() -> None:
    assert (len(VALID) > 100, len(BROKEN) > 100, len(OPEN) > 30) == (True, True, True)


@pytest.mark.parametrize("rules", [EMPTY, UNORDERED], ids=["no rules", "unordered"])
def test_t9_valid_documents_match_those_and_only_those_that_say_the_same(rules: RuleSet) -> None:
    documents = [read(text) for text in VALID]
    for (one, a), (other, b) in combinations(zip(VALID, documents, strict=True), 2):
        verdict = judged(one, other, rules).verdict.value
        assert verdict == ("match" if a == b else verdict), (one, other)
        assert verdict != "match" or a == b, (one, other)
        assert verdict == "mismatch" or a == b or (rules is UNORDERED and sorted_lists(a) == sorted_lists(b)), (one, other)


@pytest.mark.parametrize("text", VALID, ids=ascii)
def test_t9_a_valid_document_is_read_on_either_side(text: bytes) -> None:
    assert said(text, b" " + text) == ("match", [])
    assert said(text + b"\n", text) == ("match", [])
    assert said(text, b'["something else"]')[0] == "mismatch"
    assert said(b'["something else"]', text)[0] == "mismatch"


@pytest.mark.parametrize("text", BROKEN, ids=ascii)
def test_t9_what_is_no_json_is_the_candidates_bug_and_says_nothing_of_the_primary(text: bytes) -> None:
    other = b'{"a": 1}'

    assert said(other, text) == ("mismatch", ["$"])
    assert said(other, text, MASKED) == ("mismatch", ["$"])
    assert said(text, other)[0] in (("inconclusive", "mismatch") if not text.strip() else ("inconclusive",))
    assert said(text, text) == ("match", [])
    assert said(text, text + b" ")[0] != "match" or not text.strip()


@pytest.mark.parametrize("text", OPEN, ids=lambda text: ascii(text[:20]))
def test_t9_what_parsers_quarrel_about_ends_in_a_verdict(text: bytes) -> None:
    for other in (b'{"a": 1}', b"[1]", b" " + text, text):
        for rules in (EMPTY, UNORDERED, MASKED):
            for pair in ((text, other), (other, text)):
                judgement = judged(*pair, rules)
                assert judgement.verdict.value in ("match", "tolerated", "mismatch", "inconclusive")
                assert judgement.verdict.value not in ("match", "tolerated") or other.strip() == text or rules is MASKED
                assert explain(*pair)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (b"[NaN]", b"[ NaN]", "match"),
        (b"[NaN]", b"[Infinity]", "mismatch"),
        (b'{"a":1,"a":2}', b'{"a":2}', "mismatch"),
        (b'{"a":1,"a":2}', b'{"a":1, "a":2}', "match"),
        (b'{"a":1,"a":2}', b'{"a":2,"a":1}', "mismatch"),
        (b'{"a":2}', b'{"a":1,"\\u0061":2}', "mismatch"),
        (b"\xef\xbb\xbf[1]", b"[1]", "mismatch"),
        (b'"\\ud800"', b'"\\ud801"', "mismatch"),
        (b'"\\ud83d\\ude00"', '"\U0001f600"'.encode(), "match"),
        (b"[1e400]", b"[1E400]", "match"),
        (b"[1e400]", b"[2e400]", "mismatch"),
        (b"[1e400]", b"[Infinity]", "mismatch"),
        (b"9007199254740993", b"9007199254740992", "mismatch"),
        (b"[" + b"9" * 4_300 + b"]", b"[ " + b"9" * 4_300 + b"]", "match"),
        (b"[" + b"9" * 4_300 + b"]", b"[" + b"9" * 4_299 + b"8]", "mismatch"),
        (b"[" * 200 + b"]" * 200, b"[ " + b"[" * 199 + b"]" * 200, "match"),
        (b"[" * 201 + b"1" + b"]" * 201, b"[" * 201 + b"2" + b"]" * 201, "inconclusive"),
    ],
    ids=lambda value: ascii(value[:20]) if isinstance(value, bytes) else value,
)
def test_t9_what_the_reference_decides(one: bytes, other: bytes, expected: str) -> None:
    assert judged(one, other).verdict.value == expected
    assert judged(other, one).verdict.value == expected


VALUES = {
    "1": b"1",
    "1.0": b"1.0",
    "true": b"true",
    "text": b'"1"',
    "list": b"[1]",
    "object": b'{"1":1}',
    "null": b"null",
    "false": b"false",
    "0": b"0",
}
FRAMES = {
    "alone": (b"%s", EMPTY),
    "member": (b'{"a":%s}', EMPTY),
    "element": (b"[%s,2]", EMPTY),
    "deep": (b'{"a":[[{"b":[%s]}]]}', EMPTY),
    "beside a huge number": (b"[%s,100000000000000000000]", EMPTY),
    "beside a name that stands twice": (b'{"a":%s,"b":1,"b":1}', EMPTY),
    "in a list without order": (b"[2,%s]", UNORDERED),
    "below one": (b'[{"a":%s},{"a":3}]', UNORDERED),
}


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(("one", "other"), list(combinations(VALUES, 2)))
def test_t9_types_are_told_apart(one: str, other: str, frame: str) -> None:
    """`1` and `1.0` are one number, unless that normaliser is off or names stand twice; nothing else is."""
    text, rules = FRAMES[frame]
    pair = text.replace(b"%s", VALUES[one]), text.replace(b"%s", VALUES[other])
    numbers = {one, other} == {"1", "1.0"} and "twice" not in frame

    assert judged(*pair, rules).verdict.value == ("match" if numbers else "mismatch")
    assert judged(*pair[::-1], rules).verdict.value == ("match" if numbers else "mismatch")


def test_t9_types_are_told_apart_strictly() -> None:
    strict = rules_from_case({"settings": {"class1": {"disable": ["repr:number"]}}})

    for one, other in combinations(VALUES.values(), 2):
        assert said(b'{"a":%s}' % one, b'{"a":%s}' % other, strict) == ("mismatch", ["$.a"])
