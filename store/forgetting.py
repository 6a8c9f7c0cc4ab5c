"""Legal deletion: what the store holds of one person goes, what it counted stays. Nobody is named in a count."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from urllib.parse import quote

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.example_codec import DamagedExample, holds
from store.examples import bodies_of, drop_examples, hold_examples
from store.schema import Cluster, ClusterClient, RulePlace, StoredExample
from store.upsert import parts

Transaction = Callable[[], AbstractAsyncContextManager[AsyncConnection]]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What `forget` took out."""

    examples: int
    clusters: int
    """Clusters that no longer name the client, or no longer show a text."""


async def forget(
    reading: Transaction, writing: Transaction, clients: Collection[str], example_ids: Collection[str], texts: Collection[str]
) -> Forgotten:
    """Deletes the examples of these clients, of these ids, and those in which one of `texts` occurs; and clients and texts in clusters.

    A text is looked for as it is, as JSON and as a URL would write it; texts that were redacted are not there to be found. Damaged
    examples go too, wherever texts are given: nobody can say what is in them.
    """
    needles = sorted({form for wanted in texts if wanted for form in _forms(wanted)})
    async with reading() as connection:
        ids = set(await connection.scalars(select(StoredExample.id).where(StoredExample.id.in_(sorted(example_ids)))))
        for some in parts(sorted(clients)):
            ids |= set(await connection.scalars(select(StoredExample.id).where(StoredExample.client.in_(some))))
        if needles:
            ids |= await _holding(connection, needles)
    gone = 0
    for some in parts(sorted(ids), 100):
        async with writing() as connection:
            await hold_examples(connection)
            gone += await drop_examples(connection, some)
    async with writing() as connection:
        clusters = set()
        for some in parts(sorted(clients)):
            clusters |= set(await connection.scalars(select(ClusterClient.cluster_id).where(ClusterClient.client.in_(some))))
            await connection.execute(delete(ClusterClient).where(ClusterClient.client.in_(some)))
        if needles:
            clusters |= await _blank(connection, needles)
    return Forgotten(gone, len(clusters))


async def _holding(connection: AsyncConnection, needles: Collection[bytes]) -> set[str]:
    found = set()
    rows = await connection.stream(select(StoredExample.id, StoredExample.blob).order_by(StoredExample.id))
    async for example_id, blob in rows:
        try:
            if holds(blob, await bodies_of(connection, example_id), needles):
                found.add(example_id)
        except DamagedExample:
            found.add(example_id)
    return found


async def _blank(connection: AsyncConnection, needles: Collection[bytes]) -> set[str]:
    """Empties the sentences that show one of the texts."""
    clusters = {
        cluster_id
        for cluster_id, detail in await connection.execute(select(Cluster.id, Cluster.detail).where(Cluster.detail != ""))
        if _in_text(detail, needles)
    }
    for some in parts(sorted(clusters)):
        await connection.execute(update(Cluster).where(Cluster.id.in_(some)).values(detail=""))
    places = [
        place
        for place, note in await connection.execute(select(RulePlace.id, RulePlace.note).where(RulePlace.note != ""))
        if _in_text(note, needles)
    ]
    for some in parts(sorted(places)):
        await connection.execute(update(RulePlace).where(RulePlace.id.in_(some)).values(note=""))
    return clusters


def _in_text(text: str, needles: Collection[bytes]) -> bool:
    encoded = text.encode("utf-8", "surrogatepass")
    return any(needle in encoded for needle in needles)


def _forms(text: str) -> set[bytes]:
    plain = text.encode("utf-8", "surrogatepass")
    return {plain, json.dumps(text)[1:-1].encode("ascii"), quote(plain, safe="").encode("ascii")}
