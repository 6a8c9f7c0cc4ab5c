"""Every sentence of the rule language, end to end: a rule file, two stored answers, `paritygate compare A B --rules F`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ACCOUNT = 'reason: "x", owner: y, permanent: true, decision: ADR-1'
NEXT_MONTH = 'reason: "x", owner: y, expires: 9999-12-31'


def message(status: int, headers: dict[str, str], body: Any) -> bytes:
    """A response as a file holds it; a body that is no text is JSON."""
    text = body if isinstance(body, str) else json.dumps(body)
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", text]).encode()


@pytest.fixture
def compared(tmp_path: Path, run):  # type: ignore[no-untyped-def]
    """Verdict, paths and what applied, of two answers (status, headers, body) under the rules of one file."""

    def compare(rules: str, ours: tuple[int, dict[str, str], Any], theirs: tuple[int, dict[str, str], Any], *options: str):  # type: ignore[no-untyped-def]
        for name, answer in (("a", ours), ("b", theirs)):
            (tmp_path / name).write_bytes(message(*answer))
        (tmp_path / "r.yaml").write_text(f"version: 1\n{rules}\n", encoding="utf-8")
        arguments = [str(tmp_path / "a"), str(tmp_path / "b"), "--rules", str(tmp_path / "r.yaml"), "--json", *options]
        _, out, err = run("compare", *arguments)
        assert out, err
        found = json.loads(out)
        return found["verdict"], found["paths"], found["tolerated"]

    return compare


JSON = {"Content-Type": "application/json"}
UUID = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
BODY_CASES = [
    # action and parameters, path, primary, candidate, whether it explains
    ("action: ignore", "$.v", {"v": 1}, {"v": [2]}, True),
    ("action: ignore", "$.v", {"v": 1}, {}, True),
    ("action: ignore", "$.v", {}, {"v": {"a": 1}}, True),
    ("action: ignore", "$.v", {"v": 1, "w": 1}, {"v": 2, "w": 2}, False),
    ("action: ignore", "$.v[*]", {"v": [1, 2]}, {"v": [3, 4]}, True),
    ("action: ignore", "$.v[*]", {"v": [1, 2]}, {"v": [3, 4, 5]}, False),
    ("action: normalise, as: datetime", "$.v", {"v": "2024-01-15 10:30:00Z"}, {"v": "2024-01-15T10:30:00+00:00"}, True),
    ("action: normalise, as: datetime", "$.v", {"v": "2024-01-15T10:30:00Z"}, {"v": "2024-01-15T10:30:01Z"}, False),
    ("action: normalise, as: datetime, truncate: ms", "$.v", {"v": "2024-01-15T10:30:00.123Z"}, {"v": "2024-01-15T10:30:00.123456Z"}, True),
    ("action: normalise, as: datetime, truncate: s", "$.v", {"v": "2024-01-15T10:30:00Z"}, {"v": "2024-01-15T10:30:00.9Z"}, True),
    ("action: normalise, as: datetime, any_offset: true", "$.v", {"v": "2024-01-15T05:30:00-05:00"}, {"v": "2024-01-15T10:30:00Z"}, True),
    ("action: normalise, as: datetime", "$.v", {"v": "2024-01-15T05:30:00-05:00"}, {"v": "2024-01-15T10:30:00Z"}, False),
    ("action: normalise, as: datetime, any_offset: true", "$.v", {"v": "2024-01-15T10:30:00"}, {"v": "2024-01-15T10:30:00Z"}, False),
    ("action: normalise, as: datetime, tol_s: 2", "$.v", {"v": "2024-01-15T10:30:00Z"}, {"v": "2024-01-15T10:30:02Z"}, True),
    ("action: normalise, as: datetime, tol_s: 2", "$.v", {"v": "2024-01-15T10:30:00Z"}, {"v": "2024-01-15T10:30:02.000001Z"}, False),
    ("action: normalise, as: date", "$.v", {"v": "2024-01-15"}, {"v": "2024-01-15T00:00:00Z"}, True),
    ("action: normalise, as: date", "$.v", {"v": "2024-01-15"}, {"v": "2024-01-15T01:00:00Z"}, False),
    ("action: normalise, as: decimal", "$.v", {"v": "12.50"}, {"v": 12.5}, True),
    ("action: normalise, as: decimal", "$.v", {"v": "1.10"}, {"v": "1.1"}, True),
    ("action: normalise, as: decimal", "$.v", {"v": "10.00"}, {"v": "1E+1"}, True),
    ("action: normalise, as: decimal", "$.v", {"v": "1.10"}, {"v": "1.11"}, False),
    ("action: normalise, as: duration", "$.v", {"v": "3 02:00:00.000500"}, {"v": "P3DT2H0.0005S"}, True),
    ("action: normalise, as: duration", "$.v", {"v": "-1 23:00:00"}, {"v": "-PT1H"}, True),
    ("action: normalise, as: duration", "$.v", {"v": "01:00:00"}, {"v": "PT61M"}, False),
    ("action: normalise, as: uuid", "$.v", {"v": UUID.replace("-", "").upper()}, {"v": UUID}, True),
    ("action: normalise, as: uuid", "$.v", {"v": UUID}, {"v": UUID[:-1] + "e"}, False),
    ("action: normalise, as: url", "$.v", {"v": "HTTP://A.test/%7Ex"}, {"v": "http://a.test:80/~x"}, True),
    ("action: normalise, as: url", "$.v", {"v": "http://a.test/x"}, {"v": "http://b.test/x"}, False),
    ("action: normalise, as: whitespace", "$.v", {"v": " a  b\n"}, {"v": "a b"}, True),
    ("action: normalise, as: whitespace", "$.v", {"v": "a b"}, {"v": "ab"}, False),
    ("action: normalise, as: strip", "$.v", {"v": " a "}, {"v": "a"}, True),
    ("action: normalise, as: strip", "$.v", {"v": "a  b"}, {"v": "a b"}, False),
    ("action: normalise, as: casefold", "$.v", {"v": "A@B.com"}, {"v": "a@b.com"}, True),
    ("action: normalise, as: casefold", "$.v", {"v": "A"}, {"v": "b"}, False),
    ("action: normalise, as: html", "$.v", {"v": "<p a=1 b='2'>x</p>"}, {"v": '<p b="2" a="1">x</p>\n'}, True),
    ("action: normalise, as: html", "$.v", {"v": "<p>x</p>"}, {"v": "<p>y</p>"}, False),
    ("action: normalise, as: json", "$.v", {"v": '{"a":1,"b":2}'}, {"v": '{"b": 2, "a": 1.0}'}, True),
    ("action: normalise, as: json", "$.v", {"v": '{"a":1}'}, {"v": '{"a":2}'}, False),
    ("action: normalise, as: json", "$.v", {"v": '{"a":"1"}'}, {"v": '{"a":1}'}, False),
    ("action: tolerance, abs: 0.1", "$.v", {"v": 1.0}, {"v": 1.1}, True),
    ("action: tolerance, abs: 0.1", "$.v", {"v": 1.0}, {"v": 1.11}, False),
    ("action: tolerance, abs: 0.1", "$.v", {"v": "1.0"}, {"v": "1.1"}, False),
    ("action: tolerance, abs: 1", "$.v", {"v": True}, {"v": 1}, False),
    ("action: tolerance, rel: 0.01", "$.v", {"v": 100}, {"v": 101}, True),
    ("action: tolerance, rel: 0.001", "$.v", {"v": 100}, {"v": 101}, False),
    ("action: tolerance, tol_s: 5", "$.v", {"v": "2024-01-15T10:30:00Z"}, {"v": "2024-01-15T10:30:05Z"}, True),
    ("action: tolerance, tol_s: 5", "$.v", {"v": "2024-01-15T10:30:00Z"}, {"v": "2024-01-15T10:30:06Z"}, False),
    ("action: type_only", "$.v", {"v": "a"}, {"v": "b"}, True),
    ("action: type_only", "$.v", {"v": "a"}, {"v": 1}, False),
    ("action: type_only", "$.v", {"v": "a"}, {}, False),
    ('action: type_only, types: [string, "null"]', "$.v", {"v": "a"}, {"v": "b"}, True),
    ('action: type_only, types: [string, "null"]', "$.v", {"v": 1}, {"v": 2}, False),
    ("action: type_only, types: [string, null]", "$.v", {"v": "a"}, {"v": "b"}, True),
    ("action: regex, pattern: '[0-9a-f]{8}'", "$.v", {"v": "0123abcd"}, {"v": "ffffffff"}, True),
    ("action: regex, pattern: '[0-9a-f]{8}'", "$.v", {"v": "0123abcd"}, {"v": "ffffffff0"}, False),
    ("action: regex, pattern: '[0-9]+'", "$.v", {"v": 1}, {"v": 2}, False),
    ("action: missing_is_null", "$.v", {"v": None}, {}, True),
    ("action: missing_is_null", "$.v", {}, {"v": None}, True),
    ("action: missing_is_null", "$.v", {"v": ""}, {}, False),
    ("action: missing_is_null", "$.v", {"v": None}, {"v": ""}, False),
    ("action: unordered", "$.v", {"v": [1, 2, 2]}, {"v": [2, 1, 2]}, True),
    ("action: unordered", "$.v", {"v": [1, 1, 2]}, {"v": [2, 1, 2]}, False),
    ("action: unordered", "$", [1, 2], [2, 1], True),
    ("action: keyed, by: id", "$.v", {"v": [{"id": 1}, {"id": 2}]}, {"v": [{"id": 2}, {"id": 1}]}, True),
    ("action: keyed, by: id", "$.v", {"v": [{"id": 1, "x": 1}, {"id": 2}]}, {"v": [{"id": 2}, {"id": 1, "x": 2}]}, False),
    ("action: keyed, by: [a, b]", "$.v", {"v": [{"a": 1, "b": 1}, {"a": 1, "b": 2}]}, {"v": [{"a": 1, "b": 2}, {"a": 1, "b": 1}]}, True),
    ("action: keyed, by: id, order: kept", "$.v", {"v": [{"id": 1}, {"id": 2}]}, {"v": [{"id": 2}, {"id": 1}]}, False),
    ("action: correlate, name: uid", "$.v[*]", {"v": ["a", "b", "a"]}, {"v": ["x", "y", "x"]}, True),
    ("action: correlate, name: uid", "$.v[*]", {"v": ["a", "b", "a"]}, {"v": ["x", "y", "z"]}, False),
    ("action: correlate, name: uid", "$.v[*]", {"v": ["a", "b"]}, {"v": ["x", "x"]}, False),
    ("action: ignore", "$.v[?@.k == 1].x", {"v": [{"k": 1, "x": 1}]}, {"v": [{"k": 1, "x": 2}]}, True),
    ("action: ignore", "$.v[?@.k == 1].x", {"v": [{"k": 2, "x": 1}]}, {"v": [{"k": 2, "x": 2}]}, False),
    ("action: ignore", "$.v[-1]", {"v": [1, 2]}, {"v": [1, 3]}, True),
    ("action: ignore", "$.v[1:].x", {"v": [{"x": 0}, {"x": 1}]}, {"v": [{"x": 0}, {"x": 2}]}, True),
    ("action: ignore", "$..v", {"a": {"v": 1}}, {"a": {"v": 2}}, True),
    ("action: ignore", "$['a.b']", {"a.b": 1}, {"a.b": 2}, True),
]  # fmt: skip


@pytest.mark.parametrize(("action", "path", "ours", "theirs", "explains"), BODY_CASES)
def test_body_actions(compared, action: str, path: str, ours: Any, theirs: Any, explains: bool) -> None:  # type: ignore[no-untyped-def]
    rule = f'rules:\n  - {{id: the-rule, path: "{path}", {action}, {ACCOUNT}}}'

    verdict, paths, tolerated = compared(rule, (200, JSON, ours), (200, JSON, theirs))

    assert verdict == ("tolerated" if explains else "mismatch")
    assert bool(paths) is not explains
    assert tolerated == ["the-rule"] or not explains


DAY, AT = "Fri, 20 Nov 2026 06:02:", "2026-11-20T06:02:"
OTHER_CASES = [
    ("'header:x-a', action: ignore", {"X-A": "1"}, {}, True),
    ("'header:X-A', action: present_only", {"x-a": "1"}, {"X-A": "2"}, True),
    ("'header:x-a', action: present_only", {"x-a": "1"}, {}, False),
    ("'header:x-a', action: type_only", {"x-a": "1"}, {"x-a": "2"}, True),
    ("'header:x-a', action: type_only", {"x-a": "1"}, {}, False),
    ("'header:x-a', action: regex, pattern: '[0-9]'", {"x-a": "1"}, {"x-a": "2"}, True),
    ("'header:x-a', action: regex, pattern: '[0-9]'", {"x-a": "1"}, {"x-a": "a"}, False),
    ("'header:x-a', action: tolerance, abs: 1", {"x-a": "59"}, {"x-a": "60"}, True),
    ("'header:x-a', action: tolerance, abs: 1", {"x-a": "59"}, {"x-a": "61"}, False),
    ("'header:last-modified', action: tolerance, tol_s: 5", {"Last-Modified": f"{DAY}03 GMT"}, {"last-modified": f"{DAY}08 GMT"}, True),
    ("'header:last-modified', action: tolerance, tol_s: 5", {"Last-Modified": f"{DAY}03 GMT"}, {"last-modified": f"{DAY}09 GMT"}, False),
    ("'header:x-at', action: tolerance, tol_s: 5", {"x-at": f"{AT}03Z"}, {"x-at": f"{AT}08Z"}, True),
    ("'header:x-at', action: tolerance, tol_s: 5", {"x-at": f"{AT}03Z"}, {"x-at": f"{AT}09Z"}, False),
    ("'header:x-at', action: normalise, as: datetime, tol_s: 5", {"x-at": f"{AT}03Z"}, {"x-at": f"{AT}08Z"}, True),
    ("'header:x-at', action: normalise, as: datetime, tol_s: 5", {"x-at": f"{DAY}03 GMT"}, {"x-at": f"{DAY}08 GMT"}, True),
    ("'header:x-at', action: normalise, as: datetime", {"x-at": f"{DAY}03 GMT"}, {"x-at": f"{DAY}04 GMT"}, False),
    ("'header:x-at', action: normalise, as: datetime, any_offset: true", {"x-at": f"{AT}03Z"}, {"x-at": "2026-11-20T07:02:03+01:00"}, True),
    ("'header:x-a', action: normalise, as: casefold", {"x-a": "Abc"}, {"x-a": "aBC"}, True),
    ("'header:x-a', action: normalise, as: decimal", {"x-a": "1.10"}, {"x-a": "1.1"}, True),
    ("'header:x-a', action: normalise, as: json", {"x-a": '{"a": 1}'}, {"x-a": '{"a":1}'}, True),
    ("'header:x-a', action: correlate, name: n", {"x-a": "abc"}, {"x-a": "xyz"}, True),
    ("'cookie:c', action: ignore", {"Set-Cookie": "c=1; Secure"}, {}, True),
    ("'cookie:c', action: present_only", {"Set-Cookie": "c=1; Secure"}, {"Set-Cookie": "c=2"}, True),
    ("'cookie:c', action: present_only", {"Set-Cookie": "c=1"}, {}, False),
    ("'cookie:c', action: type_only", {"Set-Cookie": "c=1; Path=/"}, {"Set-Cookie": "c=2; path=/"}, True),
    ("'cookie:c', action: type_only", {"Set-Cookie": "c=1; Path=/"}, {"Set-Cookie": "c=2; Path=/x"}, False),
    ("'cookie:c', action: regex, pattern: '[0-9]'", {"Set-Cookie": "c=1"}, {"Set-Cookie": "c=2"}, True),
    ("'cookie:c', action: normalise, as: casefold", {"Set-Cookie": "c=A"}, {"Set-Cookie": "c=a"}, True),
    ("'cookie:c', action: tolerance, tol_s: 5", {"Set-Cookie": f"c={AT}03Z"}, {"Set-Cookie": f"c={AT}05Z"}, True),
    ("'cookie:c', action: correlate, name: n", {"Set-Cookie": "c=1"}, {"Set-Cookie": "c=2"}, True),
    ("'cookie:C', action: ignore", {"Set-Cookie": "c=1"}, {}, False),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "ours", "theirs", "explains"), OTHER_CASES)
def test_header_and_cookie_actions(compared, rule: str, ours: Any, theirs: Any, explains: bool) -> None:  # type: ignore[no-untyped-def]
    verdict, _, tolerated = compared(
        f"rules:\n  - {{id: the-rule, target: {rule}, {ACCOUNT}}}", (200, {**JSON, **ours}, {}), (200, {**JSON, **theirs}, {})
    )

    assert verdict == ("tolerated" if explains else "mismatch")
    assert tolerated == (["the-rule"] if explains else [])


STATUS_CASES = [
    ("action: map, primary: 403, candidate: 401", 403, 401, "tolerated"),
    ("action: map, primary: 403, candidate: 401", 401, 403, "mismatch"),
    ("action: map, primary: [403, 404], candidate: [401, 422]", 404, 422, "tolerated"),
    ("action: map, primary: 403, candidate: 401, scope: {status: 4xx}", 403, 401, "tolerated"),
    ("action: map, primary: 403, candidate: 401, scope: {status: 401}", 403, 401, "mismatch"),
]


@pytest.mark.parametrize(("rule", "ours", "theirs", "verdict"), STATUS_CASES)
def test_status_maps_are_directional(compared, rule: str, ours: int, theirs: int, verdict: str) -> None:  # type: ignore[no-untyped-def]
    found = compared(f"rules:\n  - {{id: m, target: status, {rule}, {ACCOUNT}}}", (ours, JSON, {}), (theirs, JSON, {}))

    assert found[0] == verdict


def test_an_exact_of_a_status_cancels_a_broader_map(compared) -> None:  # type: ignore[no-untyped-def]
    rules = f"""rules:
  - {{id: m, target: status, action: map, primary: 403, candidate: 401, {ACCOUNT}}}
  - {{id: e, target: status, action: exact, scope: {{method: POST}}, {ACCOUNT}}}"""

    assert compared(rules, (403, JSON, {}), (401, JSON, {}))[0] == "tolerated"
    assert compared(rules, (403, JSON, {}), (401, JSON, {}), "--method", "POST")[0] == "mismatch"


SCOPES = [
    ("{method: [GET]}", True),
    ("{method: GET}", True),
    ("{method: [POST, PUT]}", False),
    ('{route: "/api/items/{id}/"}', True),
    ('{route: "/api/items/{anything}/"}', True),
    ('{route: "GET /api/items/{id}/"}', True),
    ('{route: "POST /api/items/{id}/"}', False),
    ('{route: "/api/items/"}', False),
    ("{status: 200}", True),
    ("{status: 2xx}", True),
    ('{status: ["4xx", 200]}', True),
    ("{status: [404, 5xx]}", False),
    ('{status: "!405"}', True),
    ('{status: ["!2xx"]}', False),
    ("{content_type: application/json}", True),
    ("{content_type: Application/JSON}", True),
    ('{content_type: "application/*"}', True),
    ("{content_type: text/plain}", False),
    ('{method: GET, route: "/api/items/{id}/", status: 2xx, content_type: application/json}', True),
    ("{}", True),
]


@pytest.mark.parametrize(("scope", "holds"), SCOPES)
def test_scopes(compared, scope: str, holds: bool) -> None:  # type: ignore[no-untyped-def]
    rule = f"rules:\n  - {{id: r, scope: {scope}, path: $.a, action: ignore, {ACCOUNT}}}"

    found = compared(rule, (200, JSON, {"a": 1}), (200, JSON, {"a": 2}), "--path", "/api/items/{id}/")

    assert found[0] == ("tolerated" if holds else "mismatch")


def test_a_rule_of_unrouted_holds_where_no_route_matches(compared) -> None:  # type: ignore[no-untyped-def]
    rule = f"rules:\n  - {{id: r, scope: {{route: unrouted}}, path: $.a, action: ignore, {ACCOUNT}}}"

    assert compared(rule, (404, JSON, {"a": 1}), (404, JSON, {"a": 2}), "--path", "__unrouted__")[0] == "tolerated"


@pytest.mark.parametrize("route", ["/", "/Products({id})/", "/$metadata", "/items:search", "/a/{path:path}", "/é/~b"])
def test_any_template_can_be_a_scope(compared, route: str) -> None:  # type: ignore[no-untyped-def]
    rule = f'rules:\n  - {{id: r, scope: {{route: "{route}"}}, path: $.a, action: ignore, {ACCOUNT}}}'

    assert compared(rule, (200, JSON, {"a": 1}), (200, JSON, {"a": 2}), "--path", route)[0] == "tolerated"


def test_exact_carves_out_of_an_ignore_and_of_representation(compared) -> None:  # type: ignore[no-untyped-def]
    rules = f"""rules:
  - {{id: i, path: $.a, action: ignore, {ACCOUNT}}}
  - {{id: e, path: $.a.b, action: exact, {ACCOUNT}}}"""

    assert compared(rules, (200, JSON, {"a": {"b": 1, "c": 1}}), (200, JSON, {"a": {"b": 1, "c": 2}}))[0] == "tolerated"
    assert compared(rules, (200, JSON, {"a": {"b": 1, "c": 1}}), (200, JSON, {"a": {"b": 2, "c": 2}}))[1] == ["$.a.b"]
    assert compared(rules, (200, JSON, {"a": {"b": 1}}), (200, JSON, {"a": {"b": 1.0}}))[1] == ["$.a.b"]
    assert compared(rules, (200, JSON, {"a": {"b": 1}}), (200, JSON, {}))[1] == ["$.a.b"]


def test_exact_below_a_type_only_carves_out_too(compared) -> None:  # type: ignore[no-untyped-def]
    type_only = f"""rules:
  - {{id: t, path: $.a, action: type_only, {ACCOUNT}}}
  - {{id: e, path: $.a.b, action: exact, {ACCOUNT}}}"""
    assert compared(type_only, (200, JSON, {"a": {"b": 1, "c": 1}}), (200, JSON, {"a": {"b": 1, "c": 2}}))[0] == "tolerated"
    assert compared(type_only, (200, JSON, {"a": {"b": 1, "c": 1}}), (200, JSON, {"a": {"b": 2, "c": 2}}))[1] == ["$.a.b"]


def test_exact_of_a_header_cancels_rules_and_representation(compared) -> None:  # type: ignore[no-untyped-def]
    rules = f"""rules:
  - {{id: i, target: "header:vary", action: ignore, {ACCOUNT}}}
  - {{id: e, target: "header:vary", action: exact, scope: {{status: 2xx}}, {ACCOUNT}}}"""

    assert compared(rules, (200, {**JSON, "Vary": "A, B"}, {}), (200, {**JSON, "Vary": "b, a"}, {}))[1] == ["vary"]


def test_an_expired_rule_explains_nothing_and_marks_what_comes_back(compared, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    rule = "rules:\n  - {id: old, path: $.a, action: ignore, reason: x, owner: y, expires: 2020-01-01}"

    assert compared(rule, (200, JSON, {"a": 1}), (200, JSON, {"a": 2}))[0] == "mismatch"
    _, out, _ = run("compare", str(tmp_path / "a"), str(tmp_path / "b"), "--rules", str(tmp_path / "r.yaml"), "--json")
    assert json.loads(out)["differences"][0]["note"] == "expired:old"


def test_an_unexpired_rule_explains(compared) -> None:  # type: ignore[no-untyped-def]
    rule = f"rules:\n  - {{id: r, path: $.a, action: ignore, max_rate: 0.05, ticket: MIG-1, why_not: none fits, {NEXT_MONTH}}}"

    assert compared(rule, (200, JSON, {"a": 1}), (200, JSON, {"a": 2})) == ("tolerated", [], ["r"])


def test_the_most_specific_of_several_rules_is_named(compared) -> None:  # type: ignore[no-untyped-def]
    rules = f"""rules:
  - {{id: broad, path: $..b, action: ignore, {ACCOUNT}}}
  - {{id: narrow, path: $.a.b, action: type_only, {ACCOUNT}}}"""

    assert compared(rules, (200, JSON, {"a": {"b": 1}}), (200, JSON, {"a": {"b": 2}})) == ("tolerated", [], ["narrow"])
    assert compared(rules, (200, JSON, {"a": {"b": 1}}), (200, JSON, {"a": {"b": "x"}})) == ("tolerated", [], ["broad"])


def test_settings_of_a_file_hold(compared) -> None:  # type: ignore[no-untyped-def]
    settings = """bases: {primary: ["https://api.example.com/"], candidate: "http://fastapi:8001"}
