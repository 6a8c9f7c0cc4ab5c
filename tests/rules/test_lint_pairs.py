"""Lint remarks on rules that meet: ties, rules that do nothing more, carve-outs that carve out nothing."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from differ.judge import judge
from rules.errors import RuleError
from rules.jsonpath import locate, parse_path
from rules.lint import lint
from rules.lint_pairs import PairRemarks
from rules.load import rules_from_case
from rules.overlap import path_covers, paths_meet
from rules.subset import without
from traffic.message import Request, Response

TODAY = date(2026, 11, 21)


def said(*rules: dict[str, Any], presets: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Kind and rule of each remark on pairs."""
    named = [{"id": f"r{at}", **rule} for at, rule in enumerate(rules)]
    return sorted(
        (remark.kind, remark.rule)
        for remark in PairRemarks(rules_from_case({"rules": named, "presets": list(presets)}), TODAY).remarks()
    )


def rule(path: str, action: str = "ignore", **more: Any) -> dict[str, Any]:
    return {"path": path, "action": action, **more}


def header(action: str, **more: Any) -> dict[str, Any]:
    return {"target": "header:etag", "action": action, **more}


def status(primary: Any, candidate: Any, **more: Any) -> dict[str, Any]:
    return {"target": "status", "action": "map", "primary": primary, "candidate": candidate, **more}


GET, POST, ITEMS = {"method": "GET"}, {"method": "POST"}, {"route": "/items/"}
DATETIME = {"as": "datetime"}
SOME = {"status": [200, 404]}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        # ties
        ([rule("$.a", "regex", pattern="a"), rule("$.a", "normalise", **DATETIME)], [("tie", "r1")]),
        ([rule("$.a.*", "regex", pattern="a"), rule("$.*.b", "normalise", **DATETIME)], [("tie", "r1")]),
        ([rule("$.a.*", "regex", pattern="a"), rule("$.c.b", "normalise", **DATETIME)], []),
        ([rule("$.a", "regex", pattern="a"), rule("$.b", "normalise", **DATETIME)], []),
        ([rule("$.a", "missing_is_null"), rule("$.a", "normalise", **DATETIME)], []),
        ([rule("$.a", "tolerance", abs=1), rule("$.a", "regex", pattern="a")], []),
        ([rule("$.a", "type_only", types="null"), rule("$.a", "regex", pattern="a")], []),
        ([rule("$.a", "unordered"), rule("$.a", "keyed", by="id")], [("tie", "r1")]),
        ([rule("$.a", "regex", pattern="a", scope=GET), rule("$.a", "normalise", scope=POST, **DATETIME)], []),
        ([rule("$.a", "regex", pattern="a", scope=GET), rule("$.a", "normalise", **DATETIME)], []),
        ([rule("$.a", "regex", pattern="a", scope={"status": "2xx"}), rule("$.a", "normalise", scope=SOME, **DATETIME)], [("tie", "r1")]),
        ([header("regex", pattern="a"), header("normalise", **DATETIME)], [("tie", "r1")]),
        ([status(403, 401), status([403, 404], 400)], []),
        ([status([403, 404], [401, 422]), status([404, 405], [422, 400])], [("tie", "r1")]),
        # superfluous
        ([rule("$.a", "ignore"), rule("$.a.b[*].c", "type_only")], [("superfluous", "r1")]),
        ([rule("$.a.b[*].c", "type_only"), rule("$.a", "ignore")], [("superfluous", "r0")]),
        ([rule("$..c", "ignore"), rule("$.a.b[*].c", "normalise", **DATETIME)], [("superfluous", "r1")]),
        ([rule("$..c", "ignore"), rule("$.a.b[*]", "normalise", **DATETIME)], []),
        ([rule("$.a", "ignore", scope=GET), rule("$.a", "type_only")], []),
        ([rule("$.a", "ignore"), rule("$.a", "type_only", scope=GET)], [("superfluous", "r1")]),
        ([rule("$.a", "ignore", expires="2027-01-01"), rule("$.a", "type_only", expires="2027-01-02")], [("tie", "r1")]),
        ([rule("$.a", "ignore", expires="2027-01-02"), rule("$.a", "type_only", expires="2027-01-01")], [("superfluous", "r1")]),
        ([rule("$.a", "ignore", expires="2026-01-01"), rule("$.a", "type_only")], []),
        ([rule("$.a", "type_only"), rule("$.a", "type_only")], [("superfluous", "r1")]),
        ([rule("$.a", "type_only", types=["string", "null"]), rule("$.a", "regex", pattern="x")], [("superfluous", "r1")]),
        ([rule("$.a", "type_only", types="number"), rule("$.a", "regex", pattern="x")], []),
        ([rule("$.a", "tolerance", abs=2), rule("$.a", "tolerance", abs=1)], [("superfluous", "r1")]),
        ([rule("$.a", "tolerance", abs=2), rule("$.a", "tolerance", rel=0.1)], [("tie", "r1")]),
        ([rule("$.a", "normalise", any_offset=True, **DATETIME), rule("$.a", "normalise", **DATETIME)], [("superfluous", "r1")]),
        ([rule("$.a", "normalise", truncate="s", **DATETIME), rule("$.a", "normalise", **DATETIME)], [("superfluous", "r1")]),
        ([rule("$.a", "normalise", tol_s=2, **DATETIME), rule("$.a", "normalise", truncate="ms", **DATETIME)], [("tie", "r1")]),
        ([rule("$.a[*]", "ignore"), rule("$.a", "unordered")], []),
        ([rule("$.a", "ignore"), rule("$.a", "unordered")], [("superfluous", "r1")]),
        ([rule("$.a", "ignore"), rule("$.a", "keyed", by="id", order="kept")], [("tie", "r1")]),
        ([rule("$.a", "ignore"), rule("$.a.b", "type_only"), rule("$.a.b", "exact", scope=GET)], [("superfluous", "r1")]),
        ([rule("$.a", "ignore"), rule("$.a.b.c", "type_only", scope=GET), rule("$.a.b", "exact")], []),
        ([header("present_only"), header("regex", pattern="a")], [("superfluous", "r1")]),
        ([header("ignore"), header("present_only", scope=ITEMS)], [("superfluous", "r1")]),
        ([status([403, 404], [401, 422]), status(403, 401)], [("superfluous", "r1")]),
        ([status(403, 401), status(401, 403)], []),
        # exact
        ([rule("$.a", "ignore"), rule("$.a.b", "exact")], []),
        ([rule("$.a", "ignore", scope=GET), rule("$.a", "exact")], [("exact_cancels_nothing", "r1")]),
        ([rule("$.a", "ignore", scope=GET), rule("$.a.b", "exact", scope=POST)], [("exact_cancels_nothing", "r1")]),
        ([rule("$.a", "type_only"), rule("$.a", "exact")], [("exact_cancels_nothing", "r1")]),
        ([rule("$.a", "ignore"), rule("$.b", "exact")], [("exact_alone", "r1")]),
        ([header("ignore"), header("exact", scope=GET)], []),
        ([header("ignore"), header("exact")], [("exact_cancels_nothing", "r1")]),
        ([status(403, 401), {"target": "status", "action": "exact", "scope": GET}], []),
    ],
)  # fmt: skip
def test_pairs_of_rules(rules: list[dict[str, Any]], expected: list[tuple[str, str]]) -> None:
    assert said(*rules) == expected


