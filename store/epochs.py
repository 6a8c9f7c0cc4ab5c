"""The epochs of routes: registered and held by whoever writes about them, begun anew by a roll-back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import CTE, Integer, case, column, delete, select, update, values
from sqlalchemy.ext.asyncio import AsyncConnection

from store.accounts import incidents, read_ledgers
from store.records import Ended
from store.schema import (
    ROUTE_BYTES,
    Epoch,
    FrequentUnits,
    LatencyBucket,
    LatencyPair,
    OpenUnit,
    ServedUnits,
    ShapeUnits,
    VerdictTotal,
    WeekUnits,
    Window,
)
from store.text import KeyText
from store.upsert import parts, upsert

Pair = tuple[str, str]
"""(route, epoch)"""

ATTEMPT_UNITS = 20
"""Earlier epochs with fewer closed units were no attempt: nobody passes on so few at any parity of 0.82 or more."""
_OF_ATTEMPT = (OpenUnit, Window, VerdictTotal, ShapeUnits, ServedUnits, WeekUnits, FrequentUnits)
"""What begins anew with an attempt, beside the epoch's own row and its latencies."""
OLD = "(old)"
"""The epoch that stands for all the old ones of a route; no real one is named so."""


def as_rows(pairs: Sequence[Pair]) -> CTE:
    """The pairs as a table to join, numbered `at`: SQLite finds no index for `(route, epoch) IN (...)`."""
    columns = values(column("at", Integer), column("route", KeyText(ROUTE_BYTES)), column("epoch", KeyText()), name="wanted")
    return columns.data([(at, *pair) for at, pair in enumerate(pairs)]).cte()


async def write_epochs(connection: AsyncConnection, ended: Iterable[Ended]) -> dict[Pair, float]:
    """Registers the epochs of a batch and holds their rows. Returns until when each pair's windows are closed.

    A new epoch remembers how many incidents its route had before it. Call it before the batch's ends are written.
    """
    seen: dict[Pair, tuple[float, float]] = {}
    for row in ended:
        if row.epoch:
            first, last = seen.get((row.route, row.epoch), (row.at, row.at))
            seen[row.route, row.epoch] = (min(first, row.at), max(last, row.at))
    if not seen:
        return {}
    known = await _closed_until(connection, seen)
    bases = {route: await _incidents_of(connection, route) for route in sorted({pair[0] for pair in seen if pair not in known})}
    rows = [
        {
            "route": route,
            "epoch": epoch,
            "first_seen": first,
            "last_seen": last,
            "n": 0,
            "k": 0,
            "closed_until": 0.0,
            "incident_base": bases.get(route, 0),
            "restarts": 0,
        }
        for (route, epoch), (first, last) in seen.items()
    ]
    await upsert(connection, Epoch, rows, first_seen="min", last_seen="max")
    # Read again: the rows are held only now, and whoever held them before may have closed windows.
    return await _closed_until(connection, seen)


async def restart(connection: AsyncConnection, route: str, epochs: Iterable[str], now: float) -> None:
    """Ends the attempt of a route's `epochs`: all their evidence begins anew, what is written later for older windows is late."""
    base = await _incidents_of(connection, route)
    for epoch in sorted(set(epochs)):
        await connection.execute(
            update(Epoch)
            .where(Epoch.route == route, Epoch.epoch == epoch)
            .values(
                n=0,
                k=0,
                first_unit_at=None,
                last_unit_at=None,
                closed_until=case((Epoch.closed_until > now, Epoch.closed_until), else_=now),
                incident_base=base,
                restarts=Epoch.restarts + 1,
            )
        )
        for model in _OF_ATTEMPT:
            await connection.execute(delete(model).where(model.route == route, model.epoch == epoch))
        await connection.execute(
            update(LatencyPair)
            .where(LatencyPair.route == route, LatencyPair.epoch == epoch)
            .values(primary_slow_only=0, candidate_slow_only=0)
        )


async def collapse_epochs(connection: AsyncConnection, before: float) -> int:
    """Puts the epochs that ended before `before` into one row for each route, which keeps how many attempts they were.

    A route's current epoch stays, however old. Returns how many rows went.
    """
    found = await connection.execute(
        select(Epoch.route, Epoch.epoch, Epoch.last_seen, Epoch.first_seen, Epoch.n, Epoch.restarts)
    )
    of_route: dict[str, list[Any]] = defaultdict(list)
    for row in found:
        of_route[row.route].append(row)
    gone = 0
    for route, rows in sorted(of_route.items()):
        newest = max(rows, key=lambda row: (row.last_seen, row.first_seen, row.epoch))
        names = sorted(row.epoch for row in rows if row.last_seen < before and row is not newest and row.epoch != OLD)
        # Held before what belongs to them, as writers do, and looked at again: one may just have come back.
        held = select(Epoch.epoch, Epoch.first_seen, Epoch.last_seen, Epoch.n, Epoch.restarts)
        held = held.where(Epoch.route == route, Epoch.epoch.in_(names), Epoch.last_seen < before)
        old = (await connection.execute(held.order_by(Epoch.epoch).with_for_update())).all()
        names = [row.epoch for row in old]
        if not old:
            continue
        attempts = sum(row.restarts + (row.n >= ATTEMPT_UNITS) for row in old)
        first, last = min(row.first_seen for row in old), max(row.last_seen for row in old)
        together = {"route": route, "epoch": OLD, "first_seen": first, "last_seen": last, "restarts": attempts}
        rest = {"n": 0, "k": 0, "closed_until": 0.0, "incident_base": 0}
        await upsert(connection, Epoch, [{**together, **rest}], first_seen="min", last_seen="max", restarts="add")
        for model in (*_OF_ATTEMPT, LatencyBucket, LatencyPair, Epoch):
            for some in parts(names):
                gone += (await connection.execute(delete(model).where(model.route == route, model.epoch.in_(some)))).rowcount
    return gone


async def _closed_until(connection: AsyncConnection, pairs: Iterable[Pair]) -> dict[Pair, float]:
    wanted = set(pairs)
    until: dict[Pair, float] = {}
    for routes in parts(sorted({route for route, _ in wanted})):
        epochs = sorted({epoch for route, epoch in wanted if route in set(routes)})
        found = await connection.execute(
            select(Epoch.route, Epoch.epoch, Epoch.closed_until).where(Epoch.route.in_(routes), Epoch.epoch.in_(epochs))
        )
        until |= {(route, epoch): at for route, epoch, at in found if (route, epoch) in wanted}
    return until


async def _incidents_of(connection: AsyncConnection, route: str) -> int:
    ledger = (await read_ledgers(connection, route)).get(route)
    return incidents(ledger) if ledger is not None else 0
