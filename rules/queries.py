"""What an RFC 9535 path says: its segments, their selectors and the logic of its filters. Facts alone."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

Scalar = str | int | float | Decimal | bool | None


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`*`: every member of an object and every element of an array."""


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A filter, slice or negative index: what it selects depends on the document."""


@dataclass(frozen=True, slots=True)
class FromEnd(Dynamic):
    """A negative index: -1 is the last element."""

    index: int


@dataclass(frozen=True, slots=True)
class Slice(Dynamic):
    """`start:end:step` over an array."""

    start: int | None
    end: int | None
    step: int | None


@dataclass(frozen=True, slots=True)
class Filter(Dynamic):
    """`?test`. `cost` is what asking one child takes at most, queries that may select many nodes not counted."""

    test: Logical
    cost: int


Selector = str | int | Wildcard | Dynamic
"""A member's name, an index from 0, or one of the others."""


@dataclass(frozen=True, slots=True)
class Step:
    """One segment: its selectors, and whether it descends (`..`)."""

    selectors: tuple[Selector, ...]
    descendant: bool = False


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the path."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Query:
    """A query inside a filter. `keys` are its names and indices where it is a singular query, else None."""

    absolute: bool
    steps: tuple[Step, ...]
    keys: tuple[str | int, ...] | None


@dataclass(frozen=True, slots=True)
class Call:
    """A function with well-typed arguments."""

    name: str
    arguments: tuple[Operand, ...]


Operand = Literal | Query | Call


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values and one of `== != < <= > >=`."""

    left: Operand
    operator: str
    right: Operand


@dataclass(frozen=True, slots=True)
class Test:
    """Whether a query selects anything, or whether a function says yes."""

    operand: Query | Call


@dataclass(frozen=True, slots=True)
class Not:
    """`!`"""

    inner: Logical


@dataclass(frozen=True, slots=True)
class AllOf:
    """`&&`"""

    parts: tuple[Logical, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`||`"""

    parts: tuple[Logical, ...]


Logical = Comparison | Test | Not | AllOf | AnyOf


def cost_of(expression: Logical | Operand) -> int:
    """The steps of evaluating an expression once; what its queries of many nodes visit is not in it."""
    if isinstance(expression, Literal):
        return 1
    if isinstance(expression, Query):
        return 1 + len(expression.keys if expression.keys is not None else expression.steps)
    if isinstance(expression, Comparison):
        return 1 + cost_of(expression.left) + cost_of(expression.right)
    if isinstance(expression, Test):
        return cost_of(expression.operand)
    if isinstance(expression, Not):
        return 1 + cost_of(expression.inner)
    parts: tuple[Logical | Operand, ...] = expression.arguments if isinstance(expression, Call) else expression.parts
    return 1 + sum(map(cost_of, parts))
