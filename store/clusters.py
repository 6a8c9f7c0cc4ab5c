"""Clusters: every difference with one atom is one row, with its count, its clients and a few examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from differ.facts import Atom
from store.data_nodes import named_over, read_data_nodes
from store.examples import links_of
from store.records import ClusterRow, DifferenceText, Ended, Example, Finding
from store.schema import Cluster, ClusterClient
from store.text import bounded
from store.upsert import upsert

MAX_CLUSTERS = 2000
"""Per route. An answer that echoes its request makes as many paths as there are callers; the rest goes to one cluster each aspect."""
MAX_CLIENTS = 256
"""How many distinct clients of a cluster are told apart; more are shown as this many."""
OVERFLOW = "overflow"
_PATH_BYTES = 2000
_IN_ONE_QUERY = 500
_SHOWN = 60


@dataclass
class _Sighting:
    atom: Atom
    count: int = 0
    first: float = float("inf")
    last: float = float("-inf")
    detail: str = ""
    clients: set[str] = field(default_factory=set)
    examples: dict[str, Example] = field(default_factory=dict)

    def add(self, at: float, count: int, example: Example | None, client: str = "", detail: str = "") -> None:
        self.count += count
        self.first, self.last = min(self.first, at), max(self.last, at)
        self.detail = detail or self.detail
        if client:
            self.clients.add(client)
        if example is not None:
            self.examples[example.id] = example


async def write_clusters(
    connection: AsyncConnection, ended: Iterable[Ended], findings: Sequence[Finding]
) -> dict[str, list[Example]]:
    """Counts each distinct atom of an exchange once. Returns the examples that are offered to each cluster."""
    ended = list(ended)
    nodes = await read_data_nodes(connection, {row.route for row in ended if row.differences})
    sightings: dict[str, _Sighting] = {}
    for row in ended:
        for atom, difference in {named_over(item.atom, nodes): item for item in reversed(row.differences)}.items():
            sighting = sightings.setdefault(atom.cluster_id, _Sighting(atom))
            sighting.add(row.at, row.count, row.example, row.client, detail=_in_words(difference))
    for finding in findings:
        sighting = sightings.setdefault(finding.atom.cluster_id, _Sighting(finding.atom))
        sighting.add(finding.at, finding.count, finding.example, detail=finding.detail)
    if not sightings:
        return {}
    sightings = await _within_bounds(connection, sightings)
    rows = [
        {
            "id": cluster_id,
            "route": seen.atom.route,
            "statuses": seen.atom.statuses,
            "aspect": seen.atom.aspect,
            "path": bounded(seen.atom.path, _PATH_BYTES),
            "kind": seen.atom.kind,
            "types": bounded(seen.atom.types, _PATH_BYTES),
            "count": seen.count,
            "first_seen": seen.first,
            "last_seen": seen.last,
            "detail": seen.detail,
        }
        for cluster_id, seen in sightings.items()
    ]
    await upsert(connection, Cluster, rows, count="add", first_seen="min", last_seen="max", detail="fill")
    await _write_clients(connection, {cluster_id: seen.clients for cluster_id, seen in sightings.items()})
    return {cluster_id: list(seen.examples.values()) for cluster_id, seen in sightings.items() if seen.examples}


def _in_words(difference: DifferenceText) -> str:
    """One line that shows what the cluster is about: a pair of values as it was last seen, and how they relate.

    Empty where the values were not kept; the cluster then shows an earlier pair.
    """
    if difference.primary is None and difference.candidate is None and not difference.note:
        return ""
    values = (_shown(difference.primary), _shown(difference.candidate))
    note = f" ({difference.note})" if difference.note else ""
    return f"e.g. {values[0]} became {values[1]}{note}"


def _shown(text: str | None) -> str:
    if text is None:
        return "nothing"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


async def read_clusters(
    connection: AsyncConnection, route: str | None = None, cluster_id: str | None = None
) -> list[ClusterRow]:
    """All clusters, or a route's, or one; most frequent first."""
    clients = select(func.count()).where(ClusterClient.cluster_id == Cluster.id).scalar_subquery()
    query = select(
        Cluster.id,
        Cluster.route,
        Cluster.statuses,
        Cluster.aspect,
        Cluster.path,
        Cluster.kind,
        Cluster.types,
        Cluster.count,
        Cluster.first_seen,
        Cluster.last_seen,
        Cluster.detail,
        clients,
    )
    if route is not None:
        query = query.where(Cluster.route == route)
    if cluster_id is not None:
        query = query.where(Cluster.id == cluster_id)
    found = (await connection.execute(query.order_by(Cluster.count.desc(), Cluster.id))).all()
    links = await links_of(connection, [row[0] for row in found])
    return [
        ClusterRow(key, Atom(*atom), int(count), int(seen_by), first, last, detail, tuple(links.get(key, ())))
        for key, *atom, count, first, last, detail, seen_by in found
    ]


async def count_clusters(connection: AsyncConnection) -> dict[str, int]:
    """The number of clusters of each route."""
    found = await connection.execute(select(Cluster.route, func.count()).group_by(Cluster.route))
    return {route: int(count) for route, count in found}


async def _within_bounds(connection: AsyncConnection, sightings: dict[str, _Sighting]) -> dict[str, _Sighting]:
    """The same sightings, with what would be one cluster too many of its route counted in the route's overflow cluster."""
    known: set[str] = set()
    ids = sorted(sightings)
    for start in range(0, len(ids), _IN_ONE_QUERY):
        known.update(await connection.scalars(select(Cluster.id).where(Cluster.id.in_(ids[start : start + _IN_ONE_QUERY]))))
    fresh: dict[str, list[str]] = defaultdict(list)
    for cluster_id in ids:
        if cluster_id not in known:
            fresh[sightings[cluster_id].atom.route].append(cluster_id)
    kept = {cluster_id: sightings[cluster_id] for cluster_id in known}
    for route, new in sorted(fresh.items()):
        there = await connection.scalar(select(func.count()).where(Cluster.route == route)) or 0
        room = max(0, MAX_CLUSTERS - there)
        kept.update((cluster_id, sightings[cluster_id]) for cluster_id in new[:room])
        for cluster_id in new[room:]:
            sighting = sightings[cluster_id]
            atom = Atom(route, "", sighting.atom.aspect, "$", OVERFLOW)
            detail = f"more than {MAX_CLUSTERS} different places on this route; a rule for the shared part would help"
            rest = kept.setdefault(
                atom.cluster_id, replace(sighting, atom=atom, detail=detail, count=0, clients=set(), examples={})
            )
            rest.add(sighting.first, sighting.count, None)
            rest.last = max(rest.last, sighting.last)
            rest.clients |= sighting.clients
            rest.examples |= sighting.examples
    return kept


async def _write_clients(connection: AsyncConnection, clients: dict[str, set[str]]) -> None:
    ids = sorted(clients)
    there: dict[str, int] = {}
    for start in range(0, len(ids), _IN_ONE_QUERY):
        found = await connection.execute(
            select(ClusterClient.cluster_id, func.count())
            .where(ClusterClient.cluster_id.in_(ids[start : start + _IN_ONE_QUERY]))
            .group_by(ClusterClient.cluster_id)
        )
        there.update((cluster_id, int(count)) for cluster_id, count in found)
    rows = [
        {"cluster_id": cluster_id, "client": client}
        for cluster_id in ids
        for client in sorted(clients[cluster_id])[: max(0, MAX_CLIENTS - there.get(cluster_id, 0))]
    ]
    await upsert(connection, ClusterClient, rows)
