"""How the places of two paths lie to each other, whatever the document. A dynamic selector (filter, slice) may select anything.

Both walks go through the keys that the paths name and one stand-in for all others: what holds for it holds for every other key.
"""

from __future__ import annotations

from collections.abc import Callable

from rules.automaton import Key, selects
from rules.jsonpath import Dynamic, Path, Step

MAX_STATES = 2_000
"""Pairs of positions that are looked at; beyond it the answer is the careful one: may meet, does not cover."""
Spend = Callable[[int], None]
"""Is told of the work that is done, and may end it by raising."""
_OTHER_NAME = "\0other"
_OTHER_INDEX = 1 << 60


def _free(cost: int) -> None:
    """Work that nobody counts."""


def paths_meet(one: Path, other: Path, *, below: bool = False, spend: Spend = _free) -> bool:
    """Whether some place may be selected by both; with `below`, also whether one that `other` selects may lie under one of `one`."""
    if not below and _ends_apart(one, other):
        return False
    start = (0, 0, False)
    seen, todo = {start}, [start]
    while todo:
        if len(seen) > MAX_STATES:
            return True
        at, other_at, under = todo.pop()
        under = under or (below and at == len(one.steps))
        if other_at == len(other.steps):
            if under or at == len(one.steps):
                return True
            continue
        keys = _keys(one.steps[at : at + 1], other.steps[other_at : other_at + 1])
        spend(len(keys))
        for key in keys:
            ours = {at} if under else _after(one, at, key)
            for state in ((ours_at, after, under) for ours_at in ours for after in _after(other, other_at, key)):
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
    return False


def path_covers(outer: Path, inner: Path, *, below: bool = False, spend: Spend = _free) -> bool:
    """Whether every place that `inner` selects is selected by `outer`, or, with `below`, lies under a place that is."""
    if outer.dynamic:
        return outer == inner
    if not below and _ends_apart(outer, inner):
        return False
    start = (0, frozenset({0}), False)
    seen, todo = {start}, [start]
    while todo:
        if len(seen) > MAX_STATES:
            return False
        at, outers, under = todo.pop()
        here = len(outer.steps) in outers
        if at == len(inner.steps):
            if not here and not under:
                return False
            continue
        under = under or (below and here)
        steps = tuple(outer.steps[position] for position in outers if position < len(outer.steps))
        keys = _keys(inner.steps[at : at + 1], steps)
        spend(len(keys) * (1 + len(steps)))
        for key in keys:
            following = _after(inner, at, key)
            reached = frozenset(position for before in outers for position in _after(outer, before, key))
            if following and not reached and not under:
                return False  # whatever comes next is not covered
            for after in following:
                state = (after, reached, under)
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
    return True


def _ends_apart(one: Path, other: Path) -> bool:
    """A quick no: the last steps name nothing in common."""
    if not one.steps or not other.steps:
        return False
    ends = [path.steps[-1].selectors for path in (one, other)]
    named = all(isinstance(selector, str | int) for end in ends for selector in end)
    return named and not any(selects(selector, key) for selector in ends[0] for key in ends[1] if isinstance(key, str | int))


def _keys(*groups: tuple[Step, ...]) -> set[Key]:
    """Every name and index of the steps, and one of each kind that none of them has."""
    named = (selector for steps in groups for step in steps for selector in step.selectors)
    return {_OTHER_NAME, _OTHER_INDEX, *(selector for selector in named if isinstance(selector, str | int))}


def _after(path: Path, at: int, key: Key) -> set[int]:
    if at == len(path.steps):
        return set()
    step = path.steps[at]
    after = {at} if step.descendant else set()
    if any(isinstance(selector, Dynamic) or selects(selector, key) for selector in step.selectors):
        after.add(at + 1)
    return after
