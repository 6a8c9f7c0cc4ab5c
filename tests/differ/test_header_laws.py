"""The laws of judging headers and cookies: reflexive, symmetric, monotone in the rules, blind to order and letter case."""

from __future__ import annotations

import random
from datetime import date
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from differ.cookies import parse_cookie
from differ.facts import Judgement
from differ.headers import media_form
from differ.judge import judge
from rules.errors import RuleError
from rules.load import rules_from_case
from traffic.message import Headers, Request, Response

TODAY = date(2026, 11, 21)
LAW = settings(max_examples=200, deadline=None)
BASES = {"primary": ["http://django.internal:8000"], "candidate": ["http://fastapi.internal:8001"]}
VALUES = {
    "Vary": ["Accept, Cookie", "cookie,accept", "Cookie", "*", "", "Accept-Encoding, Cookie", "accept-encoding"],
    "Cache-Control": [
        "max-age=60, private",
        "private,max-age = 60",
        "no-store",
        'private="a,b"',
        'PRIVATE="a,b"',
        "max-age=61",
    ],
    "Allow": ["GET, HEAD, OPTIONS", "GET", "OPTIONS,GET,HEAD", "get"],
    "Content-Type": [
        *("application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", "application/problem+json"),
        *("text/plain", "text/plain; charset=utf-8", "text/csv;charset=latin-1", "multipart/mixed; boundary=a", ""),
    ],
    "Content-Disposition": ["attachment; filename*=utf-8''a", "attachment; filename*=UTF-8''a", "inline"],
    "Location": [
        *("/x", "http://django.internal:8000/x", "http://fastapi.internal:8001/x", "http://other.test/x", "https://api.test/x"),
        *("/x?a=1&b=2", "/x?b=2&a=1", "/x?page=1", "//x", "x", "http://django.internal:8000.evil/x"),
    ],
    "Link": ['</x>; rel="next"', "<http://django.internal:8000/x>; rel=next", "<http://other.test/x>; rel=next", "<", "a"],
    "ETag": ['"a"', 'W/"a"', "1", "1.0", "2", ""],
    "Last-Modified": ["Fri, 20 Nov 2026 06:02:03 GMT", "Fri, 20 Nov 2026 06:02:05 GMT", "yesterday", ""],
    "X-Request-Id": ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "a", " a", "A", "\xe9"],
    "Server": ["gunicorn", "uvicorn"],
    "Set-Cookie": [
        *(
            "a=1; Path=/; HttpOnly",
            "a=1;httponly;path=/",
            "a=2; Path=/; HttpOnly",
            "a=1; Path=/x",
            'a=""; Max-Age=0; Path=/',
            "a",
        ),
        *(
            "a=; expires=Thu, 01 Jan 1970 00:00:00 GMT; path=/",
            "b=1; SameSite=Lax",
            "b=1; samesite=lax",
            "b=; Max-Age=-1",
            "=x",
        ),
        *(
            "b=1; expires=Fri, 20 Nov 2027 06:02:03 GMT; Max-Age=60",
            "b=1; max-age=60",
            "a=1; Domain=X.test",
            "a=1; domain=x.TEST",
        ),
    ],
}
VALUE_ACTIONS: list[dict[str, Any]] = [
    *({"action": action} for action in ("ignore", "present_only", "type_only")),
    *({"action": "normalise", "as": form} for form in ("strip", "casefold", "uuid", "decimal", "datetime", "html", "url")),
    {"action": "regex", "pattern": "[a-z0-9-]*"},
    {"action": "regex", "pattern": ".*"},
    {"action": "tolerance", "abs": 1, "tol_s": 3},
    {"action": "tolerance", "abs": 1},
    {"action": "tolerance", "tol_s": 3},
    {"action": "correlate", "name": "x"},
]
TARGETS = [*(f"header:{name}" for name in VALUES if name not in ("Server", "Set-Cookie")), "cookie:a", "cookie:b"]


def lines() -> st.SearchStrategy[list[tuple[str, str]]]:
    """Header lines; a name may stand on several of them."""
    line = st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(VALUES[name])))
    return st.lists(line, max_size=6)


