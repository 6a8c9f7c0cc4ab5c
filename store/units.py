"""Evidence units: open while their window is open, then folded into n and k of their (route, epoch), exactly once.

A unit's verdict is the worst seen in its window, so the order of its exchanges is irrelevant. Every change of a (route, epoch)
happens while its evidence row is held, so a window cannot close while somebody still adds to it. Of what arrives later, good
units change nothing and bad ones count at once (store.late_units): late samples never help, and no mismatch is lost.

Of more than `max_open` units of a window those with the lowest ranks count. What surplus lies about until then is a matter of cost
only: a window is counted anew whenever a tenth as many rows were written as it held, so a row costs the same however many there are.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gate.shares import UnitLimits
from store.epochs import Pair
from store.folding import fold_units
from store.late_units import COUNTED, Unit, count_late
from store.records import Ended
from store.schema import Epoch, OpenUnit, Window
from store.upsert import upsert
from traffic.outcome import Ending, Verdict

WindowKey = tuple[str, str, float]
"""(route, epoch, end of the window)"""

GRACE_S = 5.0
"""How long after its end a window still takes units, at most its own length: batches are written a little after their exchanges."""
FOLD_ROWS = 20_000
"""About how many units one transaction folds: some tens of milliseconds, in which other writers wait."""

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


async def write_units(
    connection: AsyncConnection, ended: Iterable[Ended], closed_until: dict[Pair, float], max_open: int
) -> None:
    """Adds the batch's evidence to its open units. Of units of a closed window only the bad ones count, at once.

    The pairs' evidence rows must be held; `closed_until` says until when their windows are closed.
    """
    worst: dict[Unit, tuple[int, float, int]] = {}
    late: dict[Unit, tuple[float, float]] = {}
    closes: dict[WindowKey, float] = {}
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
        old_bad, old_at, old_served = worst.get(key, (0, row.at, 0))
        worst[key] = (max(bad, old_bad), min(row.at, old_at), max(int(row.served), old_served))
        window = key[:3]
        closes[window] = max(closes.get(window, 0.0), ends_at + min(row.window_s, GRACE_S))
    below = await _thresholds(connection, closes)
    ranks = {key: rank_of(key[3]) for key in worst}
    worst = {key: seen for key, seen in worst.items() if ranks[key] < below.get(key[:3], 1 << 63)}
    added = Counter(key[:3] for key in worst)
    for key, bad in (await count_late(connection, late)).items():
        at, until = late[key]
        ranks[key], worst[key] = rank_of(key[3]), (bad, at, 0)
        closes[key[:3]] = max(closes.get(key[:3], 0.0), until)
    rows = [
        {
            "route": key[0],
            "epoch": key[1],
            "ends_at": key[2],
            "rank": ranks[key],
            "unit": key[3],
            "bad": bad,
            "at": at,
            "served": served,
        }
        for key, (bad, at, served) in worst.items()
    ]
    await upsert(connection, OpenUnit, rows, bad="max", at="min", served="max")
    windows = [
        {
            "route": route,
            "epoch": epoch,
            "ends_at": ends_at,
            "closes_at": at,
            "units": added[route, epoch, ends_at],
            "counted": 0,
        }
        for (route, epoch, ends_at), at in closes.items()
    ]
    await upsert(connection, Window, windows, closes_at="max", units="add")
    await _count_grown(connection, added, max_open)


async def close_units(connection: AsyncConnection, now: float, limits: UnitLimits) -> tuple[int, bool]:
    """Folds units whose window is over at `now`, of routes without traffic too, oldest windows first: how many, and whether all."""
    folded = 0
    due = await connection.execute(
        select(Window.route, Window.epoch, Window.ends_at, Window.units)
        .where(Window.closes_at <= now)
        .order_by(Window.closes_at, Window.ends_at, Window.route, Window.epoch)
        .limit(FOLD_ROWS)
    )
    chosen: list[WindowKey] = []
    room, left = FOLD_ROWS, False
    for route, epoch, ends_at, units in due:
        if chosen and units > room:
            left = True
            break
        chosen.append((route, epoch, ends_at))
        room -= units + 1
    for pair in sorted({window[:2] for window in chosen}):
        await connection.execute(select(Epoch.n).where(Epoch.route == pair[0], Epoch.epoch == pair[1]).with_for_update())
    for window in sorted(chosen):
        folded += await _fold(connection, window, now, limits)
    return folded, not left and len(chosen) < FOLD_ROWS


async def _fold(connection: AsyncConnection, window: WindowKey, now: float, limits: UnitLimits) -> int:
    """Folds one window, whose evidence row is held; how many of its units count."""
    route, epoch, ends_at = window
    this = (Window.route == route, Window.epoch == epoch, Window.ends_at == ends_at)
    if (await connection.scalar(select(Window.closes_at).where(*this)) or now + 1) > now:
        return 0  # another process was quicker, or a longer one of its windows is open
    inside = (OpenUnit.route == route, OpenUnit.epoch == epoch, OpenUnit.ends_at == ends_at)
    await connection.execute(delete(OpenUnit).where(*inside, OpenUnit.bad == COUNTED))
    before = await connection.scalar(select(Epoch.n).where(Epoch.route == route, Epoch.epoch == epoch))
    kept = await fold_units(connection, window, limits, int(before or 0))
    if kept:
        first, last = min(unit.at for unit in kept), max(unit.at for unit in kept)
        await connection.execute(
            update(Epoch)
            .where(Epoch.route == route, Epoch.epoch == epoch)
            .values(
                n=Epoch.n + len(kept),
                k=Epoch.k + sum(unit.bad for unit in kept),
                first_unit_at=case((Epoch.first_unit_at < first, Epoch.first_unit_at), else_=first),
                last_unit_at=case((Epoch.last_unit_at > last, Epoch.last_unit_at), else_=last),
                closed_until=case((Epoch.closed_until > ends_at, Epoch.closed_until), else_=ends_at),
            )
        )
    await connection.execute(delete(OpenUnit).where(*inside))
    await connection.execute(delete(Window).where(*this))
    return len(kept)


async def _thresholds(connection: AsyncConnection, windows: Collection[WindowKey]) -> dict[WindowKey, int]:
    """The ranks from which on units stay out, of those of the windows that were full."""
    if not windows:
        return {}
    found = await connection.execute(
        select(Window.route, Window.epoch, Window.ends_at, Window.below).where(*_among(windows), Window.below.is_not(None))
    )
    return {(route, epoch, ends_at): below for route, epoch, ends_at, below in found if below is not None}


async def _count_grown(connection: AsyncConnection, windows: Collection[WindowKey], max_open: int) -> None:
    """Counts the windows that may have grown by a tenth since they were counted, and drops much surplus."""
    if not windows:
        return
    grown = await connection.execute(
        select(Window.route, Window.epoch, Window.ends_at).where(
            *_among(windows), Window.units - Window.counted > Window.counted / 10
        )
    )
    asked = {(route, epoch, ends_at) for route, epoch, ends_at in grown} & set(windows)
    if not asked:
        return
    found = await connection.execute(
        select(OpenUnit.route, OpenUnit.epoch, OpenUnit.ends_at, func.count())
        .where(
            OpenUnit.route.in_(sorted({window[0] for window in asked})),
            OpenUnit.epoch.in_(sorted({window[1] for window in asked})),
            OpenUnit.ends_at.in_(sorted({window[2] for window in asked})),
            OpenUnit.bad != COUNTED,
        )
        .group_by(OpenUnit.route, OpenUnit.epoch, OpenUnit.ends_at)
    )
    counts = {(route, epoch, ends_at): int(count) for route, epoch, ends_at, count in found}
    rows = []
    for window in sorted(asked):
        count, below = counts.get(window, 0), None
        if count > max_open + max_open // 10:
            count, below = await _drop_surplus(connection, window, max_open)
        rows.append(
            {
                "route": window[0],
                "epoch": window[1],
                "ends_at": window[2],
                "closes_at": 0.0,
                "units": count,
                "counted": count,
                "below": below,
            }
        )
    full = [row for row in rows if row["below"] is not None]
    await upsert(connection, Window, [row for row in rows if row["below"] is None], units="set", counted="set")
    await upsert(connection, Window, full, units="set", counted="set", below="set")


async def _drop_surplus(connection: AsyncConnection, window: WindowKey, max_open: int) -> tuple[int, int]:
    """Keeps the units of the lowest ranks; how many are left, and the rank from which on units are surplus."""
    route, epoch, ends_at = window
    inside = (OpenUnit.route == route, OpenUnit.epoch == epoch, OpenUnit.ends_at == ends_at, OpenUnit.bad != COUNTED)
    below = await connection.scalar(select(OpenUnit.rank).where(*inside).order_by(OpenUnit.rank).offset(max_open).limit(1))
    assert below is not None  # it was counted in this transaction
    await connection.execute(delete(OpenUnit).where(*inside, OpenUnit.rank >= below))
    return max_open, int(below)


def _among(windows: Collection[WindowKey]) -> tuple[Any, ...]:
    """A condition that these windows meet, and perhaps others."""
    return (
        Window.route.in_(sorted({window[0] for window in windows})),
        Window.epoch.in_(sorted({window[1] for window in windows})),
        Window.ends_at.in_(sorted({window[2] for window in windows})),
    )
