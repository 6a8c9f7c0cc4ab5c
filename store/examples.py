"""Examples: a few whole exchanges of each cluster, the oldest (how it began) and the newest (how it is now)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.errors import StoreError
from store.example_codec import DamagedExample, pack_example, unpack_example
from store.records import Example
from store.schema import ExampleLink, RuleExample, StoredExample
from store.upsert import upsert

_IN_ONE_QUERY = 500

Link = tuple[float, str]
"""(time, example id)"""


def kept_links(links: Sequence[Link], keep: int) -> list[Link]:
    """At most `keep` of them, in order of time: the older half of the places for the oldest, the rest for the newest."""
    ordered = sorted(set(links))
    if len(ordered) <= keep:
        return ordered
    oldest = (keep + 1) // 2
    newest = keep - oldest
    return ordered[:oldest] + ordered[len(ordered) - newest :]


async def write_examples(connection: AsyncConnection, offers: Mapping[str, Sequence[Example]], keep: int) -> None:
    """Keeps what fits of the examples offered to each cluster; examples that no cluster keeps any more are deleted.

    The clusters' rows must be held, so that two writers cannot each keep `keep`.
    """
    there = await _times_of(connection, sorted(offers))
    given = {example.id: example for examples in offers.values() for example in examples}
    added: dict[str, list[Link]] = {}
    dropped: list[tuple[str, str]] = []
    for cluster_id in sorted(offers):
        old = there.get(cluster_id, [])
        kept = kept_links([*old, *((example.at, example.id) for example in offers[cluster_id])], keep)
        known = {example_id for _, example_id in old}
        added[cluster_id] = [link for link in kept if link[1] not in known]
        stays = {example_id for _, example_id in kept}
        dropped += [(cluster_id, example_id) for _, example_id in old if example_id not in stays]
    await insert_examples(connection, [given[name] for name in sorted({name for new in added.values() for _, name in new})])
    links = [
        {"cluster_id": cluster_id, "example_id": example_id, "at": at}
        for cluster_id, new in added.items()
        for at, example_id in new
    ]
    await upsert(connection, ExampleLink, links)
    for cluster_id, example_id in dropped:
        await connection.execute(
            delete(ExampleLink).where(ExampleLink.cluster_id == cluster_id, ExampleLink.example_id == example_id)
        )
    if dropped:
        await drop_orphans(connection, sorted({example_id for _, example_id in dropped}))


async def insert_examples(connection: AsyncConnection, examples: Sequence[Example]) -> None:
    """Stores examples of distinct ids; one that is there stays as it is. Whoever calls links them in the same transaction."""
    rows = []
    for example in examples:
        blob, digest = pack_example(example)
        rows.append({"id": example.id, "route": example.route, "at": example.at, "digest": digest, "blob": blob})
    await upsert(connection, StoredExample, rows)


async def drop_orphans(connection: AsyncConnection, example_ids: Sequence[str] | None = None) -> int:
    """Deletes the examples, or those of `example_ids`, that no cluster and no rule keeps."""
    linked = or_(
        select(ExampleLink.example_id).where(ExampleLink.example_id == StoredExample.id).exists(),
        select(RuleExample.example_id).where(RuleExample.example_id == StoredExample.id).exists(),
    )
    orphans = select(StoredExample.id).where(~linked).order_by(StoredExample.id).with_for_update()
    if example_ids is not None:
        orphans = orphans.where(StoredExample.id.in_(example_ids))
    gone = list(await connection.scalars(orphans))
    for start in range(0, len(gone), _IN_ONE_QUERY):
        await connection.execute(
            delete(StoredExample).where(StoredExample.id.in_(gone[start : start + _IN_ONE_QUERY]), ~linked)
        )
    return len(gone)


async def links_of(connection: AsyncConnection, cluster_ids: Sequence[str] | None) -> dict[str, list[str]]:
    """The examples' ids of the clusters, or of all, oldest first."""
    return {
        cluster_id: [example_id for _, example_id in sorted(links)]
        for cluster_id, links in (await _times_of(connection, cluster_ids)).items()
    }


async def read_example(connection: AsyncConnection, example_id: str) -> Example | None:
    """One example, or None. Raises StoreError when its bytes are damaged."""
    row = (
        await connection.execute(select(StoredExample.blob, StoredExample.digest).where(StoredExample.id == example_id))
    ).one_or_none()
    if row is None:
        return None
    try:
        return unpack_example(*row)
    except DamagedExample as error:
        raise StoreError(f"example {example_id}: {error}; `paritygate store check` looks at the whole store") from error


async def read_examples(connection: AsyncConnection, cluster_id: str) -> list[Example]:
    """A cluster's examples, oldest first."""
    ids = (await links_of(connection, [cluster_id])).get(cluster_id, [])
    found = [await read_example(connection, example_id) for example_id in ids]
    return [example for example in found if example is not None]


async def _times_of(connection: AsyncConnection, cluster_ids: Sequence[str] | None) -> dict[str, list[Link]]:
    query = select(ExampleLink.cluster_id, ExampleLink.at, ExampleLink.example_id)
    parts = (
        [query]
        if cluster_ids is None
        else [
            query.where(ExampleLink.cluster_id.in_(cluster_ids[start : start + _IN_ONE_QUERY]))
            for start in range(0, len(cluster_ids), _IN_ONE_QUERY)
        ]
    )
    links: dict[str, list[Link]] = {}
    for part in parts:
        for cluster_id, at, example_id in await connection.execute(part):
            links.setdefault(cluster_id, []).append((at, example_id))
    return links
