"""Lint remarks on what loads but should not stay."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rules.lint import lint
from rules.lint_rule import MAX_DAYS, NEVER_COMPARED
from rules.load import load_rules, rules_from_case
from rules.remarks import NOTES, WARNINGS, Lint

TODAY = date(2026, 11, 21)
GET = {"scope": {"method": ["GET"]}}


def remarks(
    *rules: dict[str, Any], presets: tuple[Any, ...] = (), routes: list[str] | None = None, **settings: Any
) -> list[Lint]:
    """What lint says of rules as a case writes them."""
    document = {"rules": list(rules), "presets": list(presets), "settings": settings}
    return lint(rules_from_case(document), TODAY, routes=routes)


def kinds(*rules: dict[str, Any], **more: Any) -> list[str]:
    return [remark.kind for remark in remarks(*rules, **more)]


def ignore(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "action": "ignore", "why_not": "its value has no form", **more}


def type_only(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "action": "type_only", **more}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"path": "$.a", "action": "ignore"}, ["why_not"]),
        (ignore("$.a"), []),
        (ignore("$.*.*"), ["over_broad"]),
        (ignore("$[0]"), ["over_broad"]),
        (ignore("$..a.*"), []),
        (type_only("$..*"), ["over_broad"]),
        ({"path": "$..*", "action": "normalise", "as": "datetime"}, []),
        ({"path": "$.a", "action": "tolerance", "rel": 1}, ["over_broad"]),
        ({"path": "$.a", "action": "tolerance", "rel": 0.5}, []),
        ({"path": "$.a", "action": "tolerance", "tol_s": 40_000_000}, ["over_broad"]),
        ({"target": "status", "action": "map", "primary": list(range(200, 210)), "candidate": list(range(400, 410))}, ["over_broad"]),
        ({"path": "$.a", "action": "regex", "pattern": ".*"}, ["matches_everything"]),
        ({"path": "$.a", "action": "regex", "pattern": "(?s)^.+$"}, ["matches_everything"]),
        ({"path": "$.a", "action": "regex", "pattern": "[\\s\\S]{1,90}"}, ["matches_everything"]),
        ({"path": "$.a", "action": "regex", "pattern": "[^,]*"}, []),
        ({"path": "$.a", "action": "regex", "pattern": "[ -~]+"}, []),
        (type_only("$.a", expires="2026-11-20"), ["expired"]),
        (type_only("$.a", expires="2026-11-21"), []),
        (type_only("$.a", expires="2027-02-19"), []),
        (type_only("$.a", expires="2027-02-20"), ["far_off"]),
        (type_only("$.a", expires="2027-02-20", permanent=True), []),
        (type_only("$[?@.a]"), ["over_broad", "dynamic_path"]),
        (type_only("$.a[-1]"), ["dynamic_path"]),
        (type_only("$.a[1:]"), ["dynamic_path"]),
        (type_only("$.a", scope={"status": [404, "!404"]}), ["never_applies"]),
        (type_only("$.a", scope={"status": [204, 304]}), ["never_applies"]),
        (type_only("$.a", scope={"method": "HEAD"}), ["never_applies"]),
        (type_only("$.a", scope={"method": ["HEAD", "GET"]}), []),
        (type_only("$.a", scope={"content_type": "text/html"}), ["never_applies"]),
        (type_only("$.a", scope={"content_type": "text/plain"}), ["never_applies"]),
        (type_only("$", scope={"content_type": "text/plain"}), ["over_broad"]),
        (type_only("$.a", scope={"content_type": "application/problem+json"}), []),
        ({"target": "header:date", "action": "ignore", "why_not": "x"}, ["never_applies"]),
        ({"target": "header:etag", "action": "ignore", "why_not": "x"}, []),
        ({"target": "status", "action": "map", "primary": 403, "candidate": 401, "scope": {"status": 401}}, ["never_applies"]),
        ({"target": "status", "action": "map", "primary": 403, "candidate": 401, "scope": {"status": "4xx"}}, []),
        ({"target": "status", "action": "map", "primary": 403, "candidate": 403}, ["never_applies"]),
        ({"target": "status", "action": "exact"}, ["exact_cancels_nothing"]),
        ({"path": "$.a", "action": "exact"}, ["exact_alone"]),
    ],
)  # fmt: skip
def test_one_rule_by_itself(rule: dict[str, Any], expected: list[str]) -> None:
    assert sorted(kinds(rule)) == sorted(expected)


def test_html_with_its_normaliser_off_is_a_text_that_rules_reach() -> None:
    rule = {"path": "$", "action": "normalise", "as": "whitespace", "scope": {"content_type": "text/html"}}

    assert kinds(rule) == ["never_applies"]
    assert kinds(rule, class1={"disable": "html:tokens"}) == []


def test_an_end_is_at_most_90_days_ahead_and_the_remark_says_by_when() -> None:
    (remark,) = remarks(type_only("$.a", expires="2027-12-31"))

    assert MAX_DAYS == 90
    assert "end it by 2027-02-19" in remark.text


def test_presets_end_too() -> None:
    presets = ({"name": "duration", "expires": "2026-01-01"}, {"name": "error-text", "expires": "2028-01-01"}, "datetime-ms")

    assert [(remark.kind, remark.rule) for remark in remarks(presets=presets)] == [
        ("expired", "duration"),
        ("far_off", "error-text"),
    ]


ROUTES = ["GET /items/", "POST /items/", "GET /items/{id}/"]


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        ({"route": "/itms/"}, "the route '/itms/' is not known; did you mean '/items/'?"),
        ({"route": "GET /items/{pk}/"}, ""),
        ({"route": "DELETE /items/{pk}/"}, "is known with GET, not with DELETE"),
        ({"route": "DELETE /items/{pk}/", "status": 405}, ""),
        ({"route": "HEAD /items/{pk}/"}, ""),
        ({"route": "/items/", "method": ["PUT", "POST"]}, ""),
        ({"route": "unrouted"}, ""),
        ({}, ""),
    ],
)
def test_routes_are_checked_against_the_known_ones(scope: dict[str, Any], text: str) -> None:
    rule = {"target": "header:etag", "action": "present_only", "scope": scope}
    found = remarks(rule, routes=ROUTES)

    assert [remark.kind for remark in found] == (["unknown_route"] if text else [])
    assert not text or text in found[0].text
    assert remarks(rule) == []


def test_a_thousand_unknown_routes_among_ten_thousand_known_cost_little() -> None:
    rules = [type_only("$.a", id=f"r{at}", scope={"route": f"/no/{at}/"}) for at in range(1_000)]

    found = remarks(*rules, routes=[f"GET /known/{at}/" for at in range(10_000)])

    assert len(found) == 1_000


def test_remarks_come_by_file_and_line_and_name_both() -> None:
    text = "version: 1\nrules:\n" + "".join(
        f"  - {{id: r{at}, path: $.a{at}, action: ignore, reason: x, owner: y, expires: 2027-01-01}}\n" for at in range(12)
    )

    other = text.replace("id: r", "id: b").replace("$.a", "$.b")
    found = lint(load_rules([("b.yaml", other), ("a.yaml", text)], TODAY), TODAY)

    assert [remark.place for remark in found] == [f"{file}:{line}" for file in ("a.yaml", "b.yaml") for line in range(3, 15)]
    assert str(found[0]).startswith("a.yaml:3: r0: ignore needs 'why_not'")


def test_every_kind_is_a_warning_or_a_note() -> None:
    assert not WARNINGS.keys() & NOTES.keys()
    assert Lint("tie", "", "r", "x").is_warning
    assert not Lint("dynamic_path", "", "r", "x").is_warning


def test_every_kind_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs/rules.md").read_text(encoding="utf-8")

    for kind, about in (WARNINGS | NOTES).items():
        assert f"| `{kind}` | {about} |" in text


def test_what_lint_calls_never_compared_is_what_the_differ_drops() -> None:
    from differ.headers import DROPPED

    assert DROPPED - {"set-cookie", "content-encoding"} == NEVER_COMPARED
