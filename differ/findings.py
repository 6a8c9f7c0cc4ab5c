"""What a comparison has found so far; parts of it can be tried and thrown away."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rules.jsonpath import Location

MAX_COUNTED = 1_000
"""Distinct differences that are kept while walking; beyond it the comparison goes on and only the count grows."""


@dataclass(frozen=True, slots=True)
class Found:
    """One difference of two bodies."""

    location: Location
    kind: str
    primary: Any
    candidate: Any
    note: str = ""


@dataclass
class Findings:
    """Differences, the names of what explained others away, and the values a rule masked (for hidden relations)."""

    differences: list[Found] = field(default_factory=list)
    count: int = 0
    overflow: bool = False
    """True once a difference of a new kind or place was not kept."""
    applied: set[str] = field(default_factory=set)
    masked: list[tuple[str, Location, Any, Any]] = field(default_factory=list)
    whole: set[Location] = field(default_factory=set)
    """Nodes of which every child differs."""
    _known: set[tuple[object, ...]] = field(default_factory=set)

    @property
    def clean(self) -> bool:
        """True while there is no difference."""
        return self.count == 0

    def add(self, found: Found) -> None:
        """Keeps a difference, or counts it once there are too many."""
        self.count += 1
        self._keep(found)

    def _keep(self, found: Found) -> None:
        """The first difference of each place (any index) and kind; 16,000 unequal elements are one."""
        place = tuple("*" if isinstance(step, int) else step for step in found.location)
        key = (place, len(place), found.kind, type(found.primary), type(found.candidate), found.note)
        if key in self._known:
            return
        if len(self.differences) >= MAX_COUNTED:
            self.overflow = True
            return
        self._known.add(key)
        self.differences.append(found)

    def merge(self, other: Findings) -> None:
        """Takes over what a trial has found."""
        self.count += other.count
        self.overflow = self.overflow or other.overflow
        for found in other.differences:
            self._keep(found)
        self.applied |= other.applied
        self.whole |= other.whole
        self.masked.extend(other.masked[: MAX_COUNTED - len(self.masked)])