@pytest.mark.parametrize(
    ("own", "preset", "repeats"),
    [
        (rule("$.a.t", "normalise", any_offset=True, **DATETIME), "datetime-instant", True),
        (rule("$.a.t", "normalise", **DATETIME), "datetime-instant", True),
        (rule("$.a.t", "normalise", any_offset=True, tol_s=1, **DATETIME), "datetime-instant", False),
        (rule("$.detail", "type_only", types="string", scope={"status": 404}), "error-text", True),
        (rule("$.detail", "type_only", types="string"), "error-text", False),
        (header("present_only"), "conditional-headers", True),
        (status(302, 307, scope=GET), "redirect-family", True),
        (status(302, 307), "redirect-family", False),
        (rule("$.p", "normalise", **{"as": "decimal"}), "decimal-string-number", False),
        (rule("$.p", "normalise", **{"as": "duration"}), "duration", True),
    ],
)
def test_rules_that_repeat_a_preset(own: dict[str, Any], preset: str, repeats: bool) -> None:
    assert said(own, presets=(preset,)) == ([("repeats_preset", "r0")] if repeats else [])


def test_the_remark_names_the_other_rule_and_its_place() -> None:
    rules = rules_from_case({"rules": [rule("$.a", id="broad"), rule("$.a.b", "type_only", id="narrow")]})

    (remark,) = [remark for remark in lint(rules, TODAY) if remark.kind == "superfluous"]

    assert remark.text == "broad at rules[0] explains all that it does: remove it, or narrow broad"


