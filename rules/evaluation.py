"""Evaluates an RFC 9535 path over a hostile document: no step of the work is left unpaid.

Every loop here pays `spend` for its rounds before it runs, and a comparison or a pattern for the length of its texts. So the time
is at most a constant times what was paid, whatever path and document do to one another, and whoever gives `spend` a bound bounds
the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

from rules.queries import (
    AllOf,
    Call,
    Comparison,
    Filter,
    FromEnd,
    Literal,
    Logical,
    Not,
    Operand,
    Query,
    Selector,
    Slice,
    Step,
    Test,
    Wildcard,
)
from rules.regexes import iregexp_matches

Location = tuple[str | int, ...]
Spend = Callable[[int], None]
Trail = tuple[Any, str | int] | None
"""The way from the root to a node, last key first: `((None, 'a'), 0)` is `$.a[0]`."""

NOTHING: Any = object()
"""The RFC's Nothing: no value at all."""
_CONTAINERS = (dict, list)
_NUMBERS = (int, float, Decimal)
_COMPARED_AT_ONCE = 256
"""Bytes or so of a text that are compared in the time of one step."""


def located(steps: tuple[Step, ...], document: object, spend: Spend) -> Iterator[Location]:
    """The locations that the segments select, in the order and as often as RFC 9535 says.

    Raises what `spend` raises, and PatternError where a pattern of the document is too large to be run.
    """
    evaluation = _Evaluation(document, spend)
    for _, trail in evaluation.select(steps, document, None):
        location: list[str | int] = []
        while trail is not None:
            trail, key = trail
            location.append(key)
        spend(1 + len(location))
        yield tuple(reversed(location))


