"""Evidence units: open while their window is open, then folded into n and k of their (route, epoch), exactly once.

A unit's verdict is the worst seen in its window, so the order of its exchanges is irrelevant. Every change of a (route, epoch)
happens while its evidence row is held, so a window cannot close while somebody still adds to it. Of what arrives later, good
units change nothing and bad ones count at once (store.late_units): late samples never help, and no mismatch is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.accounts import incidents, read_ledgers
from store.late_units import COUNTED, Unit, count_late
from store.records import Ended
from store.schema import Epoch, LatencyPair, OpenUnit, VerdictTotal
from store.upsert import upsert
from traffic.outcome import Ending, Verdict

Pair = tuple[str, str]
"""(route, epoch)"""

Window = tuple[str, str, float]
"""(route, epoch, end of the window)"""

GRACE_S = 5.0
"""How long after its end a window still takes units, at most its own length: batches are written a little after their exchanges."""

_BAD = frozenset({(Ending.COMPARED, Verdict.MISMATCH)})
_GOOD = frozenset({(Ending.COMPARED, Verdict.MATCH), (Ending.COMPARED, Verdict.TOLERATED)})


def counts_as(row: Ended) -> int | None:
    """1 where the exchange speaks against parity, 0 where for it, None where it says nothing."""
    if row.ending == Ending.CANDIDATE_ERROR or (row.ending, row.reason) in _BAD:
        return 1
    return 0 if (row.ending, row.reason) in _GOOD else None


def rank_of(unit: str) -> int:
    """A number from a unit's key, the same everywhere: of too many units those with the lowest stay, whatever their verdicts."""
    digest = hashlib.blake2b(unit.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


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


async def write_units(
    connection: AsyncConnection, ended: Iterable[Ended], closed_until: dict[Pair, float], max_open: int
) -> None:
    """Adds the batch's evidence to its open units. Of units of a closed window only the bad ones count, at once."""
    worst: dict[Unit, tuple[int, float, float]] = {}
    late: dict[Unit, tuple[float, float]] = {}
    for row in ended:
        bad = counts_as(row)
        if row.unit is None or bad is None or (row.route, row.epoch) not in closed_until or not row.window_s > 0:
            continue
        ends_at = (row.at // row.window_s + 1) * row.window_s
        key = (row.route, row.epoch, ends_at, row.unit)
        until = closed_until[row.route, row.epoch]
        if ends_at <= until:
            if bad:
                late[key] = (row.at, until + row.window_s)
            continue
        old_bad, old_at, _ = worst.get(key, (0, row.at, 0.0))
        worst[key] = (max(bad, old_bad), min(row.at, old_at), ends_at + min(row.window_s, GRACE_S))
    worst |= {key: (bad, *late[key]) for key, bad in (await count_late(connection, late)).items()}
    rows = [
        {
            "route": route,
            "epoch": epoch,
            "ends_at": ends_at,
            "rank": rank_of(unit),
            "unit": unit,
            "bad": bad,
            "at": at,
            "closes_at": closes_at,
        }
        for (route, epoch, ends_at, unit), (bad, at, closes_at) in worst.items()
    ]
    await upsert(connection, OpenUnit, rows, bad="max", at="min")
    for route, epoch, ends_at in await _overfull(connection, {key[:3] for key in worst}, max_open):
        await _drop_surplus(connection, route, epoch, ends_at, max_open)


async def due_pairs(connection: AsyncConnection, now: float) -> set[Pair]:
    """The pairs that have units to fold."""
    found = await connection.execute(select(OpenUnit.route, OpenUnit.epoch).where(OpenUnit.closes_at <= now).distinct())
    return {(route, epoch) for route, epoch in found}


async def fold(connection: AsyncConnection, pairs: Collection[Pair], now: float) -> int:
    """Folds the units whose window is over. The pairs' evidence rows must be held. Returns how many units were folded."""
    folded = 0
    for route, epoch in sorted(pairs):
        over = (OpenUnit.route == route, OpenUnit.epoch == epoch, OpenUnit.closes_at <= now)
        await connection.execute(delete(OpenUnit).where(*over, OpenUnit.bad == COUNTED))
        row = (
            await connection.execute(
                select(
                    func.count(),
                    func.sum(OpenUnit.bad),
                    func.min(OpenUnit.at),
                    func.max(OpenUnit.at),
                    func.max(OpenUnit.ends_at),
                ).where(*over)
            )
        ).one()
        units, bad, first, last, ends_at = row
        if not units:
            continue
        await connection.execute(
            update(Epoch)
            .where(Epoch.route == route, Epoch.epoch == epoch)
            .values(
                n=Epoch.n + int(units),
                k=Epoch.k + int(bad),
                first_unit_at=case((Epoch.first_unit_at < first, Epoch.first_unit_at), else_=first),
                last_unit_at=case((Epoch.last_unit_at > last, Epoch.last_unit_at), else_=last),
                closed_until=case((Epoch.closed_until > ends_at, Epoch.closed_until), else_=ends_at),
            )
        )
        await connection.execute(delete(OpenUnit).where(*over))
        folded += int(units)
    return folded


async def close_units(connection: AsyncConnection, now: float) -> int:
    """Folds every unit whose window is over at `now`, of routes without traffic too. Returns how many."""
    pairs = sorted(await due_pairs(connection, now))
    for route, epoch in pairs:
        await connection.execute(select(Epoch.n).where(Epoch.route == route, Epoch.epoch == epoch).with_for_update())
    return await fold(connection, pairs, now)


async def restart(connection: AsyncConnection, route: str, epochs: Iterable[str], now: float) -> None:
    """Ends the attempt of a route's `epochs`: all their evidence begins anew, what is written later for older windows is late."""
    base = await _incidents_of(connection, route)
    for epoch in sorted(set(epochs)):
        of_pair = [(model.route == route, model.epoch == epoch) for model in (OpenUnit, VerdictTotal, LatencyPair)]
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
        await connection.execute(delete(OpenUnit).where(*of_pair[0]))
        await connection.execute(delete(VerdictTotal).where(*of_pair[1]))
        await connection.execute(update(LatencyPair).where(*of_pair[2]).values(primary_slow_only=0, candidate_slow_only=0))


async def _closed_until(connection: AsyncConnection, pairs: Iterable[Pair]) -> dict[Pair, float]:
    wanted = set(pairs)
    routes: Sequence[str] = sorted({route for route, _ in wanted})
    found = await connection.execute(select(Epoch.route, Epoch.epoch, Epoch.closed_until).where(Epoch.route.in_(routes)))
    return {(route, epoch): until for route, epoch, until in found if (route, epoch) in wanted}


async def _incidents_of(connection: AsyncConnection, route: str) -> int:
    ledger = (await read_ledgers(connection, route)).get(route)
    return incidents(ledger) if ledger is not None else 0


async def _overfull(connection: AsyncConnection, windows: Collection[Window], max_open: int) -> list[Window]:
    """Those of the windows that hold more than `max_open` units."""
    if not windows:
        return []
    found = await connection.execute(
        select(OpenUnit.route, OpenUnit.epoch, OpenUnit.ends_at)
        .where(
            OpenUnit.route.in_(sorted({window[0] for window in windows})),
            OpenUnit.epoch.in_(sorted({window[1] for window in windows})),
            OpenUnit.ends_at.in_(sorted({window[2] for window in windows})),
        )
        .group_by(OpenUnit.route, OpenUnit.epoch, OpenUnit.ends_at)
        .having(func.count() > max_open)
    )
    return sorted((route, epoch, ends_at) for route, epoch, ends_at in found if (route, epoch, ends_at) in windows)


async def _drop_surplus(connection: AsyncConnection, route: str, epoch: str, ends_at: float, max_open: int) -> None:
    window = (OpenUnit.route == route, OpenUnit.epoch == epoch, OpenUnit.ends_at == ends_at)
    surplus = select(OpenUnit.rank).where(*window).order_by(OpenUnit.rank).offset(max_open).limit(1).scalar_subquery()
    await connection.execute(delete(OpenUnit).where(*window, OpenUnit.rank >= surplus))
