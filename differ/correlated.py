"""Refutes what `correlate` rules have learnt from one pair of documents where equal ids contradict it.

A one-to-one mapping that takes one id for another has no room for either of them to stand for itself. Equal ids are what the walk
passes over, so where something was learnt the documents are walked once more without its short cuts, to meet them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from differ.equal import Equality
from differ.explains import type_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from differ.walk import Walk


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


def refute(walk: Walk, primary: Any, candidate: Any, again: Callable[[Equality], Walk]) -> None:
    """Adds the pairs of the walk's findings that are no part of a one-to-one mapping as differences.

    `again` makes a walk of the same pair. Ids at places that another rule hides say nothing, and equal ids count against a rule
    only at its own places: one more rule must never add a mismatch.
    """
    learnt = walk.findings.correlated
    if not learnt:
        return
    closer = again(Apart())
    closer.closely = True
    closer.walk(primary, candidate, closer.start())
    met = closer.findings.met
    for rule, a, b, location in learnt:
        if walk.spelling.same(a, b):
            continue  # one id in two spellings, which an `exact` told apart
        if {(rule.id, type_name(a), a), (rule.id, type_name(b), b)} & met:
            walk.findings.add(location, "value", a, b, lambda: "not one to one")
