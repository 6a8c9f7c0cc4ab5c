"""Each preset makes tolerated what the catalogue of framework differences says it does, and near misses stay mismatches."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from differ.judge import judge
from rules.load import rules_from_case
from rules.presets import NAMES, preset
from traffic.message import Request, Response

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 21)
BASES = {"bases": {"primary": ["http://django.internal:8000"], "candidate": ["http://fastapi.internal:8001"]}}
DRF_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Accept, Cookie",
    "Allow": "GET, HEAD, OPTIONS",
}


def said(
    name: str, ours: tuple[Any, ...], theirs: tuple[Any, ...], method: str = "GET", path: str = "/api/items"
) -> tuple[str, list[str]]:
    """Verdict and paths of two answers (status, headers, body) with one preset on. A body that is no text is JSON."""
    sides = []
    for status, headers, body in (ours, theirs):
        kind = {"Content-Type": "application/json"} if not isinstance(body, str) else {}
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        pairs = tuple((key.encode(), value.encode()) for key, value in ({**kind, **headers}).items())
        sides.append(Response(status, pairs, raw))
    rules = rules_from_case({"presets": [name], "settings": BASES})
    judgement = judge(Request(method, path.encode()), f"{method} {path}", *sides, rules, TODAY)
    assert judgement.verdict.value != "tolerated" or judgement.tolerated == (name,)
    return judgement.verdict.value, judgement.paths


def ok(body: Any = "", **headers: str) -> tuple[int, dict[str, str], Any]:
    return 200, {key.replace("_", "-"): value for key, value in headers.items()}, body


def value(a: Any, b: Any) -> tuple[Any, Any]:
    return ok({"v": a}), ok({"v": b})


def refused(detail: Any) -> tuple[int, dict[str, str], Any]:
    errors = [{"type": kind, "loc": loc, "msg": "m", "input": None} for kind, loc in detail]
    return 422, {}, {"detail": errors}


def moved(status: int, where: str = "/api/items/") -> tuple[int, dict[str, str], str]:
    return status, {"Location": where}, ""


OWN = "http://fastapi.internal:8001/api/items/"
UTC, NEW_YORK = "2024-01-16T10:30:00.123456Z", "2024-01-16T05:30:00.123456-05:00"
TOLERATED: list[tuple[Any, ...]] = [
    ("allow-head-options", (405, {"Allow": "GET, HEAD, OPTIONS"}, {}), (405, {"Allow": "GET"}, {})),
    ("allow-head-options", (405, {"Allow": "GET, PUT, HEAD, OPTIONS"}, {}), (405, {"Allow": "PUT, GET"}, {})),
    ("conditional-headers", ok("x"), ok("x", ETag='"1"', Last_Modified="Fri, 20 Nov 2026 06:02:03 GMT", Accept_Ranges="bytes")),
    ("conditional-headers", ok("x", ETag='"9d4e1e"'), ok("x", ETag='W/"v1"')),
    ("datetime-instant", *value(NEW_YORK, UTC)),
    ("datetime-instant", *value("2024-01-16T05:00:00Z", "2024-01-16T10:30:00+05:30")),
    ("datetime-ms", *value("2024-01-16T10:30:00.123Z", "2024-01-16T10:30:00.123456Z")),
    ("datetime-ms", *value("2024-01-16T10:30:00.123", "2024-01-16T10:30:00.123999")),
    ("decimal-string-number", *value("12.50", 12.5)),
    ("decimal-string-number", *value(-3, "-3.00")),
    ("decimal-string-number", ok(["1.10"]), ok([1.1])),
    ("django-headers", ok({}, **{key.replace("-", "_"): text for key, text in DRF_HEADERS.items()}), ok({})),
    ("drf-fastapi-errors", (400, {}, {"a": ["Required."], "b": ["x"]}), refused([("missing", ["body", "a"]), ("missing", ["body", "b"])])),
    ("django-headers", ok({}, Vary="Accept, Cookie, Origin"), ok({}, Vary="Origin")),
    ("drf-fastapi-errors", (400, {}, {"lines": [{}, {"qty": ["x"]}]}), refused([("greater_than", ["body", "lines", 1, "qty"])])),
    ("drf-fastapi-errors", (400, {}, {"detail": "JSON parse error - Expecting value: line 1"}), refused([("json_invalid", ["body", 1])])),
    ("drf-fastapi-errors", (400, {}, {"non_field_errors": ["Invalid data."]}), refused([("model_attributes_type", ["body"])])),
    ("drf-fastapi-errors", (400, {}, {"sku": ["x"], "name": ["x"]}), refused([("missing", ["body"])])),
    ("duration", *value("3 02:00:00.000500", "P3DT2H0.0005S")),
    ("duration", *value("-1 23:00:00", "-PT1H")),
    ("duration", *value("P3DT04H05M06.000700S", 273906.0007)),
    ("error-text", (404, {}, {"detail": "No Item matches the given query."}), (404, {}, {"detail": "Item not found"})),
    ("error-text", (403, {}, {"detail": "You do not have permission."}), (403, {}, {"detail": "Not enough permissions"})),
    ("error-text", (500, {}, {"detail": "a"}), (500, {}, {"detail": "b"})),
    ("redirect-family", moved(302), moved(307)),
    ("redirect-family", moved(302), moved(303, OWN)),
    ("redirect-family", moved(301), moved(308)),
    ("slash-redirect", moved(301), moved(307, OWN)),
    ("text-charset", ok("a", Content_Type="text/csv"), ok("a", Content_Type="text/csv; charset=utf-8")),
    ("text-charset", ok("a", Content_Type="text/plain; charset=UTF-8"), ok("a", Content_Type="text/plain")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "ours", "theirs"), TOLERATED)
def test_what_the_catalogue_names_is_tolerated_and_would_not_be_without(name: str, ours: Any, theirs: Any) -> None:
    assert said(name, ours, theirs) == ("tolerated", [])
    others = [other for other in NAMES if other != name]
    assert all(said(other, ours, theirs)[0] == "mismatch" for other in others), "another preset does as much"


NEAR_MISSES: list[tuple[Any, ...]] = [
    ("allow-head-options", (405, {"Allow": "GET, POST, HEAD"}, {}), (405, {"Allow": "GET"}, {}), ["allow"]),
    ("allow-head-options", (405, {"Allow": "GET, HEAD"}, {}), (405, {}, {}), ["allow"]),
    ("allow-head-options", ok({}, Allow="GET, HEAD, OPTIONS"), ok({}, Allow="GET"), ["allow"]),
    ("conditional-headers", (304, {}, ""), (200, {}, "x"), ["status"]),
    ("conditional-headers", ok("x"), (206, {"Accept-Ranges": "bytes"}, "x"), ["status"]),
    ("conditional-headers", ok("x"), ok("x", Cache_Control="max-age=60"), ["cache-control"]),
    ("datetime-instant", *value(NEW_YORK, "2024-01-16T10:30:00.123457Z"), ["$.v"]),
    ("datetime-instant", *value("2024-01-16T10:30:00", "2024-01-16T10:30:00Z"), ["$.v"]),
    ("datetime-instant", *value("2024-01-16T10:30:00.123Z", UTC), ["$.v"]),
    ("datetime-ms", *value("2024-01-16T10:30:00.123Z", "2024-01-16T10:30:00.124Z"), ["$.v"]),
    ("datetime-ms", *value("2024-01-16T10:30:00.123", "2024-01-16T10:30:00.123456Z"), ["$.v"]),
    ("datetime-ms", *value("2024-01-16T11:30:00.123+01:00", "2024-01-16T10:30:00.123Z"), ["$.v"]),
    ("decimal-string-number", *value("12.50", 12.51), ["$.v"]),
    ("decimal-string-number", *value("0123", 123), ["$.v"]),
    ("decimal-string-number", *value("1.10", "1.1"), ["$.v"]),
    ("decimal-string-number", *value("1", True), ["$.v"]),
    ("decimal-string-number", *value("NaN", 0), ["$.v"]),
    ("django-headers", ok({}, X_Frame_Options="DENY"), ok({}, X_Frame_Options="SAMEORIGIN"), ["x-frame-options"]),
    ("django-headers", ok({}), ok({}, X_Content_Type_Options="nosniff"), ["x-content-type-options"]),
    ("django-headers", ok({}, Strict_Transport_Security="max-age=60"), ok({}), ["strict-transport-security"]),
    ("django-headers", (405, {"Allow": "GET, PUT"}, {}), (405, {}, {}), ["allow"]),
    ("django-headers", ok({}, Allow="GET, POST"), ok({}, Allow="DELETE"), ["allow"]),
    ("drf-fastapi-errors", (400, {}, {"sku": ["x"]}), refused([("missing", ["body", "sku"]), ("missing", ["body", "name"])]), ["$.name"]),
    ("drf-fastapi-errors", (400, {}, {"sku": ["x"], "name": ["blank"]}), refused([("missing", ["body", "sku"])]), ["$.name"]),
    ("drf-fastapi-errors", (200, {}, {"sku": ["x"]}), refused([("missing", ["body", "sku"])]), ["status"]),
    ("drf-fastapi-errors", (400, {}, {"sku": ["x"]}), (400, {}, {"detail": "Bad Request"}), ["$.detail", "$.sku"]),
    ("drf-fastapi-errors", (404, {}, {"detail": "Not found."}), refused([("int_parsing", ["path", "item_id"])]), ["status"]),
    ("django-headers", ok({}, Vary="Accept, Cookie, Origin"), ok({}, Vary="Accept, Cookie"), ["vary"]),
    ("django-headers", ok({}, Vary="Accept, Cookie"), ok({}, Vary="*"), ["vary"]),
    ("django-headers", ok({}), ok({}, Vary="Cookie"), ["vary"]),
    ("drf-fastapi-errors", (400, {}, {"detail": "Bad cursor"}), refused([("int_parsing", ["path", "item_id"])]), ["status"]),
    ("duration", *value("5", 5), ["$.v"]),
    ("duration", *value(5, 6), ["$.v"]),
    ("duration", *value("01:30:00", "PT1H31M"), ["$.v"]),
    ("duration", *value("90 min", "PT1H30M"), ["$.v"]),
    ("error-text", ok({"detail": "a"}), ok({"detail": "b"}), ["$.detail"]),
    ("error-text", (404, {}, {"detail": "a", "code": 1}), (404, {}, {"detail": "b", "code": 2}), ["$.code"]),
    ("error-text", (400, {}, {"detail": "a"}), (400, {}, {"detail": ["a"]}), ["$.detail"]),
    ("error-text", (429, {}, {"detail": "Request was throttled."}), (429, {}, {"error": "Rate limit exceeded"}), ["$.detail", "$.error"]),
    ("error-text", (400, {}, {"items": {"detail": "a"}}), (400, {}, {"items": {"detail": "b"}}), ["$.items.detail"]),
    ("redirect-family", moved(301), moved(302), ["status"]),
    ("redirect-family", moved(302), moved(308), ["status"]),
    ("redirect-family", moved(302), moved(307, "/login/"), ["location"]),
    ("redirect-family", moved(302), (200, {}, ""), ["status"]),
    ("slash-redirect", moved(301), moved(302), ["status"]),
    ("slash-redirect", moved(301, "/login/"), moved(307, "/login/"), ["status"]),
    ("slash-redirect", moved(301), moved(308), ["status"]),
    ("slash-redirect", moved(307), moved(301), ["status"]),
    ("slash-redirect", moved(301), moved(307, "/api/other/"), ["location"]),
    ("text-charset", ok("a", Content_Type="text/csv"), ok("a", Content_Type="text/csv; charset=latin-1"), ["content-type"]),
    ("text-charset", ok("a", Content_Type="text/csv"), ok("a", Content_Type="text/plain; charset=utf-8"), ["content-type"]),
    ("text-charset", ok("a", Content_Type="application/xml"), ok("a", Content_Type="application/xml; charset=utf-8"), ["content-type"]),
    ("text-charset", ok("a", Content_Type="text/csv"), ok("b", Content_Type="text/csv; charset=utf-8"), ["$"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "ours", "theirs", "paths"), NEAR_MISSES)
def test_near_misses_stay_mismatches(name: str, ours: Any, theirs: Any, paths: list[str]) -> None:
    assert said(name, ours, theirs) == ("mismatch", paths)


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("redirect-family", moved(302), moved(307)),
        ("redirect-family", moved(301), moved(308)),
        ("slash-redirect", moved(301), moved(307)),
    ],
)
@pytest.mark.parametrize(
    ("method", "verdict"), [("HEAD", "tolerated"), ("POST", "mismatch"), ("PUT", "mismatch"), ("DELETE", "mismatch")]
)
def test_redirects_are_alike_for_get_and_head_only(name: str, ours: Any, theirs: Any, method: str, verdict: str) -> None:
    assert said(name, ours, theirs, method)[0] == verdict


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_has_a_pair_and_two_near_misses_here(name: str) -> None:
    assert any(case[0] == name for case in TOLERATED)
    assert len([case for case in NEAR_MISSES if case[0] == name]) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_says_why_what_it_risks_and_how_to_fix_the_port(name: str) -> None:
    made = preset(name)

    assert made.rules
    assert len({made.reason, made.risk, made.fix}) == 3
    assert all(40 < len(text) < 400 and text.endswith((".", ").")) for text in (made.reason, made.risk)), name
    assert re.search(r"[a-z_]+\(|\{|route|gateway|header|field|Decimal", made.fix), "the fix names what to write"


def test_the_table_of_the_docs_says_what_the_presets_say() -> None:
    text = (ROOT / "docs/rules.md").read_text(encoding="utf-8")

    for name in NAMES:
        made = preset(name)
        row = f"| `{name}` | {made.reason} | {made.risk} | {made.fix} |"
        assert row in text, f"docs/rules.md lacks: {row}"


def test_the_rules_of_a_preset_end_with_its_use_and_carry_its_account() -> None:
    use = {"name": "duration", "reason": "why", "owner": "me", "expires": "2026-11-20"}
    rules = rules_from_case({"presets": [use]})

    assert {(rule.reason, rule.owner, rule.preset) for rule in rules.preset_rules} == {("why", "me", "duration")}
    assert rules.expired(TODAY) == ("duration",)
    assert rules.expired(date(2026, 11, 20)) == ()