def loads(target: str, entry: dict[str, Any]) -> bool:
    """Whether the rule language has such a rule: not every action takes every target."""
    try:
        rules_from_case({"rules": [{"target": target, **entry}]})
    except RuleError:
        return False
    return True


RULE = st.sampled_from([(target, entry) for target, entry in product(TARGETS, VALUE_ACTIONS) if loads(target, entry)])
RULES = st.lists(RULE, max_size=4)
PRESETS = st.lists(
    st.sampled_from(["django-headers", "text-charset", "conditional-headers", "allow-head-options"]), unique=True, max_size=2
)
REQUEST = st.sampled_from(
    [
        Request("GET", b"/x"),
        Request("HEAD", b"/x"),
        Request("GET", b"/x", ((b"Host", b"api.test"), (b"X-Forwarded-Proto", b"https"))),
        Request("GET", b"/x", ((b"Host", b"django.internal:8000"), (b"X-Forwarded-Proto", b"http"))),
    ]
)
OFF = st.sampled_from([[], ["header:token-set"], ["header:media-type", "cookie:attributes"], ["repr:url"]])


def raw(found: list[tuple[str, str]]) -> Headers:
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in found)


def judged(
    request: Request,
    sides: list[Headers],
    rules: list[tuple[str, dict[str, Any]]],
    presets: list[str],
    off: list[str],
    bases: dict[str, list[str]] = BASES,
) -> Judgement:
    """The judgement of two answers that differ in headers alone."""
    document = {
        "rules": [{"id": f"r{at}", "target": target, **entry} for at, (target, entry) in enumerate(rules)],
        "presets": presets,
        "settings": {"bases": bases, "class1": {"disable": off}, "drop_query": [["page", "1"]]},
    }
    answers = [Response(200, headers, b"{}") for headers in sides]
    return judge(request, "GET /x", answers[0], answers[1], rules_from_case(document), TODAY)


@LAW
@given(one=lines(), rules=RULES, presets=PRESETS, request_=REQUEST, off=OFF, seed=st.integers(0, 999))
def test_headers_match_themselves_in_any_letter_case_of_names(
    one: list[tuple[str, str]], rules: Any, presets: list[str], request_: Request, off: list[str], seed: int
) -> None:
    source = random.Random(seed)
    other = [("".join(source.choice((c.lower(), c.upper())) for c in name), value) for name, value in one]

    assert judged(request_, [raw(one), raw(other)], rules, presets, off).verdict.value == "match"


@LAW
@given(one=lines(), other=lines(), rules=RULES, request_=REQUEST, off=OFF)
def test_sides_are_judged_alike(one: Any, other: Any, rules: Any, request_: Request, off: list[str]) -> None:
    """Presets have a direction, header and cookie rules none. A backend's own address belongs to its side."""
    sides = [raw(one), raw(other)]
    turned = {"primary": BASES["candidate"], "candidate": BASES["primary"]}
    forth, back = judged(request_, sides, rules, [], off), judged(request_, sides[::-1], rules, [], off, turned)

    assert (forth.verdict, forth.paths) == (back.verdict, back.paths)


@settings(max_examples=400, deadline=None)
@given(
    one=lines(),
    other=lines(),
    rules=RULES,
    presets=PRESETS,
    request_=REQUEST,
    off=OFF,
    extra=RULE,
)
def test_one_more_rule_never_adds_a_difference(
    one: Any, other: Any, rules: Any, presets: list[str], request_: Request, off: list[str], extra: Any
) -> None:
    sides = [raw(one), raw(other)]
    before, after = judged(request_, sides, rules, presets, off), judged(request_, sides, [*rules, extra], presets, off)

    assert set(after.paths) <= set(before.paths)
    assert set(before.paths) - set(after.paths) <= {extra[0].partition(":")[2].lower()}
    assert before.verdict.value != "match" or after.verdict.value == "match"


