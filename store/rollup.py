"""Minutes become hours and hours days once they are old, one route in one transaction: what is kept follows time, not traffic."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, delete, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gate.week import PROFILE_S
from store.schema import Tally, TrafficHour
from store.tallies import DAY, HOUR, MINUTE
from store.upsert import table_of

MINUTES_KEPT = 3 * HOUR
HOURS_KEPT = 14 * DAY
"""For how many seconds, at least, a chart shows each minute, and each hour; a day is a day of UTC."""


async def tally_routes(connection: AsyncConnection) -> list[str]:
    """The routes that have tallies, by leaps over the rows of each."""
    routes: list[str] = []
    while (
        found := await connection.scalar(select(func.min(Tally.route)).where(Tally.route > (routes[-1] if routes else "")))
    ) is not None:
        routes.append(found)
    return routes


async def roll_up(connection: AsyncConnection, route: str, now: float) -> int:
    """Puts a route's minutes and hours that are old at `now` (Unix seconds) into hours and days. Returns how many rows went.

    What arrives late for a time that was rolled up is rolled up the next time.
    """
    gone = 0
    table = table_of(Tally)
    keys = [column.name for column in table.primary_key]
    for span, coarser, kept in ((MINUTE, HOUR, MINUTES_KEPT), (HOUR, DAY, HOURS_KEPT)):
        until = int(now - kept) // coarser * coarser
        old = (Tally.route == route, Tally.start < until, Tally.span == span)
        insert: Any
        chosen: list[ColumnElement[bool]]
        if connection.dialect.name == "postgresql":
            # Held in the order in which writers take them, then taken out and put in by one statement: what somebody adds in between
            # is either in what this takes, or comes after it.
            held = select(Tally.start).where(*old).order_by(Tally.start, Tally.epoch, Tally.verdict).with_for_update()
            gone += len((await connection.execute(held)).all())
            taken = delete(Tally).where(*old).returning(*table.columns).cte("taken")
            source, chosen, insert = taken.c, [], postgresql.insert(table).add_cte(taken)
        else:  # one writer at a time
            source, chosen, insert = table.c, list(old), sqlite.insert(table)
        start = source.start - source.start % coarser
        rows = (
            select(source.route, literal(coarser), start, source.epoch, source.verdict, func.sum(source["count"]))
            .where(*chosen)
            .group_by(source.route, start, source.epoch, source.verdict)
        )
        insert = insert.from_select(["route", "span", "start", "epoch", "verdict", "count"], rows)
        changed = {"count": table.c.count + insert.excluded["count"]}
        await connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed))
        if connection.dialect.name != "postgresql":
            gone += (await connection.execute(delete(Tally).where(*old))).rowcount
    return gone


async def drop_old(connection: AsyncConnection, route: str, before: float, now: float) -> int:
    """Deletes a route's tallies that ended by `before` (Unix seconds), and its hours of traffic of which no profile asks at `now`.

    Returns how many rows went.
    """
    old = (TrafficHour.route == route, TrafficHour.start <= int(now) - PROFILE_S - HOUR)
    gone = (await connection.execute(delete(TrafficHour).where(*old))).rowcount
    for span in (MINUTE, HOUR, DAY):
        ended = (Tally.route == route, Tally.span == span, Tally.start <= int(before) - span)
        gone += (await connection.execute(delete(Tally).where(*ended))).rowcount
    return gone
