"""Finds what a mask hides over many pairs: an offset or a factor between the two sides that is the same in nearly all of them.

One masked pair says little: two clocks, two random numbers. The same five hours in each of a hundred pairs is a time zone. Pure
counting; what the values were is not kept, only hashes of a few and how they hang together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

from differ.facts import Masked
from differ.moments import moment
from differ.numbers import is_number

MIN_ANSWERS = 30
MIN_SHARE = 0.95
MIN_DISTINCT = 3
"""Distinct values that the primary must have shown: two constants always hang together."""
MIN_PRESENCE = 0.5
"""Only unequal pairs are masked: a number that is mostly equal and now and then off by one has no constant offset."""
MAX_PLACES, MAX_SHAPES = 200, 1_000
MAX_PAIRS = 10
"""Pairs of one answer and place that are looked at."""
MAX_RELATIONS = 16
"""Relations counted at one place: one that holds nearly always is among the first ones seen."""
HOPELESS_AFTER = 100
SAME_TIME_S = 60
"""The copy is sent after the live answer: two readings of a clock this far apart are the same moment."""
QUARTER_S, SLACK_S = 900, 15
MAX_TEXT = 64
MAX_PATH = 500
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,12})?", re.ASCII)
_FACTORS = tuple(Decimal(factor) for factor in (10, 60, 100, 1_000, 3_600, 1_000_000))
_EXACT = Context(prec=40)
_SECONDS, _MILLISECONDS = (Decimal(10**9), Decimal(4 * 10**9)), (Decimal(10**12), Decimal(4 * 10**12))


def constant_relations(a: Any, b: Any) -> frozenset[str]:
    """How primary `a` and candidate `b` hang together in ways that could hold for every pair: `offset +5h`, `offset -3`,
    `factor x100`, `sign`. Empty for equal values and for those without such a relation.
    """
    if isinstance(a, str) and isinstance(b, str) and max(len(a), len(b)) <= MAX_TEXT:
        one, other = moment(a), moment(b)
        if one is not None and other is not None:
            return _apart(other.instant - one.instant)
    ours, theirs = _number(a), _number(b)
    if ours is None or theirs is None or ours == theirs:
        return frozenset()
    for low, high in (_SECONDS, _MILLISECONDS):
        if low <= ours < high and low <= theirs < high:
            return _apart((theirs - ours) / (1 if low == _SECONDS[0] else 1_000))
    found = {f"offset {_plain(theirs - ours, sign=True)}"}
    if ours and theirs:
        found |= _factor(ours, theirs)
    return frozenset(found)


def _apart(seconds: Decimal) -> frozenset[str]:
    """Two moments: whole quarters of an hour are zones, with some slack for the time between the two requests."""
    if abs(seconds) < SAME_TIME_S:
        return frozenset()
    quarters = round(seconds / QUARTER_S)
    if quarters and abs(seconds - quarters * QUARTER_S) <= SLACK_S:
        return frozenset({f"offset {quarters / 4:+g}h"})
    return frozenset({f"offset {round(seconds):+d}s"})


def _factor(ours: Decimal, theirs: Decimal) -> set[str]:
    if theirs == -ours:
        return {"sign"}
    for sign, one, other in (("x", ours, theirs), ("/", theirs, ours)):
        for factor in _FACTORS:
            if abs(one * factor - other) <= abs(other) / 1_000_000:
                return {f"factor {sign}{factor}"}
    for sign, one, other in (("x", ours, theirs), ("/", theirs, ours)):
        ratio = _EXACT.divide(other, one)
        if len(ratio.normalize().as_tuple().digits) <= 6 and _EXACT.multiply(ratio, one) == other:
            return {f"factor {sign}{_plain(ratio)}"}
    return set()


def _number(value: Any) -> Decimal | None:
    """A JSON number, or a string that spells a plain decimal; None for what is beyond ids, money and times."""
    if is_number(value):
        if isinstance(value, int) and value.bit_length() > MAX_TEXT:
            return None
        number = Decimal(str(value))
        fits = number.is_finite() and abs(number.adjusted()) <= 20 and len(number.as_tuple().digits) <= 20
        return number if fits else None
    return Decimal(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def _plain(number: Decimal, *, sign: bool = False) -> str:
    return f"{number.normalize(_EXACT):{'+' if sign else ''}f}"


@dataclass(frozen=True, slots=True)
class MaskedRelation:
    """What `rule` hides at a generalised path: the candidate's value is the primary's with `relation`, in `holds` of `answers`."""

    rule: str
    path: str
    relation: str
    holds: int
    answers: int


@dataclass(slots=True)
class _Place:
    answers: int = 0
    holds: dict[str, int] = field(default_factory=dict)
    distinct: set[int] = field(default_factory=set)
    hopeless: bool = False


class MaskedRelations:
    """The counts of one route and epoch: at most MAX_PLACES places, a few numbers each."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], _Place] = {}
        self._shapes: dict[tuple[object, ...], _Place] = {}
        self._answers = 0

    def observe(self, masked: Iterable[Masked]) -> None:
        """Counts one answer; a relation holds in it where it holds for the first pairs of one place, e.g. a list's elements."""
        self._answers += 1
        pairs: dict[tuple[object, ...], list[Masked]] = {}
        for pair in masked:
            shape = (pair.rule, *[None if type(step) is int else step for step in pair.location])
            several = pairs.setdefault(shape, [])
            if len(several) < MAX_PAIRS:
                several.append(pair)
        together: dict[int, tuple[_Place, list[Masked]]] = {}
        for key, several in pairs.items():
            place = self._place(key, several[0])
            if place is not None and not place.hopeless:
                together.setdefault(id(place), (place, []))[1].extend(several)
        for place, several in together.values():
            _count(place, several)

    def _place(self, shape: tuple[object, ...], pair: Masked) -> _Place | None:
        """The place of pairs whose locations differ in indices only; None where there are too many places."""
        place = self._shapes.get(shape)
        if place is None:
            key = (pair.rule, pair.path[:MAX_PATH])
            if key not in self._places and len(self._places) >= MAX_PLACES:
                return None
            place = self._places.setdefault(key, _Place())
            if len(self._shapes) < MAX_SHAPES:
                self._shapes[shape] = place
        return place

    def found(self) -> list[MaskedRelation]:
        """What is proven so far, at most one relation for each place."""
        return [
            MaskedRelation(rule, path, best, place.holds[best], place.answers)
            for (rule, path), place in self._places.items()
            if (best := self._best(place))
        ]

    def _best(self, place: _Place) -> str:
        if place.answers < MIN_ANSWERS or len(place.distinct) < MIN_DISTINCT or not place.holds:
            return ""
        # An offset and a factor may both hold where the values hardly vary; the offset says more.
        best = max(place.holds, key=lambda name: (place.holds[name], name))
        if place.holds[best] < MIN_SHARE * place.answers:
            return ""
        timeless = best.startswith("offset ") and not best.endswith(("h", "s"))
        return "" if timeless and place.answers < MIN_PRESENCE * self._answers else best


def _count(place: _Place, pairs: list[Masked]) -> None:
    place.answers += 1
    shared: frozenset[str] | None = None
    for pair in pairs:
        relations = constant_relations(pair.primary, pair.candidate)
        shared = relations if shared is None else shared & relations
        if not shared:
            break
        if len(place.distinct) < MIN_DISTINCT:
            place.distinct.add(hash(str(pair.primary)))
    for name in shared or ():
        if name in place.holds or len(place.holds) < MAX_RELATIONS:
            place.holds[name] = place.holds.get(name, 0) + 1
    if place.answers >= HOPELESS_AFTER and max(place.holds.values(), default=0) < place.answers / 2:
        place.hopeless = True
        place.holds.clear()
