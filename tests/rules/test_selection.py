"""Which rules hold is chosen once for each kind of answer; remembering it changes nothing."""

from __future__ import annotations

from datetime import date

from rules.load import rules_from_case
from rules.selection import MAX_REMEMBERED, select

BEFORE, AFTER = date(2026, 1, 1), date(2026, 2, 2)


def test_a_remembered_choice_is_of_its_method_route_status_type_and_day() -> None:
    scope = {"method": ["GET"], "route": "/a/", "status": "2xx", "content_type": "application/json"}
    rules = rules_from_case(
        {"rules": [{"id": "a", "path": "$.a", "action": "ignore", "scope": scope, "expires": "2026-02-01"}]}
    )
    kinds = [
        ("GET", "GET /a/", 200, "application/json", BEFORE),
        ("POST", "POST /a/", 200, "application/json", BEFORE),
        ("GET", "GET /b/", 200, "application/json", BEFORE),
        ("GET", "GET /a/", 404, "application/json", BEFORE),
        ("GET", "GET /a/", 200, "text/html", BEFORE),
        ("GET", "GET /a/", 200, "application/json", AFTER),
    ]

    for _ in ("chosen", "remembered"):
        assert [bool(select(rules, *kind).live) for kind in kinds] == [True, *[False] * 5]
    assert [rule.id for rule in select(rules, *kinds[-1]).expired] == ["a"]


def test_media_types_made_up_by_traffic_do_not_fill_the_memory() -> None:
    rules = rules_from_case({"rules": []})

    for at in range(MAX_REMEMBERED + 10):
        select(rules, "GET", "GET /", 200, f"text/{at}", BEFORE)

    assert len(rules.remembered) <= MAX_REMEMBERED
