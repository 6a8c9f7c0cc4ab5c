"""Retention and integrity: what `store prune` and `store check` do."""

from __future__ import annotations

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.accounts import read_ledgers
from store.audit import audit_problems
from store.clusters import MAX_CLIENTS
from store.data_nodes import merge_clusters
from store.example_codec import DamagedExample, unpack_example
from store.examples import drop_orphans
from store.rule_uses import prune_rule_uses
from store.schema import ExampleLink, LatencyBucket, StoredExample, Tally
from store.standings import damaged_decisions
from store.tallies import ALL_HOURS


async def prune(connection: AsyncConnection, before: float) -> int:
    """Deletes examples, minutes, days of rules and hourly latencies older than `before` (Unix seconds). Returns how many rows.

    Counters, evidence, ledger, clusters, decisions and the audit stay: they do not grow with traffic.
    """
    gone = 0
    for statement in (
        delete(Tally).where(Tally.minute < int(before // 60)),
        delete(LatencyBucket).where(LatencyBucket.hour != ALL_HOURS, LatencyBucket.hour < int(before // 3600)),
        delete(ExampleLink).where(ExampleLink.at < before),
    ):
        gone += (await connection.execute(statement)).rowcount
    gone += await prune_rule_uses(connection, before)
    await merge_clusters(connection, None, 1, MAX_CLIENTS)  # those of writers that did not know of a merge at the same moment
    return gone + await drop_orphans(connection)


async def problems(connection: AsyncConnection) -> list[str]:
    """What is wrong in the store, one sentence each; empty when nothing is."""
    found = []
    if connection.dialect.name == "sqlite":
        lines = list(await connection.scalars(text("PRAGMA integrity_check")))
        found += [f"integrity: {line}" for line in lines if line != "ok"]
    for route, ledger in (await read_ledgers(connection)).items():
        found += [f"ledger: {route}: {violation}" for violation in ledger.violations()]
    found += await audit_problems(connection)
    found += await damaged_decisions(connection)
    rows = await connection.stream(
        select(StoredExample.id, StoredExample.blob, StoredExample.digest).order_by(StoredExample.id)
    )
    async for example_id, blob, digest in rows:
        try:
            unpack_example(blob, digest)
        except DamagedExample as error:
            found.append(f"example {example_id}: {error}")
    return found
