"""The largest matching of two lists, by classes of equal elements, against every matching there is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from differ.matching import classes, matched

SIDES = st.lists(st.integers(0, 3), max_size=5)


def largest(a: list[int], b: list[int], fits: Callable[[int, int], bool]) -> int:
    """By trying each order of the longer list."""
    if len(a) > len(b):
        return largest(b, a, lambda i, j: fits(j, i))
    return max(sum(fits(x, y) for x, y in zip(a, order, strict=False)) for order in permutations(b)) if b else 0


@settings(max_examples=300, deadline=None)
@given(a=SIDES, b=SIDES, edges=st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3))))
def test_no_matching_is_larger(a: list[int], b: list[int], edges: set[tuple[int, int]]) -> None:
    ones, others = classes(range(len(a)), a.__getitem__, 4), classes(range(len(b)), b.__getitem__, 4)
    assert ones is not None
    assert others is not None
    pairs = matched(ones, others, lambda i, j: (a[i], b[j]) in edges)

    assert all((a[i], b[j]) in edges for i, j in pairs.items())
    assert len(set(pairs.values())) == len(pairs) == largest(a, b, lambda x, y: (x, y) in edges)


def test_a_long_list_of_few_kinds_is_asked_about_once_a_kind() -> None:
    asked = []

    def fits(i: int, j: int) -> bool:
        asked.append((i, j))
        return True

    ones, others = (classes(range(10_000), lambda at, n=n: at % n, 4) for n in (3, 4))  # type: ignore[misc]

    assert ones is not None
    assert others is not None
    assert len(matched(ones, others, fits)) == 10_000
    assert len(asked) == 12


def test_too_many_kinds_are_no_classes() -> None:
    assert classes(range(5), lambda at: at, 4) is None
