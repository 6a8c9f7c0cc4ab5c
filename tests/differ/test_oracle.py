"""The judge agrees with a slow and obvious one on random pairs of documents under random rules."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from differ.facts import Judgement
from differ.judge import judge
from rules.errors import RuleError
from rules.load import rules_from_case
from tests.differ.oracle import Expected, Unspecified, expected
from tests.differ.oracle_rules import Rule, Segment, in_scope
from tests.differ.oracle_values import Number
from tests.differ.random_pairs import Case, Maker
from traffic.message import Request, Response

TODAY = date(2026, 11, 21)
JSON = ((b"Content-Type", b"application/json"),)
PAIRS = int(os.environ.get("PARITYGATE_ORACLE_PAIRS", "100000"))


def judged(case: Case) -> Judgement | None:
    """The judgement; None where the rules do not load together, as a tolerance under a list without order."""
    try:
        rules = rules_from_case(case.document)
    except RuleError as error:
        if "a tolerance cannot stand under" not in str(error):
            raise
        return None
    answers = [Response(200, JSON, body) for body in case.bodies]
    return judge(Request("GET", b"/api/items/"), "GET /api/items/", answers[0], answers[1], rules, TODAY)


def live(case: Case) -> list[Rule]:
    """The rules that hold for this answer today."""
    about: dict[str, Any] = {"method": "GET", "template": "/api/items/", "status": 200, "media": "application/json"}
    return [rule for rule in case.rules if in_scope(rule, **about, today=TODAY.isoformat())]


def promised(case: Case) -> Expected | None:
    """What the reference promises, None where it says nothing."""
    try:
        return expected(case.primary, case.candidate, live(case), off=frozenset(case.off), drop_query=case.drop_query)
    except Unspecified:
        return None


def check(seed: str) -> str:
    """One random pair; gives what was promised. Raises AssertionError that shows the pair."""
    return agree(seed, Maker(seed).case())


def agree(seed: str, case: Case) -> str:
    """What was promised of a case. Raises AssertionError that shows it."""
    judgement = judged(case)
    if judgement is None:
        return "refused"
    said = promised(case)
    shown = f"seed {seed}: {case.shown()}\n{judgement}\npromised: {said}"
    names = {rule.called for rule in live(case)} | ({"drop_query"} if case.drop_query else set())
    assert set(judgement.tolerated) <= names, shown
    if said is None:
        return "open"
    assert judgement.verdict.value == said.verdict, shown
    if said.paths is not None:
        assert judgement.paths == sorted(said.paths), shown
    return said.verdict


def seeds(start: str, count: int) -> Iterator[str]:
    return (f"{start}:{at}" for at in range(count))


@pytest.mark.parametrize("start", [f"quick{at}" for at in range(8)])
def test_random_pairs_are_judged_as_the_oracle_says(start: str) -> None:
    found = Counter(check(seed) for seed in seeds(start, 400))

    assert found["match"] > 40
    assert found["mismatch"] > 100
    assert found["tolerated"] > 5
    assert found["open"] < 20


@pytest.mark.parametrize("start", ["long0", "long1"])
def test_long_lists_are_judged_as_the_oracle_says(start: str) -> None:
    found = Counter(agree(seed, Maker(seed).long_case()) for seed in seeds(start, 12))

    assert found["mismatch"] + found["tolerated"] > 5


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_many_long_lists_are_judged_as_the_oracle_says() -> None:
    found = Counter(agree(seed, Maker(seed).long_case()) for seed in seeds("long", 1_000))

    assert found["tolerated"] > 50


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_100000_random_pairs_are_judged_as_the_oracle_says(capsys: pytest.CaptureFixture[str]) -> None:
    start = os.environ.get("PARITYGATE_ORACLE_SEED") or f"soak{random.SystemRandom().randrange(10**9)}"
    with capsys.disabled():
        print(f"\nPARITYGATE_ORACLE_SEED={start} PARITYGATE_ORACLE_PAIRS={PAIRS}")  # noqa: T201

    found = Counter(check(seed) for seed in seeds(start, PAIRS))

    with capsys.disabled():
        print(dict(found))  # noqa: T201
    assert found["open"] < PAIRS // 50


def rule(path: list[tuple[str, str]], **entry: Any) -> Rule:
    segments = tuple(Segment(text, (kind,), text.startswith("..")) for text, kind in path)
    return Rule("r", entry, segments)


A, STAR, FIRST = ("['a']", "name"), ("[*]", "star"), ("[0]", "index")


@pytest.mark.parametrize(
    ("a", "b", "rules", "verdict", "paths"),
    [
        ({"a": Number("1")}, {"a": Number("1.0")}, [], "match", None),
        ({"a": Number("1")}, {"a": True}, [], "mismatch", {"$.a"}),
        ([Number("1"), "x"], ["x", Number("1")], [], "mismatch", {"$"}),
        ([Number("1"), "x"], ["x", Number("1")], [rule([], action="unordered")], "tolerated", None),
        ([Number("1")] * 2, [Number("1"), Number("2")], [rule([], action="unordered")], "mismatch", None),
        ({"a": {"b": None}}, {"a": {}}, [rule([A], action="ignore")], "tolerated", None),
        ({"a": {"b": None}}, {"a": {}}, [rule([A, STAR], action="missing_is_null")], "tolerated", None),
        (
            {"a": "x"},
            {"a": "y"},
            [rule([A], action="ignore"), rule([A], action="exact", scope={"method": ["GET"]})],
            "mismatch",
            {"$.a"},
        ),
        (["x"], ["y"], [rule([FIRST], action="ignore"), rule([STAR], action="exact")], "tolerated", None),
        (["x"], ["y"], [rule([STAR], action="ignore"), rule([FIRST], action="exact")], "mismatch", {"$[*]"}),
        (["x", "x"], ["y", "z"], [rule([STAR], action="correlate", name="n")], "mismatch", None),
        (["x", "w"], ["y", "z"], [rule([STAR], action="correlate", name="n")], "tolerated", None),
        ("2024-01-15T10:30:00Z", "2024-01-15T10:30:00+00:00", [], "match", None),
        ("2024-01-15T10:30:00Z", "2024-01-15 10:30:00Z", [], "mismatch", {"$"}),
    ],
)
def test_the_oracle_itself_says_what_the_reference_says(
    a: Any, b: Any, rules: list[Rule], verdict: str, paths: set[str] | None
) -> None:
    said = expected(a, b, rules)

    assert said.verdict == verdict
    assert paths is None or said.paths == paths
