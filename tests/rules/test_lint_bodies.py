"""Lint remarks that stored answers allow: paths that nothing has, and ignores in place of which something narrower would do."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from differ.facts import Judgement
from differ.judge import judge
from rules.lint import StoredBody, lint
from rules.load import rules_from_case
from rules.model import RuleSet
from rules.narrower import MIN_PAIRS, StoredPair, narrower_actions
from traffic.message import Request, Response

TODAY = date(2026, 11, 21)
JSON = "application/json"
ROUTE = "GET /items/"


def dead(rule: dict[str, Any], *values: Any, route: str = ROUTE, status: int = 200, media: str = JSON) -> list[str]:
    """What lint says of a rule's path, given stored bodies of one kind."""
    bodies = [StoredBody(route, status, media, value) for value in values]
    rules = rules_from_case({"rules": [{"action": "type_only", **rule}]})
    return [remark.text for remark in lint(rules, TODAY, bodies=bodies) if remark.kind == "dead_path"]


@pytest.mark.parametrize(
    "path",
    [
        "$.results[*].updated_at",
        "$..updated_at",
        "$.results[0].updated_at",
        "$.results[-1].updated_at",
        "$.results[?@.id == 1]",
    ],
)
def test_a_path_that_some_body_has_is_alive(path: str) -> None:
    assert dead({"path": path}, {"results": []}, {"results": [{"id": 1, "updated_at": None}]}) == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("$.result[*].updated_at", "nothing is called 'result' there; did you mean 'results'?"),
        ("$.results[*].updatet_at", "nothing is called 'updatet_at' there; did you mean 'updated_at'?"),
        ("$.results[*].xyz", "nothing is called 'xyz' there; correct"),
        ("$..nope", "none of 2 stored bodies in its scope has $..nope: correct the path"),
        ("$.results[?@.id == 9]", "has $.results[?@.id == 9]: correct"),
        ("$.results[7]", "has $.results[7]: correct"),
    ],
)
def test_a_path_that_no_body_has_is_dead_and_the_nearest_name_is_said(path: str, said: str) -> None:
    body = {"results": [{"id": 1, "updated_at": "x"}]}

    (text,) = dead({"path": path}, body, body)

    assert said in text


@pytest.mark.parametrize(
    ("scope", "kind", "asked"),
    [
        ({"route": "/items/"}, {}, True),
        ({"route": "/others/"}, {}, False),
        ({"method": "POST"}, {}, False),
        ({}, {"status": 404}, False),
        ({"status": 404}, {"status": 404}, True),
        ({"content_type": "text/plain"}, {}, False),
    ],
)
def test_only_bodies_in_the_scope_count_and_errors_only_where_it_names_them(
    scope: dict[str, Any], kind: dict[str, Any], asked: bool
) -> None:
    assert len(dead({"path": "$.a", "scope": scope}, {"b": 1}, **kind)) == asked


def test_a_path_that_another_route_has_is_dead_all_the_same() -> None:
    rules = rules_from_case({"rules": [{"path": "$.a", "action": "type_only", "scope": {"route": "/items/"}}]})
    bodies = [StoredBody(ROUTE, 200, JSON, {"b": 1}), StoredBody("GET /others/", 200, JSON, {"a": 1})]

    assert [remark.kind for remark in lint(rules, TODAY, bodies=bodies)] == ["dead_path"]


def test_huge_and_deep_bodies_are_looked_at_within_bounds() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]

    assert dead({"path": "$..nope"}, deep, list(range(3_000_000))) == [
        "the one stored body in its scope does not have $..nope: correct the path, or remove the rule"
    ]


def pair(a: Any, b: Any, route: str = ROUTE, headers: tuple[dict[str, str], dict[str, str]] = ({}, {})) -> StoredPair:
    """A stored pair that is judged as the differ judges it."""
    sides = [
        Response(
            200,
            ((b"Content-Type", JSON.encode()), *((k.encode(), v.encode()) for k, v in more.items())),
            json.dumps(body).encode(),
        )
        for body, more in zip((a, b), headers, strict=True)
    ]

    def judgement(rules: RuleSet) -> Judgement:
        return judge(Request(route.partition(" ")[0], b"/"), route, *sides, rules, TODAY)

    def judged(rules: RuleSet) -> frozenset[tuple[str, str, str, str]]:
        found = judgement(rules).differences
        return frozenset((d.atom.aspect, d.atom.path, f"{d.atom.kind} {d.atom.types}", d.location) for d in found)

    return StoredPair(route, judged, lambda rules: frozenset(judgement(rules).tolerated))


def narrower(rule: dict[str, Any], *pairs: StoredPair, more: tuple[dict[str, Any], ...] = ()) -> list[str]:
    """What is said of one ignore."""
    rules = rules_from_case({"rules": [{"id": "i", "action": "ignore", **rule}, *more]})
    return [remark.text for remark in narrower_actions(rules, pairs, TODAY) if remark.rule == "i"]


T = "2026-11-21T10:00:0"