@LAW
@given(one=lines(), other=lines(), rules=RULES, presets=PRESETS, request_=REQUEST, target=st.sampled_from(TARGETS))
def test_exact_brings_back_every_difference_of_its_header_and_no_other(
    one: Any, other: Any, rules: Any, presets: list[str], request_: Request, target: str
) -> None:
    """Rules of the same target are as specific as the `exact` and stay; narrower ones of presets go."""
    rules = [rule for rule in rules if rule[0] != target]
    sides = [raw(one), raw(other)]
    name = target.partition(":")[2].lower()
    before = judged(request_, sides, rules, presets, [])
    after = judged(request_, sides, [*rules, (target, {"action": "exact"})], presets, [])

    assert set(after.paths) - {name} == set(before.paths) - {name}
    assert name not in before.paths or name in after.paths
    if target.startswith("header:") and name != "content-type":
        values = [[value for key, value in side if key.lower() == name] for side in (one, other)]
        different = [", ".join(value.strip() for value in side) if side else None for side in values]
        assert (name in after.paths) is (different[0] != different[1])


@LAW
@given(one=lines(), other=lines(), rules=RULES, presets=PRESETS, data=st.data())
def test_order_of_rules_and_of_different_headers_says_nothing(
    one: Any, other: Any, rules: Any, presets: list[str], data: st.DataObject
) -> None:
    """Lines of one name stay in their order: `rules` are named by their own order, which a report shows."""
    sides = [raw(one), raw(other)]
    mixed = [tuple(sorted(side, key=lambda line: line[0].lower())) for side in sides]
    forth = judged(Request("GET", b"/x"), sides, rules, presets, [])

    assert forth == judged(Request("GET", b"/x"), mixed, rules, presets, [])
    turned = judged(Request("GET", b"/x"), sides, data.draw(st.permutations(rules)), data.draw(st.permutations(presets)), [])
    assert (forth.verdict, forth.paths) == (turned.verdict, turned.paths)


@LAW
@given(one=lines(), other=lines(), rules=RULES, extra=RULE)
def test_an_expired_rule_is_none_but_for_notes(one: Any, other: Any, rules: Any, extra: Any) -> None:
    sides = [raw(one), raw(other)]
    late = (extra[0], {**extra[1], "expires": "2026-11-20"})
    before, after = (judged(Request("GET", b"/x"), sides, found, [], []) for found in (rules, [*rules, late]))

    assert (before.verdict, before.paths, before.tolerated) == (after.verdict, after.paths, after.tolerated)


# normalisers twice


@pytest.mark.parametrize("value", [*VALUES["Content-Type"], "a/b; C=D; e = f ; g", "; x=1", 'text/html;charset="UTF-8"'])
def test_a_media_type_in_its_own_form_is_the_same(value: str) -> None:
    kind, parameters = media_form(value)
    again = "; ".join([str(kind), *(f"{name}={text}" for name, text in parameters)])  # type: ignore[attr-defined]

    assert media_form(again) == media_form(value)


ATTRIBUTES = st.lists(
    st.sampled_from(
        [
            *(
                "Path=/",
                " path = /a",
                "HttpOnly",
                "secure",
                "SameSite=Lax",
                "Max-Age=60",
                "max-age=0",
                "Max-Age=x",
                "Max-Age=",
                "",
                "=",
            ),
            *(
                "expires=Thu, 01 Jan 1970 00:00:00 GMT",
                "Expires=Fri, 20 Nov 2027 06:02:03 GMT",
                "Domain=A.test",
                "Priority=HIGH",
                "x=1",
            ),
        ]
    ),
    max_size=5,
)


@LAW
@given(pair=st.sampled_from(["a=1", "a=", "a", "=b", "", " a = b ", "a=b=c"]), attributes=ATTRIBUTES)
def test_a_cookie_in_its_own_form_is_the_same(pair: str, attributes: list[str]) -> None:
    once = parse_cookie(";".join([pair, *attributes]), TODAY)
    nameless = any(key == "(no name)" for key, _ in once.attributes)
    kept = [(key, text) for key, text in once.attributes if "(no n" not in key]
    if once.deleted:
        kept.append(("max-age", "0"))
    again = f"{once.name}{'' if nameless else '='}{once.value}" + "".join(f"; {key}={text}" for key, text in kept)
    twice = parse_cookie(again, TODAY)

    assert (twice.name, twice.value, twice.deleted) == (once.name, once.value, once.deleted)
    known = [(key, text) for key, text in twice.attributes if key != "expires" and "(no n" not in key]
    assert known == [(key, text) for key, text in kept if key != "expires" and not (once.deleted and key == "max-age")]
