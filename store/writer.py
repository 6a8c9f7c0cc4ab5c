"""Writes one batch: its counts in one transaction, then the examples that are kept of it in another.

Every writer takes the tables in this order and the rows in the order of their keys, so that none waits for one that waits for it.
A batch whose examples could not be written is counted all the same: they are a sample, and the next one brings others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gate.shares import UnitLimits
from store.accounts import lock_boots, write_ends, write_openings
from store.closed_books import close_boot
from store.clusters import MAX_CLIENTS, write_clusters
from store.data_nodes import write_data_nodes
from store.epochs import write_epochs
from store.examples import hold_examples, write_examples
from store.records import Batch, Ended, Example, RuleSample
from store.rule_uses import write_rule_examples, write_rule_uses
from store.schema import Writer
from store.shapes import write_shapes, write_traffic
from store.tallies import write_latency_pairs, write_tallies
from store.units import write_units
from store.upsert import upsert

Token = tuple[str, int]
"""A writer's name and the number of its batch, growing. A number not above the last one is a batch that was written already."""


Offers = Mapping[str, Sequence[Example]]
"""Examples by the id of the cluster that they are offered to."""


async def write_counts(connection: AsyncConnection, batch: Batch, keep: int, limits: UnitLimits, token: Token | None) -> Offers:
    """Counts everything of the batch. Exchanges of closed boots were counted as lost already and change nothing any more.

    Returns the examples that should be kept; none where this batch was written before.
    """
    if batch.data_nodes:
        await hold_examples(connection)  # clusters are merged then, and their examples with them
    if token is not None and await _was_written(connection, token):
        return {}
    closed = await lock_boots(connection, batch.ended, batch.openings)
    ended = [_with_time(row) for row in batch.ended if row.count > 0 and row.boot not in closed]
    closed_until = await write_epochs(connection, ended)
    await write_ends(connection, ended)
    fresh = [opening for opening in batch.openings if opening.boot not in closed]
    await write_openings(connection, fresh)
    await write_tallies(connection, ended)
    await write_traffic(connection, ended)
    await write_shapes(connection, ended, limits.max_shapes)
    await write_rule_uses(connection, ended, batch.samples)
    await write_latency_pairs(connection, batch.latency)
    await write_units(connection, ended, closed_until, limits.max_open)
    await write_data_nodes(connection, batch.data_nodes, keep, MAX_CLIENTS)
    offers = await write_clusters(connection, ended, batch.findings)
    for opening in sorted((opening for opening in fresh if opening.closed), key=lambda opening: opening.boot):
        await close_boot(connection, opening.boot, opening.at)
    return offers


async def write_kept(connection: AsyncConnection, offers: Offers, samples: Sequence[RuleSample], keep: int) -> None:
    """Keeps at most `keep` of the examples offered to each cluster and each rule. Writing it again changes nothing."""
    await hold_examples(connection)
    await write_examples(connection, offers, keep)
    await write_rule_examples(connection, samples, keep)


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
