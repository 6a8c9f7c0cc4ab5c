"""Examples: a few whole exchanges of each cluster, an even sample of all that there were and the newest (how it is now).

Whoever adds or deletes examples holds them all (`hold_examples`) until its transaction ends: so a body that nobody has any more can be
deleted while others write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from differ.samples import rank
from store.errors import StoreError
from store.example_codec import DamagedExample, Packed, pack_example, unpack_example
from store.records import Example
from store.schema import Body, Cluster, ExampleBody, ExampleLink, RuleExample, StoredExample
from store.upsert import parts, upsert

_LOCK = 0x7061726974790003

Link = tuple[float, str]
"""(time, example id)"""


async def hold_examples(connection: AsyncConnection) -> None:
    """Keeps every other writer of examples out until the transaction ends. Comes before anything else that a transaction holds."""
    if connection.dialect.name == "postgresql":  # on SQLite there is but one writer anyway
        await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})


def kept_links(links: Sequence[Link], keep: int) -> list[Link]:
    """At most `keep` of them, in order of time: those of the lowest ranks in the larger half of the places, the newest in the rest.

    The lowest ranks are an even sample of all that was ever offered, in whatever order and by however many writers.
    """
    every = sorted(set(links))
    sampled = sorted(every, key=lambda link: rank(link[1]))[: keep - keep // 2]
    others = [link for link in every if link not in set(sampled)]
    return sorted([*sampled, *others[len(others) - min(keep // 2, len(others)) :]])


async def write_examples(connection: AsyncConnection, offers: Mapping[str, Sequence[Example]], keep: int) -> None:
    """Keeps what fits of the examples offered to each cluster; examples that no cluster keeps any more are deleted.

    The examples must be held. A cluster that is gone meanwhile is left out.
    """
    held: set[str] = set()
    for some in parts(sorted(offers)):
        rows = select(Cluster.id).where(Cluster.id.in_(some)).order_by(Cluster.id).with_for_update(read=True, key_share=True)
        held.update(await connection.scalars(rows))
    offers = {cluster_id: examples for cluster_id, examples in offers.items() if cluster_id in held}
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
    if not examples:
        return
    known: set[str] = set()
    for some in parts([example.id for example in examples]):
        known.update(await connection.scalars(select(StoredExample.id).where(StoredExample.id.in_(some))))
    packed: dict[str, Packed] = {}
    rows = []
    for example in examples:
        if example.id in known:
            continue
        made = packed[example.id] = pack_example(example)
        rows.append(
            {
                "id": example.id,
                "route": example.route,
                "at": example.at,
                "client": example.client,
                "size": made.size,
                "digest": made.digest,
                "blob": made.blob,
            }
        )
    await upsert(connection, StoredExample, rows)
    bodies = {digest: blob for made in packed.values() for digest, blob in made.bodies.items()}
    await upsert(connection, Body, [{"digest": digest, "blob": blob} for digest, blob in bodies.items()])
    links = [{"example_id": name, "digest": digest} for name, made in packed.items() for digest in made.bodies]
    await upsert(connection, ExampleBody, links)


async def drop_examples(connection: AsyncConnection, example_ids: Sequence[str]) -> int:
    """Deletes examples, what links to them, and the bodies that no other has. The examples must be held. Returns how many went."""
    gone = 0
    for some in parts(sorted(set(example_ids))):
        digests = sorted(set(await connection.scalars(select(ExampleBody.digest).where(ExampleBody.example_id.in_(some)))))
        gone += (await connection.execute(delete(StoredExample).where(StoredExample.id.in_(some)))).rowcount
        for few in parts(digests):
            used = select(ExampleBody.digest).where(ExampleBody.digest == Body.digest).exists()
            await connection.execute(delete(Body).where(Body.digest.in_(few), ~used))
    return gone


async def drop_orphans(connection: AsyncConnection, example_ids: Sequence[str] | None = None) -> int:
    """Deletes the examples, or those of `example_ids`, that no cluster and no rule keeps. The examples must be held."""
    linked = or_(
        select(ExampleLink.example_id).where(ExampleLink.example_id == StoredExample.id).exists(),
        select(RuleExample.example_id).where(RuleExample.example_id == StoredExample.id).exists(),
    )
    orphans = select(StoredExample.id).where(~linked)
    if example_ids is not None:
        orphans = orphans.where(StoredExample.id.in_(example_ids))
    return await drop_examples(connection, list(await connection.scalars(orphans)))


async def links_of(connection: AsyncConnection, cluster_ids: Sequence[str]) -> dict[str, list[str]]:
    """The examples' ids of the clusters, oldest first."""
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
        return unpack_example(*row, await bodies_of(connection, example_id))
    except DamagedExample as error:
        raise StoreError(f"example {example_id}: {error}; `paritygate store check` looks at the whole store") from error


async def bodies_of(connection: AsyncConnection, example_id: str) -> dict[str, bytes]:
    """The bodies of an example that are kept outside of it, compressed, by digest."""
    rows = await connection.execute(
        select(Body.digest, Body.blob)
        .join(ExampleBody, ExampleBody.digest == Body.digest)
        .where(ExampleBody.example_id == example_id)
    )
    return {row.digest: row.blob for row in rows}


async def read_examples(connection: AsyncConnection, cluster_id: str) -> list[Example]:
    """A cluster's examples, oldest first."""
    ids = (await links_of(connection, [cluster_id])).get(cluster_id, [])
    found = [await read_example(connection, example_id) for example_id in ids]
    return [example for example in found if example is not None]


async def _times_of(connection: AsyncConnection, cluster_ids: Sequence[str]) -> dict[str, list[Link]]:
    links: dict[str, list[Link]] = {}
    for some in parts(cluster_ids):
        query = select(ExampleLink.cluster_id, ExampleLink.at, ExampleLink.example_id).where(ExampleLink.cluster_id.in_(some))
        for cluster_id, at, example_id in await connection.execute(query):
            links.setdefault(cluster_id, []).append((at, example_id))
    return links