@pytest.mark.parametrize(
    ("pairs", "option"),
    [
        ([(None, ...), (..., None), (None, ...)], "action: missing_is_null"),
        ([("12.50", 12.5), ("1.1", "1.10"), (3, "3")], "action: normalise, as: decimal"),
        ([(f"{T}0.123Z", f"{T}0.123456Z")] * 3, "action: normalise, as: datetime, truncate: ms"),
        ([(f"{T}0Z", "2026-11-21T11:00:00+01:00")] * 3, "action: normalise, as: datetime, any_offset: true"),
        ([(f"{T}0Z", f"{T}0.5Z")] * 3, "action: normalise, as: datetime, tol_s: 1.0"),
        ([(f"{T}0Z", f"{T}9Z")] * 3, "action: normalise, as: datetime, tol_s: 60.0"),
        ([("A", "a"), ("Bc", "bC"), ("x", "X")], "action: normalise, as: casefold"),
        ([(" a", "a"), ("b ", "b"), ("c", " c ")], "action: normalise, as: strip"),
        ([("a  b", "a b"), ("a\nb", "a b"), (" a b", "a b")], "action: normalise, as: whitespace"),
        ([([1, 2], [2, 1]), ([1, 1, 2], [2, 1, 1]), ([1, 2, 3], [3, 2, 1])], "action: unordered"),
        ([("a", "b"), (1, 2), (True, False)], "action: type_only"),
        ([(0.1, 0.1000000001)] * 3, "action: tolerance, rel: 1e-06"),
    ],
)
def test_the_narrowest_action_that_explains_all_stored_pairs_is_named_with_its_count(
    pairs: list[tuple[Any, Any]], option: str
) -> None:
    stored = [pair({"v": a} if a is not ... else {}, {"v": b} if b is not ... else {}) for a, b in pairs]

    (text,) = narrower({"path": "$.v"}, *stored, pair({"v": 1}, {"v": 1}))

    assert text == f"in all 3 stored answers in which it hides something, '{option}' explains it too: write that instead"


def test_one_pair_that_nothing_narrower_explains_is_enough_to_say_nothing() -> None:
    assert narrower({"path": "$.v"}, *[pair({"v": "A"}, {"v": "a"})] * 5, pair({"v": "A"}, {"v": 1})) == []


def test_few_pairs_say_nothing() -> None:
    assert narrower({"path": "$.v"}, *[pair({"v": "A"}, {"v": "a"})] * (MIN_PAIRS - 1)) == []


def test_pairs_outside_the_scope_say_nothing() -> None:
    rule = {"path": "$.v", "scope": {"route": "/items/"}}
    elsewhere = [pair({"v": "A"}, {"v": "a"}, route="GET /others/")] * 5

    assert narrower(rule, *elsewhere) == []
    assert narrower(rule, *elsewhere, *[pair({"v": "A"}, {"v": 1})] * 3) == []


def test_an_ignore_of_a_subtree_is_told_where_it_hides_and_what_would_do_there() -> None:
    stored = [pair({"m": {"at": f"{T}0Z", "n": 1}}, {"m": {"at": "2026-11-21T11:00:00+01:00", "n": 1}}) for _ in range(4)]

    (text,) = narrower({"path": "$.m"}, *stored)

    assert "in all 4 stored answers" in text
    assert "that stands at $.m.at (4 times), where 'action: normalise, as: datetime, any_offset: true' explains it" in text


def test_an_ignore_that_needs_to_be_one_is_told_a_narrower_place() -> None:
    stored = [pair({"m": {"at": 1, "n": 1}}, {"m": {"at": "x", "n": 1}}) for _ in range(3)]

    (text,) = narrower({"path": "$.m"}, *stored)

    assert "that stands at $.m.at (3 times), where 'action: ignore' explains it" in text


def test_a_list_with_a_tolerance_below_is_not_told_to_be_unordered() -> None:
    tolerance = {"id": "t", "path": "$.v[*]", "action": "tolerance", "abs": 0.1}
    stored = [pair({"v": [1.0, 5.0]}, {"v": [5.0, 1.05]})] * 3

    assert not any("unordered" in text for text in narrower({"path": "$.v"}, *stored, more=(tolerance,)))


def test_many_pairs_and_rules_end_within_bounds() -> None:
    asked = 0

    def judged(rules: RuleSet) -> frozenset[tuple[str, str, str, str]]:
        nonlocal asked
        asked += 1
        return frozenset()

    rules = rules_from_case({"rules": [{"id": f"i{at}", "path": f"$.a{at}", "action": "ignore"} for at in range(200)]})

    assert (
        list(
            narrower_actions(
                rules, [StoredPair(ROUTE, judged, lambda made: frozenset(rule.id for rule in made.rules))] * 500, TODAY
            )
        )
        == []
    )
    assert asked == 20_000


def test_headers_and_cookies_have_narrower_actions_too() -> None:
    stored = [pair({}, {}, headers=({"X-Id": "abc"}, {"X-Id": f"x{at}"})) for at in range(3)]
    cookies = [pair({}, {}, headers=({"Set-Cookie": "c=1; Path=/"}, {"Set-Cookie": f"c={at}; Path=/"})) for at in range(2, 5)]

    assert "'action: present_only'" in narrower({"target": "header:x-id"}, *stored)[0]
    assert "'action: type_only'" in narrower({"target": "cookie:c"}, *cookies)[0]