drop_query: [["page", "1"], ["offset", 0], "limit=10"]"""
    ours = {"next": "https://api.example.com/i?a=1", "n": 1}
    theirs = {"next": "http://fastapi:8001/i?page=1&a=1&limit=10", "n": 1.0}

    assert compared(settings, (200, JSON, ours), (200, JSON, theirs)) == ("tolerated", [], ["drop_query"])
    off = "class1: {disable: [repr:number]}"
    assert compared(f"{settings}\n{off}", (200, JSON, ours), (200, JSON, theirs))[1] == ["$.n"]
    assert compared("limits: {depth: 2}", (200, JSON, [[[[1]]]]), (200, JSON, [[[[2]]]]))[0] == "inconclusive"
    assert (
        compared("limits: {body: 1KiB}", (200, JSON, "[" + "1," * 999 + "1]"), (200, JSON, "[" + "1," * 999 + "2]"))[0]
        == "inconclusive"
    )
    ours, theirs = {"a": 1, "b": 1, "c": 1, "d": 2}, {"a": 2, "b": 2, "c": 2, "d": 2}
    assert len(compared("limits: {diffs: 2}", (200, JSON, ours), (200, JSON, theirs))[1]) == 2


def test_a_preset_of_a_file_holds_until_its_end(compared) -> None:  # type: ignore[no-untyped-def]
    pair = (200, JSON, {"v": "12.50"}), (200, JSON, {"v": 12.5})

    assert compared(f"presets:\n  - {{name: decimal-string-number, {ACCOUNT}}}", *pair)[2] == ["decimal-string-number"]
    over = "presets:\n  - {name: decimal-string-number, reason: x, owner: y, expires: 2020-01-01, ticket: T-1}"
    assert compared(over, *pair)[0] == "mismatch"


def test_rules_of_several_files_add_up(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "a").write_bytes(message(200, JSON, {"x": 1, "y": 1}))
    (tmp_path / "b").write_bytes(message(200, JSON, {"x": 2, "y": 2}))
    for name in ("x", "y"):
        (tmp_path / f"{name}.yaml").write_text(
            f"version: 1\nrules:\n  - {{id: {name}, path: $.{name}, action: ignore, {ACCOUNT}}}\n"
        )

    options = [part for name in ("x", "y") for part in ("--rules", str(tmp_path / f"{name}.yaml"))]
    _, out, _ = run("compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json", *options)

    assert json.loads(out)["tolerated"] == ["x", "y"]
