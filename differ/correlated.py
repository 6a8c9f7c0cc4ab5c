"""Refutes what `correlate` rules have learnt from one pair of documents where equal ids contradict it.

A one-to-one mapping that takes one id for another has no room for either of them to stand for itself. Equal ids are what the walk
passes over, so where something was learnt the documents are walked once more without its short cuts, to meet them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from differ.budget import NodesSpent
from differ.equal import Equality
from differ.explains import type_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from differ.walk import Walk
    from rules.jsonpath import Location
    from rules.model import Rule

Pair = tuple["Rule", Any, Any, "Location"]
"""Two ids that a rule took for one, and where."""
Id = tuple[str, str, Any]
"""The id of a rule, and the type and value of an id that it must not take for another."""


class Apart(Equality):
    """Holds no two values for equal, so that a walk goes down to every pair of leaves."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(fast=False)

    def same(self, a: Any, b: Any, depth: int = 0) -> bool:
        """False: a closer look is needed."""
        return False

    def unequal(self, a: list[Any], b: list[Any], depth: int) -> list[int]:
        """All positions."""
        return list(range(len(a)))


def settled(walk: Walk, primary: Any, candidate: Any, again: Callable[[Equality | None], Walk]) -> Walk:
    """Walks two documents and gives the walk whose findings hold; `again` makes another one of the same pair.

    Where rules leave the order of a list free, what its elements teach hangs on how they are paired. So where a pairing explains
    everything and is refuted, others are tried: what stands first stays first even if that teaches something, then without the
    pairs that were refuted. Only if none of them explains everything, what the first one taught wrongly is a difference.
    Raises NodesSpent from the first walk and its refutation only.
    """
    mark = walk.correlations.mark
    walk.walk(primary, candidate, walk.start())
    wrong, selves = _refuted(walk, primary, candidate, again)
    if wrong and walk.findings.clean:
        other = _other(selves, mark, primary, candidate, again)
        if other is not None:
            return other
        walk.correlations.back_to(mark)
    for _, a, b, location in wrong:
        walk.findings.add(location, "value", a, b, lambda: "not one to one")
    return walk


def _other(
    selves: frozenset[Id], mark: int, primary: Any, candidate: Any, again: Callable[[Equality | None], Walk]
) -> Walk | None:
    """A walk that pairs otherwise, explains everything and is not refuted; None where three attempts or the budget find none.

    `selves` are the ids that stand for themselves where the first walk took them for others.
    """
    try:
        for hasty in (True, False, False):
            walk = again(None)
            walk.correlations.back_to(mark)
            walk.hasty, walk.refused = hasty, frozenset() if hasty else selves
            walk.walk(primary, candidate, walk.start())
            if not walk.findings.clean:
                continue
            wrong, more = _refuted(walk, primary, candidate, again)
            if not wrong:
                return walk
            selves |= more
    except NodesSpent:
        pass  # a mismatch, as the first walk has it
    return None


def _refuted(
    walk: Walk, primary: Any, candidate: Any, again: Callable[[Equality | None], Walk]
) -> tuple[list[Pair], frozenset[Id]]:
    """The pairs that a walk has learnt and that are no part of a one-to-one mapping, and the ids of them that stand for themselves.

    Ids at places that another rule hides say nothing, and equal ids count against a rule only at its own places: one more rule
    must never add a mismatch.
    """
    learnt = walk.findings.correlated
    if not learnt:
        return [], frozenset()
    closer = again(Apart())
    closer.closely, closer.hasty, closer.refused = True, walk.hasty, walk.refused
    closer.walk(primary, candidate, closer.start())
    wrong: list[Pair] = []
    selves: set[Id] = set()
    for rule, a, b, location in learnt:
        against = {(rule.id, type_name(a), a), (rule.id, type_name(b), b)} & closer.findings.met
        if against and not walk.spelling.same(a, b):  # else one id in two spellings, which an `exact` told apart
            wrong.append((rule, a, b, location))
            selves |= against
    return wrong, frozenset(selves)
