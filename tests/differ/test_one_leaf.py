"""Two texts are said to differ in one leaf only where they do, and a body that is read by that proof loses nothing."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from differ.equal import typed_equal
from differ.json_exact import Document, parse_both, parse_one
from differ.one_leaf import one_leaf
from rules.model import Limits

LEAVES = st.sampled_from(
    [True, False, 0, 1, 1.0, None, "", "true", "a,b", 'q"', "someone else", "\\u00e9", "E1", 1e300, 12345678901234567, "b"]
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["a", "b", "e1", "a b"]), inner, max_size=3)
    ),
    max_leaves=10,
)
PIECES = st.sampled_from(
    [b"", b"1", b"0", b"e5", b"x", b"true", b"false", b"9" * 20, b".5", b"a", b"b", b" ", b"-", b'"', b",", b"\\"]
)


@st.composite
def texts(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A JSON text, compact or spaced, and the same with a few bytes in one place exchanged."""
    document = draw(DOCUMENTS)
    text = orjson.dumps(document) if draw(st.booleans()) else json.dumps(document).encode()
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 4)))
    return text, text[:start] + draw(PIECES) + text[end:]


def leaves(value: Any, place: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {inner: leaf for key, item in items for inner, leaf in leaves(item, (*place, key)).items()}
    return {place: value}


@settings(max_examples=3_000, deadline=None)
@given(pair=texts())
def test_a_body_read_by_the_proof_is_what_the_exact_parser_reads(pair: tuple[bytes, bytes]) -> None:
    *documents, leaf = parse_both(*pair, Limits())
    for text, made in zip(pair, documents, strict=True):
        if isinstance(made, Document) and made.fast:
            exact = parse_one(text, Limits())
            assert not exact.duplicates
            assert json.dumps(exact.value, sort_keys=True, default=float) == json.dumps(made.value, sort_keys=True)
    if leaf is not None and all(isinstance(made, Document) and made.fast for made in documents):
        ours, theirs = (leaves(made.value) for made in documents)  # type: ignore[union-attr]
        differing = [place for place in ours.keys() & theirs.keys() if not typed_equal(ours[place], theirs[place])]
        assert len(differing) <= 1
        if leaf.holds_no_boolean(*pair):
            assert not any(isinstance(side[place], bool) for place in differing for side in (ours, theirs))


@pytest.mark.parametrize(
    ("a", "b", "one"),
    [
        (b'{"a":"x","b":true}', b'{"a":"y","b":true}', True),
        (b'{"a":0,"b":false}', b'{"b":0,"a":false}', False),
        (b"[1,1]", b"[1,1,1]", False),
        (b'["x"]', b'["x\\n"]', False),
        (b"[" + b"1," * 9_000 + b"2]", b"[" + b"1," * 9_000 + b"3]", True),
        (b"[2" + b",1" * 9_000 + b"]", b"[3" + b",1" * 9_000 + b"]", True),
    ],
)
def test_what_lies_between_may_structure_nothing(a: bytes, b: bytes, one: bool) -> None:
    assert (one_leaf(a, b) is not None) is one


def test_a_name_made_into_another_one_is_not_read_by_the_proof() -> None:
    _, other, _ = parse_both(b'{"a":1,"b":2}', b'{"a":1,"a":2}', Limits())

    assert isinstance(other, Document)
    assert other.duplicates
