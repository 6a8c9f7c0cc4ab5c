"""Writes one batch inside one transaction. Every writer takes the tables in this order and the rows in the order of their keys."""

from __future__ import annotations

import math
from dataclasses import replace

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.accounts import lock_boots, write_ends, write_openings
from store.clusters import MAX_CLIENTS, write_clusters
from store.data_nodes import write_data_nodes
from store.records import Batch, Ended
from store.rule_uses import write_rule_examples, write_rule_uses
from store.schema import Writer
from store.tallies import write_latency_pairs, write_tallies
from store.units import due_pairs, fold, write_epochs, write_units
from store.upsert import upsert

Token = tuple[str, int]
"""A writer's name and the number of its batch, growing. A number not above the last one is a batch that was written already."""


async def write_batch(
    connection: AsyncConnection, batch: Batch, keep_examples: int, max_open_units: int, token: Token | None = None
) -> None:
    """Counts everything of the batch. Exchanges of closed boots were counted as lost already and change nothing any more."""
    if token is not None and await _was_written(connection, token):
        return
    closed = await lock_boots(connection, batch.ended, batch.openings)
    ended = [_with_time(row) for row in batch.ended if row.count > 0 and row.boot not in closed]
    closed_until = await write_epochs(connection, ended)
    await write_ends(connection, ended)
    await write_openings(connection, [opening for opening in batch.openings if opening.boot not in closed])
    await write_tallies(connection, ended)
    await write_rule_uses(connection, ended, batch.samples)
    await write_latency_pairs(connection, batch.latency)
    await write_units(connection, ended, closed_until, max_open_units)
    if closed_until:
        now = max(row.at for row in ended)
        await fold(connection, await due_pairs(connection, now) & set(closed_until), now)
    await write_data_nodes(connection, batch.data_nodes, keep_examples, MAX_CLIENTS)
    await write_clusters(connection, ended, batch.findings, keep_examples)
    await write_rule_examples(connection, batch.samples, keep_examples)


async def _was_written(connection: AsyncConnection, token: Token) -> bool:
    name, number = token
    await upsert(connection, Writer, [{"name": name, "last": -1}])
    last = await connection.scalar(select(Writer.last).where(Writer.name == name).with_for_update())
    if last is not None and number <= last:
        return True
    await connection.execute(update(Writer).where(Writer.name == name).values(last=number))
    return False


def _with_time(row: Ended) -> Ended:
    # A clock that gives no number must not cost the batch.
    return row if math.isfinite(row.at) else replace(row, at=0.0)
