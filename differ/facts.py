"""What a comparison says: atoms, differences and the judgement."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from differ.paths import general
from rules.jsonpath import Location
from traffic.outcome import Verdict


@dataclass(frozen=True, slots=True)
class Atom:
    """The identity of a difference; a cluster is everything with one atom. It holds no values, only a generalised path.

    `aspect` is `status header cookie body transport latency relation`; `kind` is e.g. `value type added removed reordered
    item_added item_removed invalid`; `types` is e.g. `str>float`; `statuses` is `primary/candidate`, e.g. `200/200`.
    """

    route: str
    statuses: str
    aspect: str
    path: str
    kind: str
    types: str = ""

    @property
    def cluster_id(self) -> str:
        """16 hex digits, stable over releases."""
        return _digest(self.route, self.statuses, self.aspect, self.path, self.kind, self.types)

    @property
    def cause_id(self) -> str:
        """The same atom without its route: one cause over all routes."""
        return _digest(self.statuses, self.aspect, self.path, self.kind, self.types)


def _digest(*parts: str) -> str:
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the answers differ. The texts are cut to 200 characters, unredacted; None stands for absent.

    `note` names the relation of the two values where one is known (`trimmed`, `case`, `offset +6h`, `null_vs_empty`,
    `expired:<rule>` ...), else it is empty. `location` is the exact path, `atom.path` the generalised one.
    """

    atom: Atom
    primary: str | None
    candidate: str | None
    location: str = ""
    note: str = ""

    @property
    def shown_path(self) -> str:
        """The generalised path for people: in HTML the tag or text of the place, which its atom does not hold."""
        return self.location if self.atom.path.startswith("html:") and self.location else self.atom.path


class Masked(NamedTuple):
    """Two leaves of a body that differ and that `rule` explained; texts over 200 characters are left out. Unredacted: in memory only."""

    rule: str
    location: Location
    primary: Any
    candidate: Any

    @property
    def path(self) -> str:
        """The generalised path."""
        return general(self.location)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict of one pair of answers. `reason` says why a verdict is inconclusive, or how it was settled.

    `masked` holds the first leaves that rules explained, at most 20, for relations over many pairs.
    """

    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    tolerated: tuple[str, ...] = ()
    reason: str = ""
    truncated: bool = False
    masked: tuple[Masked, ...] = field(default=(), compare=False, repr=False)

    @property
    def paths(self) -> list[str]:
        """The sorted set of generalised paths, empty unless the verdict is mismatch."""
        if self.verdict is not Verdict.MISMATCH:
            return []
        return sorted({difference.shown_path for difference in self.differences})
