"""Normalisers: what is in normal form stays as it is, and equal forms go together with equal values."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from differ.forms import canonical
from differ.html_markup import Token
from differ.html_tokens import tokens
from differ.links import Addresses, link, same_resource
from differ.moments import Moment, duration, moment
from differ.numbers import number_key, parse_fraction, same_number
from rules.actions import FORMS
from rules.model import Rule
from tests.differ.vocabulary import TEXTS

LAW = settings(max_examples=300, deadline=None)
SOME_TEXT = st.one_of(st.sampled_from(TEXTS), st.text(max_size=12), st.text(alphabet="aAß 1.0eE+-:TZ\t\u00a0", max_size=12))


def form_of(form: str, value: Any, **more: Any) -> tuple[object, ...] | None:
    return canonical(Rule("r", "body", "normalise", form=form, **more), value)


@LAW
@given(value=SOME_TEXT, form=st.sampled_from(["whitespace", "strip", "casefold", "uuid", "decimal", "date", "url"]))
def test_a_form_that_is_a_text_is_its_own_form(value: str, form: str) -> None:
    once = form_of(form, value)
    assume(once is not None and len(once) == 2 and isinstance(once[1], str) and not once[1].startswith("0x"))
    assert once is not None

    assert form_of(form, once[1]) == once


@LAW
@given(value=SOME_TEXT, form=st.sampled_from(FORMS))
def test_a_form_is_a_function_of_the_value_that_can_be_looked_up(value: str, form: str) -> None:
    once = form_of(form, value)

    assert once == form_of(form, str(value))
    assert hash(once) == hash(form_of(form, value))


# numbers

NUMBERS = st.one_of(
    st.integers(-(10**25), 10**25),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str).map(parse_fraction),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["1e400", "1E-400", "0e0", "-0.0", "1e22", "12.50", "1.0"]).map(parse_fraction),
)


@settings(max_examples=1_000, deadline=None)
@given(a=NUMBERS, b=NUMBERS, scale=st.integers(0, 3))
def test_numbers_with_one_key_are_the_same_number(a: Any, b: Any, scale: int) -> None:
    respelled = parse_fraction(f"{a}{'.' if isinstance(a, int) else ''}{'0' * scale}e0") if isinstance(a, int) else a

    for one, other in ((a, b), (a, respelled)):
        if number_key(one) == number_key(other):
            assert same_number(one, other)
        if type(one) is int and type(other) is int:
            assert (number_key(one) == number_key(other)) is (one == other)


@LAW
@given(a=st.integers(-(10**30), 10**30), zeros=st.integers(1, 4), exponent=st.booleans())
def test_an_integer_with_a_fraction_of_zeros_is_the_same_number(a: int, zeros: int, exponent: bool) -> None:
    other = parse_fraction(f"{a}.{'0' * zeros}{'e0' if exponent else ''}")
    exact = type(other) is not float or Fraction(repr(other)) == a

    assert same_number(a, other) is exact  # type: ignore[arg-type]
    assert not exact or number_key(a) == number_key(other)  # type: ignore[arg-type]


# datetimes and durations


def spelled(at: Moment) -> str:
    """A moment as text."""
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at.local)
    zone = "" if at.offset is None else f"{'-' if at.offset < 0 else '+'}{abs(at.offset) // 60:02}:{abs(at.offset) % 60:02}"
    return f"{local:%Y-%m-%d}{at.separator}{local:%H:%M:%S}{f'.{at.fraction}' if at.fraction else ''}{zone}"


DATETIMES = st.builds(
    lambda at, offset, separator, digits, short: (
        at.replace(tzinfo=None if offset is None else timezone(timedelta(minutes=offset)))
        .isoformat(separator, "seconds")
        .replace("+00:00", "Z" if short else "+00:00")
        .replace("Z", f".{digits}Z" if digits else "Z")
    ),
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2199, 1, 1)),
    st.one_of(st.none(), st.just(0), st.integers(-1_439, 1_439)),
    st.sampled_from("T "),
    st.one_of(st.just(""), st.text(alphabet="0123456789", min_size=1, max_size=12)),
    st.booleans(),
)


@LAW
@given(text=DATETIMES, unit=st.sampled_from(["", "ms", "s"]))
def test_a_datetime_in_its_own_form_is_the_same(text: str, unit: str) -> None:
    at = moment(text)
    assert at is not None
    cut = at.cut(unit)

    assert moment(spelled(at)) == at
    assert cut.cut(unit) == cut
    assert moment(spelled(cut)) == cut
    for more in ({}, {"any_offset": True}, {"truncate": unit}):
        assert form_of("datetime", spelled(cut), **more) == form_of("datetime", text, **{"truncate": unit, **more}) or unit


@LAW
@given(text=DATETIMES, minutes=st.integers(-1_439, 1_439))
def test_an_instant_is_one_in_every_zone_under_any_offset(text: str, minutes: int) -> None:
    at = moment(text)
    assume(at is not None and at.offset is not None)
    assert at is not None
    assert at.offset is not None
    moved = spelled(Moment(at.local + 60 * (minutes - at.offset), at.fraction, minutes, at.separator))

    assert form_of("datetime", moved, any_offset=True) == form_of("datetime", text, any_offset=True)
    assert (form_of("datetime", moved) == form_of("datetime", text)) is (minutes == at.offset)


@LAW
@given(seconds=st.integers(-(10**9), 10**9), micro=st.integers(0, 999_999))
def test_a_duration_is_the_same_in_both_spellings(seconds: int, micro: int) -> None:
    gap = timedelta(seconds=seconds, microseconds=micro)
    total = Decimal(seconds) + Decimal(micro) / 1_000_000
    days, rest = gap.days, gap.seconds
    clock = f"{rest // 3_600:02}:{rest // 60 % 60:02}:{rest % 60:02}.{gap.microseconds:06}"
    django = f"{days} {clock}" if days else clock
    iso = f"{'-' if total < 0 else ''}PT{abs(total):f}S"

    assert duration(django) == duration(iso) == total
    assert form_of("duration", django) == form_of("duration", iso)


# links

PARTS = st.sampled_from(["", "/", "/x", "/x/../y", "/%7Ex", "/~x", "/%c3%a9", "/%C3%A9", "/é", "/a b", "//", "/x;y=1"])
QUERIES = st.sampled_from(
    ["", "?", "?a=1&b=2", "?b=2&a=1", "?a=1&a=0", "?page=1", "?page=1&b=2", "?a=%20&b=+", "?&", "#f", "?a#?b"]
)
HOSTS = st.sampled_from(
    [
        *(
            "http://a.test",
            "HTTP://A.test:80",
            "https://a.test:443",
            "http://u:P@a.test",
            "http://a.test:8000",
            "ftp://a.test:21",
        ),
        *("http://django.internal:8000", "http://fastapi.internal:8001", "http://django.internal:80001", "http://[::1]:80"),
    ]
)
URLS = st.builds("".join, st.tuples(HOSTS, PARTS, QUERIES))
OWN = Addresses(("http://fastapi.internal:8001", "http://django.internal:8000"))


@LAW
@given(text=URLS)
def test_an_address_in_normal_form_is_its_own_form(text: str) -> None:
    once = same_resource(text)
    assume(once is not None)

    assert same_resource(once) == once


@LAW
@given(text=URLS, drop=st.sampled_from([(), (("page", "1"),)]))
def test_a_link_in_its_own_form_is_the_same(text: str, drop: tuple[tuple[str, str], ...]) -> None:
    once = link(text, OWN, drop)
    assume(once is not None)
    assert once is not None
    base = "http://fastapi.internal:8001" if once.base == "\0own" else once.base
    again = base + once.path + ("" if once.query is None else f"?{'&'.join(once.query)}") + once.fragment

    assert link(again, OWN, drop) == once


# pages

WORDS = st.sampled_from(["a", " ", "a b", "\n", "&amp;", "&lt;", "&#x27;", "é", "  c ", "\u00a0", '"'])
NAMES = st.sampled_from(
    ["p", "b", "span", "div", "li", "td", "textarea", "pre", "a", "img", "br", "input", "h1", "SVG", "button"]
)
ATTRIBUTES = st.sampled_from(
    ["", ' b="1"', " B='1' a=2", " hidden", ' href="/x?a=1&amp;b=2"', " type=hidden name=csrfmiddlewaretoken value=v"]
)
PAGES = st.lists(
    st.one_of(
        WORDS,
        st.builds(lambda name, attributes: f"<{name}{attributes}>", NAMES, ATTRIBUTES),
        st.builds(lambda name: f"</{name}>", NAMES.filter(lambda name: name not in ("img", "br", "input"))),
        st.sampled_from(
            ["<!-- c -->", "<!DOCTYPE html>", "<script>if (a < b) {}</script>", "<style> a  b </style>", "<title> t </title>"]
        ),
    ),
    max_size=10,
).map("".join)


def rendered(found: list[Token]) -> str:
    """A page with these tokens."""
    made, raw = [], False
    for token in found:
        if token.kind == "start":
            attributes = [f' {name}="{html.escape(text)}"' for name, text in token.attributes]
            made.append(f"<{token.name}{''.join(attributes)}>")
        elif token.kind == "end":
            made.append(f"</{token.name}>")
        elif token.kind == "text":
            made.append(token.name if raw else html.escape(token.name))
        else:
            opening, closing = {"comment": ("<!--", "-->"), "doctype": ("<!", ">"), "cdata": ("<![CDATA[", "]]>")}[token.kind]
            made.append(opening + token.name.removeprefix("!") + closing)
        raw = token.kind == "start" and token.name in ("script", "style")
    return "".join(made)


@settings(max_examples=600, deadline=None)
@given(page=PAGES, mask=st.booleans())
def test_a_page_in_its_own_form_is_the_same(page: str, mask: bool) -> None:
    once = list(tokens(page, mask_csrf=mask))

    assert [token.key for token in tokens(rendered(once), mask_csrf=mask)] == [token.key for token in once]


@pytest.mark.parametrize("form", FORMS)
def test_a_form_knows_something_and_not_everything(form: str) -> None:
    known = [text for text in (*TEXTS, 1, 1.5) if form_of(form, text) is not None]

    assert 0 < len(known) < len(TEXTS) + 2
