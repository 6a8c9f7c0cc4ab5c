"""The measured catalogue of framework differences: noise matches, conventions need a preset, real differences surface."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import pytest

from differ.facts import Judgement
from traffic.message import Response

Reply = Callable[..., Response]
Judge = Callable[..., Judgement]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({"Vary": "Accept, Cookie"}, {"Vary": "cookie, accept"}, []),
        ({"Cache-Control": "max-age=60, private"}, {"Cache-Control": "private,max-age=60"}, []),
        ({"Cache-Control": "max-age=60"}, {"Cache-Control": "max-age=61"}, ["cache-control"]),
        (
            {"Content-Disposition": "attachment; filename*=utf-8''a%20b"},
            {"Content-Disposition": "attachment; filename*=UTF-8''a%20b"},
            [],
        ),
        ({"Server": "gunicorn", "Date": "x"}, {"server": "uvicorn", "Transfer-Encoding": "chunked"}, []),
        ({"Location": "/api/items/"}, {"Location": "http://fastapi.internal:8001/api/items/"}, []),
        ({"Location": "/api/items/"}, {"Location": "http://evil.test/api/items/"}, ["location"]),
        (
            {"Link": '<http://django.internal:8000/i/?page=2&a=1>; rel="next"'},
            {"Link": "<http://fastapi.internal:8001/i/?a=1&page=2>; rel=next"},
            [],
        ),
        (
            {"Set-Cookie": 'a=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/'},
            {"Set-Cookie": "a=; expires=Sat, 21 Nov 2026 00:00:00 GMT; Max-Age=0; Path=/; SameSite=lax"},
            [],
        ),
        ({"Set-Cookie": "a=1; Secure"}, {"Set-Cookie": "a=1"}, ["a"]),
        ({"Set-Cookie": "a=1"}, {}, ["a"]),
        ({"Set-Cookie": "a=1; Max-Age=60"}, {"Set-Cookie": "a=1; Max-Age=0"}, ["a"]),
        ({"WWW-Authenticate": "Token"}, {"WWW-Authenticate": "APIKey"}, ["www-authenticate"]),
    ],
)
def test_headers(ours: dict[str, str], theirs: dict[str, str], expected: list[str], reply: Reply, judge_pair: Judge) -> None:
    judgement = judge_pair(reply({}, headers=ours), reply({}, headers=theirs))

    assert (judgement.verdict.value, judgement.paths) == ("mismatch" if expected else "match", expected)


@pytest.mark.parametrize(
    ("ours", "theirs", "presets", "expected"),
    [
        ("application/json", "application/json; charset=utf-8", (), "match"),
        ("text/csv", "text/csv; charset=utf-8", (), "mismatch"),
        ("text/csv", "text/csv; charset=utf-8", ("text-charset",), "tolerated"),
        ("text/csv", "text/csv; charset=latin-1", ("text-charset",), "mismatch"),
    ],
)
def test_media_types(ours: str, theirs: str, presets: tuple[str, ...], expected: str, reply: Reply, judge_pair: Judge) -> None:
    assert judge_pair(reply(b"1", kind=ours), reply(b"1", kind=theirs), presets=presets).verdict.value == expected


def test_media_type_of_empty_bodies_says_nothing(reply: Reply, judge_pair: Judge) -> None:
    assert judge_pair(reply(b"", 204, kind="text/html"), reply(b"", 204)).verdict.value == "match"


def test_codings_are_compared_decoded_and_vary_follows(reply: Reply, judge_pair: Judge) -> None:
    coded = reply(gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})

    assert judge_pair(coded, reply({"a": 1})).verdict.value == "match"


@pytest.mark.parametrize(
    ("a", "b", "presets", "expected"),
    [
        ("12.50", 12.5, (), "mismatch"),
        ("12.50", 12.5, ("decimal-string-number",), "tolerated"),
        ("0123", 123, ("decimal-string-number",), "mismatch"),
        ("1.10", "1.1", ("decimal-string-number",), "mismatch"),
        ("2024-01-16T05:30:00.123456-05:00", "2024-01-16T10:30:00.123456Z", ("datetime-instant",), "tolerated"),
        ("2024-01-16T05:30:00", "2024-01-16T05:30:00Z", ("datetime-instant",), "mismatch"),
        ("3 02:00:00.000500", "P3DT2H0.0005S", ("duration",), "tolerated"),
        ("P3DT04H05M06.000700S", 273906.0007, ("duration",), "tolerated"),
        ("5", 5, ("duration",), "mismatch"),
        ("2024-01-15T10:30:00", "2024-01-15T10:30:00Z", (), "mismatch"),
        (1000.0, 1000, (), "match"),
        (None, "", (), "mismatch"),
        ("padded", "  padded  ", (), "mismatch"),
        (200.0, "200.00", (), "mismatch"),
    ],
)
def test_values(a: Any, b: Any, presets: tuple[str, ...], expected: str, reply: Reply, judge_pair: Judge) -> None:
    assert judge_pair(reply({"v": a}), reply({"v": b}), presets=presets).verdict.value == expected


@pytest.mark.parametrize(
    ("method", "ours", "theirs", "presets", "expected"),
    [
        ("GET", 302, 307, ("redirect-family",), "tolerated"),
        ("POST", 302, 307, ("redirect-family",), "mismatch"),
        ("GET", 301, 307, ("redirect-family",), "mismatch"),
        ("HEAD", 301, 307, ("slash-redirect",), "tolerated"),
        ("POST", 301, 307, ("slash-redirect",), "mismatch"),
    ],
)
def test_redirects(
    method: str, ours: int, theirs: int, presets: tuple[str, ...], expected: str, reply: Reply, judge_pair: Judge
) -> None:
    where = {"Location": "/api/items/"}

    judgement = judge_pair(reply(b"", ours, where), reply(b"", theirs, where), method=method, presets=presets)

    assert judgement.verdict.value == expected


REQUIRED = ["This field is required."]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({"sku": REQUIRED, "name": REQUIRED}, [["missing", ["body"]]], ("tolerated", [])),
        ({"detail": "JSON parse error - Expecting value"}, [["json_invalid", ["body", 1]]], ("tolerated", [])),
        ({"non_field_errors": ["Invalid data."]}, [["model_attributes_type", ["body"]]], ("tolerated", [])),
        ({"lines": [{}, {"qty": ["x"]}]}, [["greater_than", ["body", "lines", 1, "qty"]]], ("tolerated", [])),
        ({"page": ["x"]}, [["int_parsing", ["query", "page"]]], ("tolerated", [])),
        ({"a": ["x"]}, [["missing", ["body", "a"]], ["missing", ["body", "b"]]], ("mismatch", ["$.b"])),
        ({"detail": "Invalid page."}, [["missing", ["body", "a"]]], ("mismatch", ["status"])),
    ],
)
def test_refused_fields(ours: Any, theirs: list[Any], expected: tuple[str, list[str]], reply: Reply, judge_pair: Judge) -> None:
    detail = {"detail": [{"type": kind, "loc": loc, "msg": "m"} for kind, loc in theirs]}

    judgement = judge_pair(reply(ours, 400), reply(detail, 422), presets=("drf-fastapi-errors",))

    assert (judgement.verdict.value, judgement.paths) == expected


def test_error_text_needs_an_error_status(reply: Reply, judge_pair: Judge) -> None:
    pair = {"detail": "No Item matches the given query."}, {"detail": "Item not found"}

    assert judge_pair(reply(pair[0], 404), reply(pair[1], 404), presets=("error-text",)).verdict.value == "tolerated"
    assert judge_pair(reply(pair[0]), reply(pair[1]), presets=("error-text",)).verdict.value == "mismatch"


def test_allow_is_django_headers_but_for_405(reply: Reply, judge_pair: Judge) -> None:
    ours, theirs = {"Allow": "GET, HEAD, OPTIONS"}, {"Allow": "GET"}

    assert judge_pair(reply({}, headers=ours), reply({}), presets=("django-headers",)).verdict.value == "tolerated"
    assert judge_pair(reply({}, 405, ours), reply({}, 405, theirs), presets=("django-headers",)).paths == ["allow"]
    assert (
        judge_pair(reply({}, 405, ours), reply({}, 405, theirs), presets=("allow-head-options",)).verdict.value == "tolerated"
    )


def test_a_lost_header_is_a_convention_and_a_changed_one_is_not(reply: Reply, judge_pair: Judge) -> None:
    ours, theirs = {"X-Frame-Options": "DENY"}, {"X-Frame-Options": "ALLOWALL"}

    assert judge_pair(reply({}, headers=ours), reply({}, headers=theirs), presets=("django-headers",)).paths == [
        "x-frame-options"
    ]


def test_a_status_that_differs_names_its_cause(reply: Reply, judge_pair: Judge) -> None:
    detail = {"detail": [{"type": "int_parsing", "loc": ["query", "page"], "msg": "m", "input": "secret"}]}

    (difference,) = judge_pair(reply({}, 200), reply(detail, 422)).differences

    assert difference.atom.types == "422:query.page=int_parsing"


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("<p>a</p>\n", "<p>a</p>", []),
        ('<a b="1" c="2">x</a>', "<a c='2' b=1>x</a>", []),
        ("<p>a</p>\n\n<p>b</p>", "<p>a</p><p>b</p>", []),
        ("<input name=csrfmiddlewaretoken value=a>", "<input name=csrfmiddlewaretoken value=b>", []),
        ("<textarea>a  b</textarea>", "<textarea>a b</textarea>", ["html:a  b"]),
        ('<a href="http://django.internal:8000/x">x</a>', '<a href="http://fastapi.internal:8001/x">x</a>', []),
        ("<p>Jan. 15, 2024</p>", "<p>2024-01-15</p>", ["html:Jan. 15, 2024"]),
    ],
)
def test_pages(ours: str, theirs: str, expected: list[str], reply: Reply, judge_pair: Judge) -> None:
    judgement = judge_pair(reply(ours.encode(), kind="text/html"), reply(theirs.encode(), kind="text/html"))

    assert (judgement.verdict.value, judgement.paths) == ("mismatch" if expected else "match", expected)


def test_a_cluster_of_a_page_holds_no_text_of_it(reply: Reply, judge_pair: Judge) -> None:
    one = judge_pair(reply(b"<p>Jane</p>", kind="text/html"), reply(b"<p>Joe</p>", kind="text/html"))
    other = judge_pair(reply(b"<p>Ada</p>", kind="text/html"), reply(b"<p>Max</p>", kind="text/html"))

    assert one.differences[0].atom == other.differences[0].atom


def test_identity_headers_are_dropped_on_both_sides() -> None:
    from datetime import date

    from differ.judge import judge
    from rules.load import EMPTY
    from traffic.message import Request

    answers = [Response(200, ((b"X-Build", build), (b"Content-Type", b"application/json")), b"{}") for build in (b"1", b"2")]
    judgement = judge(Request("GET", b"/"), "GET /", *answers, EMPTY, date(2026, 1, 1), identity_headers=frozenset({"x-build"}))

    assert judgement.verdict.value == "match"


def test_exact_carves_out_of_an_ignore(reply: Reply, judge_pair: Judge) -> None:
    rules = {"path": "$.a", "action": "ignore"}, {"path": "$.a.b", "action": "exact"}

    judgement = judge_pair(reply({"a": {"b": 1, "c": 1}}), reply({"a": {"b": 2, "c": 2}}), *rules)

    assert judgement.paths == ["$.a.b"]


def test_an_expired_rule_marks_what_it_no_longer_hides(reply: Reply, judge_pair: Judge) -> None:
    rule = {"id": "old", "path": "$.a", "action": "ignore", "expires": "2026-11-20"}

    assert judge_pair(reply({"a": 1}), reply({"a": 2}), rule).differences[0].note == "expired:old"


def test_a_mask_does_not_lose_a_constant_offset(reply: Reply, judge_pair: Judge) -> None:
    judgement = judge_pair(
        reply({"t": "2026-11-20T05:00:00Z"}), reply({"t": "2026-11-20T00:00:00Z"}), {"path": "$.t", "action": "ignore"}
    )

    assert judgement.reason == "rules[0] hides $.t: offset -5h"


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("repr:number", {"v": 1}, {"v": 1.0}),
        ("repr:datetime", {"v": "2024-01-15T10:30:00Z"}, {"v": "2024-01-15T10:30:00+00:00"}),
        ("repr:url", {"v": "http://django.internal:8000/x"}, {"v": "http://fastapi.internal:8001/x"}),
    ],
)
def test_a_representation_normaliser_can_be_switched_off(name: str, a: Any, b: Any, reply: Reply, judge_pair: Judge) -> None:
    assert judge_pair(reply(a), reply(b)).verdict.value == "match"
    assert judge_pair(reply(a), reply(b), class1={"disable": [name]}).paths == ["$.v"]


def test_many_hostile_headers_are_capped(reply: Reply, judge_pair: Judge) -> None:
    judgement = judge_pair(reply({}), reply({}, headers={f"x-{at}": "1" for at in range(500)}))

    assert (len(judgement.differences), judgement.truncated) == (50, True)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (b'{"a": 1, "b": [1, 2]}', b'{"b":[1,2],"a":1}', []),
        (b'{"a":[1,true]}', b'{"a":[1,1]}', ["$.a[*]"]),
        (b'{"a":[1,true,0]}', b'{"a":[true,1,0]}', ["$.a"]),
        (b'{"a":9223372036854775808}', b'{"a":9.223372036854776e18}', ["$.a"]),
        (b'{"a":1e400}', b'{"a":null}', ["$.a"]),
        (b'{"a":1,"a":1}', b'{"a":1}', ["$"]),
        (b'{"a":[{"b":1,"c":2},{"b":2}]}', b'{"a":[{"c":2,"b":1},{"b":3}]}', ["$.a[*].b"]),
    ],
)
def test_short_cuts_over_equal_parts_lose_nothing(
    ours: bytes, theirs: bytes, expected: list[str], reply: Reply, judge_pair: Judge
) -> None:
    assert judge_pair(reply(ours), reply(theirs)).paths == expected
