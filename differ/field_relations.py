"""Finds a field that always equals another in the candidate's answers and never in the primary's.

A mask would hide such a bug: a random number that is really the id differs from the primary's as any random number does.
Pure counting; a row is the set of scalar fields that belong to one object (`differ.field_rows`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from differ.field_rows import MAX_FIELDS, Row
from traffic.message import Side

MIN_ANSWERS = 50
MIN_DISTINCT = 3

Pair = tuple[str, str]


@dataclass(slots=True)
class _SideCounts:
    pairs: dict[Pair, int] = field(default_factory=dict)
    """Answers in which both fields were present."""
    values: dict[str, set[object]] = field(default_factory=dict)
    """The first few distinct values of each field, as hashes."""


@dataclass(frozen=True, slots=True)
class FieldRelation:
    """`field` always equals `other` in the candidate's answers (`answers` of them) and in none of the primary's."""

    field: str
    other: str
    answers: int
    primary_answers: int


class RelationCounts:
    """The counts of one route and epoch.

    Bounds: `MAX_FIELDS` field names for life, so at most 780 pairs. A pair that was unequal once on the candidate, or equal once on
    the primary, can never become a finding and is looked at no more; so nearly all pairs are gone after the first answers.
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._sides = {side: _SideCounts() for side in Side}
        self._alive: set[Pair] = set()

    def observe(self, side: Side, rows: Iterable[Row]) -> None:
        """Counts one 2xx JSON answer; a list's many elements are one answer still."""
        counts = self._sides[side]
        present: set[Pair] = set()
        for row in rows:
            for name in row:
                if not self._known(name):
                    continue
                seen = counts.values.setdefault(name, set())
                if len(seen) < MIN_DISTINCT:
                    seen.add(hash(row[name]))
            for pair in [pair for pair in self._alive if pair[0] in row and pair[1] in row]:
                first, second = row[pair[0]], row[pair[1]]
                if type(first) is not type(second):
                    continue
                if (first == second) is (side is Side.PRIMARY):
                    self._alive.discard(pair)
                else:
                    present.add(pair)
        for pair in present:
            counts.pairs[pair] = counts.pairs.get(pair, 0) + 1

    def _known(self, name: str) -> bool:
        if name not in self._names:
            if len(self._names) >= MAX_FIELDS:
                return False
            self._alive.update((known, name) for known in self._names)
            self._names.append(name)
        return True

    def found(self) -> list[FieldRelation]:
        """The relations proven so far. Constants prove nothing: both fields need several distinct values on the candidate."""
        relations = []
        candidate, primary = self._sides[Side.CANDIDATE], self._sides[Side.PRIMARY]
        for pair, count in candidate.pairs.items():
            other = primary.pairs.get(pair, 0)
            if pair not in self._alive or count < MIN_ANSWERS or other < MIN_ANSWERS:
                continue
            if len(candidate.values[pair[0]]) < MIN_DISTINCT:
                continue
            field_name, equals = self._direction(pair)
            relations.append(FieldRelation(field_name, equals, count, other))
        return relations

    def _direction(self, pair: Pair) -> Pair:
        """Names the suspicious field first: an identifier, else the field that came first, is what the other one copies."""
        first, second = pair
        return (first, second) if _is_identifier(second) and not _is_identifier(first) else (second, first)


def _is_identifier(path: str) -> bool:
    name = path.rpartition(".")[2].lower()
    return name in ("id", "pk", "uuid", "slug") or name.endswith(("_id", "_uuid"))