def test_more_rules_in_one_scope_than_can_be_compared_are_said_to_be_so() -> None:
    many = [rule(f"$..a{at}..*", "type_only", id=f"r{at}") for at in range(1_500)]

    assert ("unchecked", "r0") in said(*many)


PATHS = [
    "$",
    "$.a",
    "$.*",
    "$..a",
    "$..*",
    "$.a[0]",
    "$.a[*]",
    "$.a.b",
    "$['a','b']",
    "$..a..b",
    "$[0,1].a",
    "$..[0]",
    "$.a..*",
    "$.*.b",
]
DOCUMENTS = st.recursive(
    st.integers(0, 1),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
)
TWO = st.tuples(st.sampled_from(PATHS), st.sampled_from(PATHS))


def places(text: str, document: Any) -> set[tuple[str | int, ...]]:
    return {tuple(location) for location in locate(parse_path(text), document, lambda cost: None)}


@settings(max_examples=200, deadline=None)
@given(document=DOCUMENTS, paths=TWO)
def test_no_document_contradicts_what_is_said_of_two_paths(document: Any, paths: tuple[str, str]) -> None:
    one, other = (parse_path(text) for text in paths)
    ones, others = (places(text, document) for text in paths)

    assert paths_meet(one, other) or not ones & others
    assert not path_covers(one, other) or others <= ones
    under = {location for location in others if any(location[: len(upper)] == upper for upper in ones)}
    assert paths_meet(one, other, below=True) or not under
    assert not path_covers(one, other, below=True) or under == others


def test_what_meets_and_covers_is_found() -> None:
    found = {(one, other): paths_meet(parse_path(one), parse_path(other)) for one in PATHS for other in PATHS}

    assert all(found[path, path] and path_covers(parse_path(path), parse_path(path)) for path in PATHS)
    assert path_covers(parse_path("$..*"), parse_path("$.a[0]"))
    assert not found["$.a", "$.a.b"]
    assert found["$.a", "$..a"]


RULES = st.builds(
    lambda path, action, scope: {"path": path, **action, **scope},
    st.sampled_from(["$.a", "$.*", "$..a", "$.a.b", "$.a[*]", "$.a.*", "$..b", "$.a..b"]),
    st.sampled_from(
        [
            {"action": "ignore"},
            {"action": "type_only"},
            {"action": "type_only", "types": ["string", "array"]},
            {"action": "missing_is_null"},
            {"action": "unordered"},
            {"action": "keyed", "by": "b"},
            {"action": "regex", "pattern": "[a-z ]*"},
            {"action": "normalise", "as": "strip"},
            {"action": "normalise", "as": "datetime", "any_offset": True},
            {"action": "normalise", "as": "datetime", "truncate": "s"},
            {"action": "normalise", "as": "datetime", "tol_s": 5},
            {"action": "normalise", "as": "decimal"},
            {"action": "tolerance", "abs": 1},
            {"action": "tolerance", "abs": 2, "tol_s": 9},
            {"action": "correlate", "name": "x"},
            {"action": "exact"},
        ]
    ),
    st.sampled_from([{}, {"scope": {"status": 200}}, {"scope": {"method": "GET", "status": "2xx"}}]),
)
VALUES = st.one_of(
    st.none(),
    st.integers(0, 3),
    st.sampled_from(["a", " a", "1.0", "1.00", "2024-01-15T10:30:00Z", "2024-01-15T10:30:04Z", "2024-01-15T11:30:00+01:00"]),
)
BODIES = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(rules=st.lists(RULES, min_size=2, max_size=4), a=BODIES, b=BODIES, presets=st.sampled_from([(), ("datetime-instant",)]))
def test_a_superfluous_rule_can_go_and_nothing_comes_back(
    rules: list[dict[str, Any]], a: Any, b: Any, presets: tuple[str, ...]
) -> None:
    named = [{"id": f"r{at}", **rule} for at, rule in enumerate(rules)]
    try:
        made = rules_from_case({"rules": named, "presets": list(presets)})
    except RuleError:
        return
    gone = [remark.rule for remark in PairRemarks(made, TODAY).remarks() if remark.kind in ("superfluous", "repeats_preset")]
    sides = [Response(200, ((b"Content-Type", b"application/json"),), json.dumps({"a": body}).encode()) for body in (a, b)]
    for name in gone:
        verdicts = [
            judge(Request("GET", b"/"), "GET /", *sides, ruleset, TODAY).verdict.value
            for ruleset in (made, without(made, name))
        ]
        assert (verdicts[0] == "mismatch") == (verdicts[1] == "mismatch"), (name, verdicts)
