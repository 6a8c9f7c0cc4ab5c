"""Equality at the speed of C is exact: true is never 1, wherever the two stand."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from differ.equal import Equality, typed_equal

LEAVES = st.sampled_from([True, False, 0, 1, 1.0, None, "", "true", "1", "a,b", 'q"'])
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=12,
)


@st.composite
def related(draw: st.DrawFn) -> tuple[Any, Any]:
    """A document and a copy of which some parts are others."""
    one = draw(DOCUMENTS)
    other = copy.deepcopy(one)
    todo = [other]
    while todo:
        value = todo.pop()
        if isinstance(value, dict | list):
            for key in list(value) if isinstance(value, dict) else range(len(value)):
                if draw(st.integers(0, 3)) == 0:
                    value[key] = draw(LEAVES)
                todo.append(value[key])
    return one, other


def parts(a: Any, b: Any) -> list[tuple[Any, Any]]:
    """All pairs of values at the same place."""
    found = [(a, b)]
    if isinstance(a, dict) and isinstance(b, dict):
        for key in a.keys() & b.keys():
            found += parts(a[key], b[key])
    elif isinstance(a, list) and isinstance(b, list):
        for one, other in zip(a, b, strict=False):
            found += parts(one, other)
    return found


@settings(max_examples=300, deadline=None)
@given(pair=related())
def test_what_is_said_to_be_the_same_is(pair: tuple[Any, Any]) -> None:
    for one, other in parts(*pair):
        if Equality(fast=True).same(one, other):
            assert typed_equal(one, other)
