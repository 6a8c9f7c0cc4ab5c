"""Nodes whose names are data: what was a cluster for each name becomes one cluster, and the old ids go on leading to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from differ.facts import Atom
from differ.key_names import generalised
from store.examples import kept_links
from store.schema import Cluster, ClusterAlias, ClusterClient, DataNode, ExampleLink
from store.upsert import parts, upsert

MAX_ALIASES_IN_A_ROW = 10


@dataclass
class _Merged:
    """What several clusters are together."""

    atom: Atom
    old: list[str] = field(default_factory=list)
    count: int = 0
    first: float = float("inf")
    last: float = float("-inf")
    detail: str = ""


async def write_data_nodes(
    connection: AsyncConnection, nodes: Sequence[tuple[str, str]], keep_examples: int, max_clients: int
) -> None:
    """Notes (route, node) pairs and merges the clusters that stand below them."""
    if nodes:
        await upsert(connection, DataNode, [{"route": route, "node": node} for route, node in sorted(set(nodes))])
        await merge_clusters(connection, sorted({route for route, _ in nodes}), keep_examples, max_clients)


async def read_data_nodes(connection: AsyncConnection, routes: Collection[str] | None = None) -> dict[str, set[str]]:
    """The data nodes of the given routes, or of all."""
    query = select(DataNode.route, DataNode.node)
    if routes is not None:
        query = query.where(DataNode.route.in_(sorted(routes)))
    found: dict[str, set[str]] = defaultdict(set)
    for route, node in await connection.execute(query):
        found[route].add(node)
    return dict(found)


def named_over(atom: Atom, nodes: Mapping[str, Collection[str]]) -> Atom:
    """The atom with the names below its route's data nodes as `.*`."""
    data = nodes.get(atom.route)
    if not data or atom.aspect != "body":
        return atom
    path = generalised(atom.path, data)
    return atom if path == atom.path else replace(atom, path=path)


async def merge_clusters(
    connection: AsyncConnection, routes: Collection[str] | None, keep_examples: int, max_clients: int
) -> int:
    """Merges each cluster below a data node of its route into the one of the generalised path. Returns how many went.

    `routes` None means all. The merged cluster keeps `keep_examples`, or as many as it has already; the others are deleted later
    (store.retention), since whoever deletes examples has to hold them first.
    """
    gone = 0
    for route, data in sorted((await read_data_nodes(connection, routes)).items()):
        merged: dict[str, _Merged] = {}
        rows = await connection.execute(
            select(
                Cluster.id,
                Cluster.statuses,
                Cluster.path,
                Cluster.kind,
                Cluster.types,
                Cluster.count,
                Cluster.first_seen,
                Cluster.last_seen,
                Cluster.detail,
            )
            .where(Cluster.route == route, Cluster.aspect == "body")
            .order_by(Cluster.id)
            .with_for_update()
        )
        for old, statuses, path, kind, types, count, first, last, detail in rows:
            atom = Atom(route, statuses, "body", generalised(path, data), kind, types)
            if atom.path != path:
                into = merged.setdefault(atom.cluster_id, _Merged(atom))
                into.old.append(old)
                into.count += int(count)
                if detail and last >= into.last:
                    into.detail = detail
                into.first, into.last = min(into.first, first), max(into.last, last)
        for new, into in sorted(merged.items()):
            await _merge(connection, new, into, keep_examples, max_clients)
            gone += len(into.old)
    return gone


async def _merge(connection: AsyncConnection, new: str, into: _Merged, keep: int, max_clients: int) -> None:
    row = {
        "id": new,
        "route": into.atom.route,
        "statuses": into.atom.statuses,
        "aspect": into.atom.aspect,
        "path": into.atom.path,
        "kind": into.atom.kind,
        "types": into.atom.types,
        "count": into.count,
        "first_seen": into.first,
        "last_seen": into.last,
        "detail": into.detail,
    }
    await upsert(connection, Cluster, [row], count="add", first_seen="min", last_seen="max", detail="fill")
    already = await connection.scalar(select(func.count()).select_from(ExampleLink).where(ExampleLink.cluster_id == new)) or 0
    clients: set[str] = set()
    links: set[tuple[float, str]] = set()
    for ids in parts([new, *into.old]):
        clients.update(await connection.scalars(select(ClusterClient.client).where(ClusterClient.cluster_id.in_(ids))))
        found = await connection.execute(select(ExampleLink.at, ExampleLink.example_id).where(ExampleLink.cluster_id.in_(ids)))
        links.update((at, name) for at, name in found)
    kept = kept_links(sorted(links), max(keep, already))
    left = sorted({name for _, name in links} - {name for _, name in kept})
    rows = [{"cluster_id": new, "client": client} for client in sorted(clients)[:max_clients]]
    await upsert(connection, ClusterClient, rows)
    await upsert(connection, ExampleLink, [{"cluster_id": new, "example_id": name, "at": at} for at, name in kept])
    await connection.execute(delete(ExampleLink).where(ExampleLink.cluster_id == new, ExampleLink.example_id.in_(left)))
    for ids in parts(into.old):  # their clients and links go with them
        await connection.execute(update(ClusterAlias).where(ClusterAlias.cluster_id.in_(ids)).values(cluster_id=new))
        await connection.execute(delete(Cluster).where(Cluster.id.in_(ids)))
    await upsert(connection, ClusterAlias, [{"id": old, "cluster_id": new} for old in into.old], cluster_id="set")


async def current_id(connection: AsyncConnection, cluster_id: str) -> str:
    """The id under which a cluster goes on; the given one where it was never merged."""
    for _ in range(MAX_ALIASES_IN_A_ROW):
        if await connection.scalar(select(Cluster.id).where(Cluster.id == cluster_id)) is not None:
            return cluster_id
        into = await connection.scalar(select(ClusterAlias.cluster_id).where(ClusterAlias.id == cluster_id))
        if into is None:
            return cluster_id
        cluster_id = into
    return cluster_id
