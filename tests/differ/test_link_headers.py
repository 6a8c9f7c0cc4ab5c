"""Link headers as targets with parameters, and URLs in normal form."""

from __future__ import annotations

import pytest

from differ.links import link_header, same_resource

NO_ADDRESS: tuple[tuple[tuple[str, ...], str], ...] = ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('</a>; rel="next", </b>; rel=prev', "</b>;rel=prev,</a>;rel=next"),
        ("</a>; rel=next; title=x", '</a>; Title="x"; REL="next"'),
        ("</a?x=1&y=2>; rel=next", "</a?y=2&x=1>; rel=next"),
    ],
)
def test_order_of_links_and_quotes_say_nothing(one: str, other: str) -> None:
    assert link_header(one, NO_ADDRESS) == link_header(other, NO_ADDRESS) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('</a>; title="x, y"', '</a>; title="x, z"'),
        ('</a>; title="x; y"', '</a>; title="x"; y'),
        ('</a>; rel="next prefetch"', "</a>; rel=next; prefetch"),
        ("</a>; rel=next; rel=prev", "</a>; rel=prev; rel=next"),
        ('</a>; title="a\\"b"', '</a>; title="ab"'),
    ],
)
def test_what_stands_inside_quotes_counts(one: str, other: str) -> None:
    assert link_header(one, NO_ADDRESS) != link_header(other, NO_ADDRESS)


@pytest.mark.parametrize("value", ["", ",", "</a> rubbish", "</a>; rel=next, </b", "a; rel=next", '</a>; title="x'])
def test_what_is_no_link_header_has_no_form(value: str) -> None:
    assert link_header(value, NO_ADDRESS) is None


@pytest.mark.parametrize("value", ["http://a.com/x\n", " http://a.com/x", "http://a.com/\tx", "http://a.com/x\0"])
def test_what_the_parser_would_take_away_makes_no_url(value: str) -> None:
    assert same_resource(value) is None


@pytest.mark.parametrize(
    ("one", "other"), [("http://a/?", "http://a/"), ("http://a/#", "http://a/"), ("http://a/?#b", "http://a/#b")]
)
def test_an_empty_query_or_fragment_is_not_none(one: str, other: str) -> None:
    assert same_resource(one) != same_resource(other)
