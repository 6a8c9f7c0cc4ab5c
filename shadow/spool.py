"""Folds ends that wait for the store, so that minutes of an outage need memory for what is different in them and not for each exchange.

Ends that only move counters are one group where everything is equal but when within a minute they ended, how long they took and which
evidence unit they belong to. `take` makes ends of a group again, fewer but with a `count`, from which the store makes exactly the rows
that the single ones would have made: a unit once, at the time it was first seen; as many times as there were in each latency bucket, of
either side, since no row holds both sides; the group's first and last moment. What no row shows is forgotten: the order, which client it
was where there is no difference, and which latency belongs to which unit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from store.buckets import bucket_of, middle
from store.records import Ended

MINUTE_S = 60
PER_GROUP, PER_ATOM, PER_UNIT, PER_BUCKET = 2_000, 100, 250, 150
"""About how many bytes they occupy, the names of boot, route and epoch included."""

_Latencies = Counter[int | None]
_Key = tuple[object, ...]


@dataclass(slots=True)
class _Group:
    common: Ended
    """One of the ends; what all have in common is read off it."""
    first: float
    last: float
    count: int = 0
    bytes: int = 0
    units: dict[str, float] = field(default_factory=dict)
    """When each unit was first seen."""
    primary: _Latencies = field(default_factory=Counter)
    candidate: _Latencies = field(default_factory=Counter)


class Spool:
    """Ends without an example, folded, the oldest groups first; at most about `most_bytes` of them. A group of which something is
    taken out takes nothing in any more."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._groups: dict[_Key, _Group] = {}
        self._leaving: tuple[_Group, Iterator[Ended]] | None = None
        self.ends = 0
        """Exchanges in it."""
        self.bytes = 0

    def add(self, ended: Ended) -> bool:
        """Takes an end; False, and nothing is changed, where there is no room for what is new in it."""
        if not math.isfinite(ended.at):
            ended = replace(ended, at=0.0)  # as the store takes it
        key = _key(ended)
        group = self._groups.get(key)
        primary, candidate = _bucket(ended.primary_ms), _bucket(ended.candidate_ms)
        cost = 0 if group is not None else PER_GROUP + PER_ATOM * len(ended.differences)
        if ended.unit is not None and (group is None or ended.unit not in group.units):
            cost += PER_UNIT + len(ended.unit)
        cost += PER_BUCKET * (
            (group is None or primary not in group.primary) + (group is None or candidate not in group.candidate)
        )
        if self.bytes + cost > self._most:
            return False
        if group is None:
            group = self._groups[key] = _Group(ended, ended.at, ended.at)
        self.bytes += cost
        self.ends += ended.count
        group.bytes += cost
        group.count += ended.count
        group.first, group.last = min(group.first, ended.at), max(group.last, ended.at)
        group.primary[primary] += ended.count
        group.candidate[candidate] += ended.count
        if ended.unit is not None:
            group.units[ended.unit] = min(group.units.get(ended.unit, ended.at), ended.at)
        return True

    def take(self, most: int) -> list[Ended]:
        """Takes out what makes at most `most` ends. Their counts say of how many exchanges each is."""
        taken: list[Ended] = []
        while self.ends and len(taken) < most:
            if self._leaving is None:
                group = self._groups.pop(next(iter(self._groups)))
                self._leaving = group, _ends_of(group)
            group, ends = self._leaving
            some = list(islice(ends, most - len(taken)))
            taken += some
            gone = sum(ended.count for ended in some)
            group.count -= gone
            self.ends -= gone
            if not group.count:
                self._leaving = None
                self.bytes -= group.bytes
        return taken

    def oldest(self) -> float | None:
        """The first moment of all (Unix seconds), None where there is nothing."""
        if not self.ends:
            return None
        leaving = [] if self._leaving is None else [self._leaving[0].first]
        return min([*leaving, *(group.first for group in self._groups.values())])


def _key(ended: Ended) -> _Key:
    # A minute is within one day; what windows begin within it is another matter.
    window = ended.at // ended.window_s if ended.window_s > 0 else 0.0
    atoms = tuple(text.atom for text in ended.differences)
    common = (ended.boot, ended.route, ended.epoch, ended.ending, ended.reason, ended.at // MINUTE_S, ended.window_s, window)
    return (
        *common,
        ended.judged,
        ended.tolerated,
        ended.suppressed,
        ended.shape,
        ended.served,
        atoms,
        ended.client if atoms else "",
    )


def _ends_of(group: _Group) -> Iterator[Ended]:
    for at, unit, count in _moments(group):
        while count:
            primary, candidate = next(iter(group.primary)), next(iter(group.candidate))
            some = min(count, group.primary[primary], group.candidate[candidate])
            yield replace(
                group.common,
                at=at,
                unit=unit,
                count=some,
                primary_ms=_milliseconds(primary),
                candidate_ms=_milliseconds(candidate),
            )
            count -= some
            for latencies, bucket in ((group.primary, primary), (group.candidate, candidate)):
                latencies[bucket] -= some
                if not latencies[bucket]:
                    del latencies[bucket]


def _moments(group: _Group) -> Iterator[tuple[float, str | None, int]]:
    """(time, unit, exchanges): each unit when it was first seen, and the others so that the first and the last moment are there."""
    others = group.count - len(group.units)  # of now: the count goes down while they are taken out
    for unit, at in group.units.items():
        yield at, unit, 1
    if others == 1:
        # Whatever is not at a unit's first moment is this one.
        yield (group.last if group.first in group.units.values() else group.first), None, 1
    elif others:
        yield group.first, None, others - 1
        yield group.last, None, 1


def _bucket(ms: float | None) -> int | None:
    return None if ms is None else bucket_of(ms)


def _milliseconds(bucket: int | None) -> float | None:
    return None if bucket is None else middle(bucket)
