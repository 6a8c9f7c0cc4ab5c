"""Takes out of the store what is old or too much, in many short transactions: whoever writes waits for none of them.

Counters of the ledger, decisions and the audit stay. Deleted text is overwritten on SQLite (`secure_delete`); on PostgreSQL its pages
are used again after a vacuum.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.closed_books import archive_boot, closed_boots, forget_boots
from store.clusters import MAX_CLIENTS
from store.data_nodes import merge_clusters
from store.epochs import collapse_epochs
from store.examples import drop_examples, drop_orphans, hold_examples
from store.rollup import drop_old, roll_up, tally_routes
from store.rule_uses import prune_rule_uses
from store.schema import Cluster, ClusterAlias, ExampleLink, StoredExample
from store.steps import Step
from store.upsert import parts

Writing = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
STEP_ROWS = 200


async def prune(writing: Writing, before: float, now: float, most_bytes: int | None) -> AsyncIterator[Step]:
    """Rolls charts up, deletes what is older than `before`, and the oldest examples while all take more than `most_bytes`.

    `before` and `now` are Unix seconds. Each step is a transaction of its own, and is committed when it is told.
    """
    async with writing() as connection:
        routes = await tally_routes(connection)
        boots = await closed_boots(connection)
    for number, route in enumerate(routes, 1):
        async with writing() as connection:
            rows = await roll_up(connection, route, now) + await drop_old(connection, route, before, now)
        yield Step("charts", number, len(routes), rows)
    for number, boot in enumerate(boots, 1):
        async with writing() as connection:
            rows = await archive_boot(connection, boot)
        yield Step("closed books", number, len(boots), rows)
    async for step in _old_examples(writing, before):
        yield step
    async for step in _old_clusters(writing, before):
        yield step
    async with writing() as connection:
        await hold_examples(connection)
        rows = await prune_rule_uses(connection, before) + await collapse_epochs(connection, before)
        rows += await forget_boots(connection, before)
        # Those of writers that did not know of a merge at the same moment, and those whose last keeper went.
        await merge_clusters(connection, None, 1, MAX_CLIENTS)
        rows += await drop_orphans(connection)
    yield Step("epochs and rules", 1, 1, rows)
    if most_bytes is not None:
        async for step in _surplus_examples(writing, most_bytes):
            yield step


async def _old_examples(writing: Writing, before: float) -> AsyncIterator[Step]:
    done = 0
    while True:
        async with writing() as connection:
            await hold_examples(connection)
            total = await connection.scalar(select(func.count()).where(StoredExample.at < before)) or 0
            oldest = select(StoredExample.id).where(StoredExample.at < before).order_by(StoredExample.at, StoredExample.id)
            ids = list(await connection.scalars(oldest.limit(STEP_ROWS)))
            rows = await drop_examples(connection, ids)
        if not ids:
            return
        done += len(ids)
        yield Step("old examples", done, done + total - len(ids), rows)


async def _surplus_examples(writing: Writing, most_bytes: int) -> AsyncIterator[Step]:
    """Deletes the oldest examples until the rest fits."""
    done = 0
    while True:
        async with writing() as connection:
            await hold_examples(connection)
            size = int(await connection.scalar(select(func.sum(StoredExample.size))) or 0)
            if size <= most_bytes:
                return
            oldest = await connection.execute(
                select(StoredExample.id, StoredExample.size).order_by(StoredExample.at, StoredExample.id).limit(STEP_ROWS)
            )
            ids, over = [], size - most_bytes
            for example_id, bytes_ in oldest:
                if over <= 0:
                    break
                ids.append(example_id)
                over -= bytes_
            rows = await drop_examples(connection, ids)
        done += len(ids)
        yield Step("examples over the size", done, done, rows)


async def _old_clusters(writing: Writing, before: float) -> AsyncIterator[Step]:
    """Clusters that nothing was added to since: what they counted stays in the tallies and the ledger."""
    done = 0
    while True:
        async with writing() as connection:
            await hold_examples(connection)
            total = await connection.scalar(select(func.count()).where(Cluster.last_seen < before)) or 0
            oldest = (
                select(Cluster.id).where(Cluster.last_seen < before).order_by(Cluster.last_seen, Cluster.id).limit(STEP_ROWS)
            )
            chosen = sorted(await connection.scalars(oldest))
            # Held in the order in which writers take them, and looked at again: one may just have been added to.
            held = select(Cluster.id).where(Cluster.id.in_(chosen), Cluster.last_seen < before).order_by(Cluster.id)
            ids = list(await connection.scalars(held.with_for_update()))
            kept = sorted(set(await connection.scalars(select(ExampleLink.example_id).where(ExampleLink.cluster_id.in_(ids)))))
            await connection.execute(delete(ClusterAlias).where(ClusterAlias.cluster_id.in_(ids)))
            rows = (await connection.execute(delete(Cluster).where(Cluster.id.in_(ids)))).rowcount
            for some in parts(kept):
                rows += await drop_orphans(connection, some)
        if not chosen:
            return
        done += len(chosen)
        yield Step("old clusters", done, max(done, done + total - len(chosen)), rows)