class _Evaluation:
    def __init__(self, root: object, spend: Spend) -> None:
        self.root = root
        self.spend = spend
        self.known: dict[int, list[Any]] = {}
        """What absolute queries select, by their identity: it is the same for every node that is filtered."""

    # --- segments and selectors

    def select(self, steps: tuple[Step, ...], value: Any, trail: Trail) -> Iterator[tuple[Any, Trail]]:
        """The nodes below one node, depth first; no recursion, however many segments."""
        if not steps:
            yield value, trail
            return
        levels = [self.step(steps[0], value, trail)]
        while levels:
            node = next(levels[-1], None)
            if node is None:
                levels.pop()
            elif len(levels) == len(steps):
                yield node
            elif type(node[0]) in _CONTAINERS:
                levels.append(self.step(steps[len(levels)], *node))

    def step(self, step: Step, value: Any, trail: Trail) -> Iterator[tuple[Any, Trail]]:
        waiting = [(value, trail)]
        while waiting:
            value, trail = waiting.pop()
            if type(value) not in _CONTAINERS:
                continue
            self.spend(len(step.selectors))
            for selector in step.selectors:
                yield from self.children(selector, value, trail)
            if step.descendant:
                self.spend(len(value))
                inner = [(item, (trail, key)) for key, item in _items(value) if type(item) in _CONTAINERS]
                inner.reverse()
                waiting += inner

    def children(self, selector: Selector, value: Any, trail: Trail) -> Iterable[tuple[Any, Trail]]:
        if isinstance(selector, str | int | FromEnd):
            key = selector.index if isinstance(selector, FromEnd) else selector
            found = _member(value, key)
            if found is NOTHING:
                return ()
            return ((found, (trail, key if isinstance(key, str) or key >= 0 else len(value) + key)),)
        if isinstance(selector, Wildcard):
            self.spend(len(value))
            return [(item, (trail, key)) for key, item in _items(value)]
        if isinstance(selector, Slice):
            if type(value) is not list or selector.step == 0:
                return ()
            chosen = range(*slice(selector.start, selector.end, selector.step).indices(len(value)))
            self.spend(len(chosen))
            return [(value[at], (trail, at)) for at in chosen]
        assert isinstance(selector, Filter)
        return self.filtered(selector, value, trail)

    def filtered(self, selector: Filter, value: Any, trail: Trail) -> Iterator[tuple[Any, Trail]]:
        for key, item in _items(value):
            self.spend(1 + selector.cost // 4)
            if self.holds(selector.test, item):
                yield item, (trail, key)

    # --- filters

    def holds(self, test: Logical, current: Any) -> bool:
        if isinstance(test, Comparison):
            return self.compared(test, current)
        if isinstance(test, Test):
            operand = test.operand
            if isinstance(operand, Call):
                return self.call(operand, current) is True
            if operand.keys is not None:
                return self.value(operand, current) is not NOTHING
            return next(iter(self.nodes(operand, current)), NOTHING) is not NOTHING
        if isinstance(test, Not):
            return not self.holds(test.inner, current)
        if isinstance(test, AllOf):
            return all(self.holds(part, current) for part in test.parts)
        return any(self.holds(part, current) for part in test.parts)

    def compared(self, test: Comparison, current: Any) -> bool:
        left, right = self.value(test.left, current), self.value(test.right, current)
        operator = test.operator
        if operator == "==":
            return self.equal(left, right)
        if operator == "!=":
            return not self.equal(left, right)
        if operator in (">", ">="):
            left, right = right, left
        return self.less(left, right) or (operator in ("<=", ">=") and self.equal(left, right))

    def value(self, operand: Operand, current: Any) -> Any:
        """The value of a literal, a singular query or a function, or NOTHING."""
        if isinstance(operand, Literal):
            return operand.value
        if isinstance(operand, Call):
            return self.call(operand, current)
        found = self.root if operand.absolute else current
        for key in operand.keys or ():
            found = _member(found, key)
        return found

    def nodes(self, query: Query, current: Any) -> Iterable[Any]:
        """The values that a query selects; a list where they are known already."""
        if not query.absolute:
            return (value for value, _ in self.select(query.steps, current, None))
        if id(query) not in self.known:
            self.known[id(query)] = [value for value, _ in self.select(query.steps, self.root, None)]
        return self.known[id(query)]

    def call(self, call: Call, current: Any) -> Any:
        first = call.arguments[0]
        if call.name in ("count", "value"):
            assert isinstance(first, Query)
            nodes = self.nodes(first, current)
            if call.name == "count":
                return len(nodes) if isinstance(nodes, list) else sum(1 for _ in nodes)
            two = list(islice(nodes, 2))
            return two[0] if len(two) == 1 else NOTHING
        value = self.value(first, current)
        if call.name == "length":
            return len(value) if type(value) in (str, dict, list) else NOTHING
        pattern = self.value(call.arguments[1], current)
        if type(value) is not str or type(pattern) is not str:
            return False
        written = isinstance(call.arguments[1], Literal)
        return iregexp_matches(pattern, value, whole=call.name == "match", written=written, spend=self.spend)

    # --- values

    def equal(self, left: Any, right: Any) -> bool:
        """Equality of RFC 9535 2.3.5.2.2: types count, `1` is `1.0` and true is not 1."""
        pending = [(left, right)]
        while pending:
            a, b = pending.pop()
            kind = type(a)
            if kind in _NUMBERS and type(b) in _NUMBERS:
                if not self.ordered(a, b, equal=True):
                    return False
            elif kind is not type(b):
                return False
            elif kind in _CONTAINERS:
                if len(a) != len(b):
                    return False
                self.spend(len(a))
                if kind is list:
                    pending += zip(a, b, strict=True)
                    continue
                self.spend(sum(map(len, a)) // _COMPARED_AT_ONCE)
                if a.keys() != b.keys():
                    return False
                pending += [(item, b[key]) for key, item in a.items()]
            elif isinstance(a, str):
                self.spend(len(a) // _COMPARED_AT_ONCE)
                if a != b:
                    return False
            elif a is not b and a != b:
                return False
        return True

    def less(self, a: Any, b: Any) -> bool:
        if type(a) is str and type(b) is str:
            self.spend(min(len(a), len(b)) // _COMPARED_AT_ONCE)
            return a < b
        return type(a) in _NUMBERS and type(b) in _NUMBERS and self.ordered(a, b, equal=False)

    def ordered(self, a: Any, b: Any, *, equal: bool) -> bool:
        """Whether two numbers are equal, or else whether the first is less. Beside a Decimal a float is its shortest decimal."""
        if type(a) is Decimal or type(b) is Decimal:
            self.spend((a.__sizeof__() + b.__sizeof__()) // _COMPARED_AT_ONCE)
            a, b = (Decimal(repr(side)) if type(side) is float else side for side in (a, b))
        return bool(a == b) if equal else bool(a < b)


def _items(value: Any) -> Iterable[tuple[str | int, Any]]:
    return value.items() if type(value) is dict else enumerate(value) if type(value) is list else ()


def _member(value: Any, key: str | int) -> Any:
    """The member or element, from the end where the index is negative, or NOTHING."""
    if type(value) is dict:
        return value.get(key, NOTHING)
    if type(value) is list and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return NOTHING
