"""What a comparison has found so far; parts of it can be tried and thrown away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from differ.facts import Masked
from rules.jsonpath import Location
from rules.model import Rule

MAX_MASKED = 20
MAX_MASKED_TEXT = 200
MAX_NOTED = 100
"""Pairs of one place and kind whose relation is looked at; the note is what all of them share."""
MAX_COUNTED = 1_000
"""Distinct differences that are kept while walking; beyond it the comparison goes on and only the count grows."""


class Unclean(Exception):
    """Raised by `Trial` at the first difference."""


@dataclass(frozen=True, slots=True)
class Found:
    """One difference of two bodies."""

    location: Location
    kind: str
    primary: Any
    candidate: Any
    note: str = ""


_LEAVES = (str, int, float, bool, type(None))
_Key = tuple[object, ...]
Noting = Callable[[], str]


def _no_note() -> str:
    return ""


@dataclass
class Findings:
    """Differences, the names of what explained others away, and the values a rule masked (for hidden relations)."""

    count: int = 0
    overflow: bool = False
    """True once a difference of a new kind or place was not kept."""
    applied: set[str] = field(default_factory=set)
    masked: list[Masked] = field(default_factory=list)
    """The first MAX_MASKED leaves that rules explained."""
    correlated: list[tuple[Rule, Any, Any, Location]] = field(default_factory=list)
    """The pairs that `correlate` rules took for one id each."""
    met: set[tuple[str, str, Any]] = field(default_factory=set)
    """Ids at places of `correlate` rules that stand for themselves: id of the rule, type, value. Kept by close walks only."""
    whole: set[Location] = field(default_factory=set)
    """Nodes of which every child differs."""
    _kept: dict[_Key, Found] = field(default_factory=dict)
    _noted: dict[_Key, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """True while there is no difference."""
        return self.count == 0

    @property
    def differences(self) -> list[Found]:
        """The first difference of each place (any index) and kind, in the order found."""
        return list(self._kept.values())

    def add(self, location: Location, kind: str, a: Any, b: Any, note: Noting = _no_note) -> None:
        """Keeps a difference, or counts it once there are too many or one of its place and kind is known."""
        self.count += 1
        place = tuple(["*" if type(step) is int else step for step in location])
        key = (place, len(place), kind, type(a), type(b))
        known = self._kept.get(key)
        if known is None:
            if len(self._kept) >= MAX_COUNTED:
                self.overflow = True
                return
            self._noted[key] = 1
            self._kept[key] = Found(location, kind, a, b, note())
        elif known.note and self._noted[key] < MAX_NOTED:
            self._noted[key] += 1
            if note() != known.note and not known.note.startswith("expired:"):
                self._kept[key] = replace(known, note="")

    def explained(self, rule: str, location: Location, a: Any, b: Any) -> None:
        """Notes that `rule` explained a difference."""
        self.applied.add(rule)
        if len(self.masked) < MAX_MASKED and _is_leaf(a) and _is_leaf(b):
            self.masked.append(Masked(rule, location, a, b))

    def merge(self, other: Findings) -> None:
        """Takes over what a trial has found."""
        for found in other.differences:
            self.add(found.location, found.kind, found.primary, found.candidate, lambda found=found: found.note)  # type: ignore[misc]
        self.count += other.count - len(other.differences)
        self.overflow = self.overflow or other.overflow
        self.applied |= other.applied
        self.whole |= other.whole
        self.correlated += other.correlated
        self.met |= other.met
        self.masked.extend(other.masked[: MAX_MASKED - len(self.masked)])


def _is_leaf(value: Any) -> bool:
    return type(value) in _LEAVES and (type(value) is not str or len(value) <= MAX_MASKED_TEXT)


class Trial(Findings):
    """Findings of an attempt of which only the success counts: the first difference ends it."""

    def add(self, location: Location, kind: str, a: Any, b: Any, note: Noting = _no_note) -> None:
        """Raises Unclean."""
        raise Unclean
