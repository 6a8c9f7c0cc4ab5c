"""What the demo must find: the planted defects of `defects.yaml` as facts, and the check of what was found against them."""

from __future__ import annotations

import difflib
import importlib.resources
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from yaml import safe_load

FIX_VARIABLE = "PARITYGATE_DEMO_FIX"
ALL = "all"


class UnknownDefect(ValueError):
    """A fix was asked for that names no planted defect."""


@dataclass(frozen=True, slots=True)
class ExpectedCluster:
    """One cluster a defect shows as. `aspect` and `path` are spelled as a mismatch's atom spells them."""

    aspect: str
    path: str


@dataclass(frozen=True, slots=True)
class Defect:
    """One planted difference of the FastAPI port: where it shows, why ports have it, and what mends it."""

    id: str
    title: str
    route: str
    clusters: tuple[ExpectedCluster, ...]
    why: str
    fix: str

    @property
    def keys(self) -> frozenset[tuple[str, str, str]]:
        """(route, aspect, path) of each cluster."""
        return frozenset((self.route, cluster.aspect, cluster.path) for cluster in self.clusters)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`missing`: planted defects of which a cluster was not found. `unexpected`: clusters no planted defect explains."""

    missing: tuple[Defect, ...]
    unexpected: tuple[tuple[str, str, str], ...]

    @property
    def complete(self) -> bool:
        """True exactly when all that was planted was found, and nothing else."""
        return not self.missing and not self.unexpected


class _Cluster(BaseModel):
    model_config = ConfigDict(extra="forbid")

    aspect: str
    path: str


class _Defect(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str
    title: str
    route: str
    clusters: list[_Cluster]
    why: str
    fix: str


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    defects: list[_Defect]


def load_defects() -> tuple[Defect, ...]:
    """The planted defects in the order of their file."""
    text = importlib.resources.files("demo").joinpath("defects.yaml").read_text(encoding="utf-8")
    document = _Document.model_validate(safe_load(text))
    return tuple(
        Defect(
            id=entry.id,
            title=entry.title,
            route=entry.route,
            clusters=tuple(ExpectedCluster(cluster.aspect, cluster.path) for cluster in entry.clusters),
            why=entry.why,
            fix=entry.fix,
        )
        for entry in document.defects
    )


def planted_defects(fix: str = "") -> frozenset[str]:
    """The ids that stay planted under a fix: a comma list of defect ids, or `all`. Raises UnknownDefect."""
    known = {defect.id for defect in load_defects()}
    wanted = {name.strip() for name in fix.split(",") if name.strip()}
    if ALL in wanted:
        return frozenset()
    for name in sorted(wanted - known):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownDefect(
            f"{FIX_VARIABLE}: no planted defect is called {name!r}{hint} Known: all, {', '.join(sorted(known))}"
        )
    return frozenset(known - wanted)


def check(found: Iterable[tuple[str, str, str]], fix: str = "") -> Outcome:
    """Compares the clusters found, as (route, aspect, path), with those of the defects that `fix` leaves planted."""
    clusters = set(found)
    planted = planted_defects(fix)
    defects = [defect for defect in load_defects() if defect.id in planted]
    explained = frozenset().union(*(defect.keys for defect in defects))
    return Outcome(
        missing=tuple(defect for defect in defects if not defect.keys <= clusters),
        unexpected=tuple(sorted(clusters - explained)),
    )
