"""Folds the units of a window that is over: into n and k, by shape, by hour of the week, and into counts of frequent clients.

Of one client and of one request at most a share counts (gate.shares); which units stay is known before their verdicts are looked at.
"""

from __future__ import annotations

import json
from collections import Counter

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gate.facts import ServedWindow
from gate.shares import Frequent, Unit, UnitLimits, capacity_for, kept_units
from gate.units import unit_parts
from gate.week import CELLS, HOUR_S, cell_of, covered_share
from store.epochs import as_rows
from store.schema import FrequentUnits, OpenUnit, ServedUnits, ShapeUnits, TrafficHour, WeekUnits
from store.upsert import upsert


async def fold_units(
    connection: AsyncConnection,
    window: tuple[str, str, float],
    limits: UnitLimits,
    before: int,
) -> list[Unit]:
    """The units of a window that count, noted in the tables beside `evidence`, whose row is held and has `before` units."""
    route, epoch, ends_at = window
    found = await connection.execute(
        select(OpenUnit.rank, OpenUnit.unit, OpenUnit.bad, OpenUnit.at, OpenUnit.served)
        .where(OpenUnit.route == route, OpenUnit.epoch == epoch, OpenUnit.ends_at == ends_at)
        .order_by(OpenUnit.rank, OpenUnit.unit)
        .limit(limits.max_open)
    )
    units = [Unit(rank, *unit_parts(unit), bool(bad), at, bool(served)) for rank, unit, bad, at, served in found]
    frequent = await _read_frequent(connection, route, epoch)
    clients, requests = frequent.get("client", Frequent({})), frequent.get("request", Frequent({}))
    kept = kept_units(units, before, clients, requests, limits.client_share, limits.request_share)
    rows = []
    for kind, known, share, added in (
        ("client", clients, limits.client_share, Counter(unit.client for unit in kept)),
        ("request", requests, limits.request_share, Counter(unit.request for unit in kept)),
    ):
        now = known.plus(added, capacity_for(share))
        text = json.dumps(now.counts, separators=(",", ":"))
        rows.append({"route": route, "epoch": epoch, "kind": kind, "counts": text, "missed": now.missed, "most": now.most()})
    await upsert(connection, FrequentUnits, rows, counts="set", missed="set", most="set")
    shapes, bad = Counter(unit.shape for unit in kept), Counter(unit.shape for unit in kept if unit.bad)
    named = {"route": route, "epoch": epoch}
    await upsert(
        connection, ShapeUnits, [{**named, "shape": s, "n": n, "k": bad[s]} for s, n in shapes.items()], n="add", k="add"
    )
    cells = Counter(cell_of(unit.at) for unit in kept)
    await upsert(connection, WeekUnits, [{**named, "cell": cell, "n": n} for cell, n in cells.items()], n="add")
    served = [unit for unit in kept if unit.served]
    if served:
        start = min(unit.at for unit in served)
        row = {**named, "start": start, "n": len(served), "k": sum(unit.bad for unit in served)}
        await upsert(connection, ServedUnits, [row], n="add", k="add")
    return kept


async def read_served(
    connection: AsyncConnection, pairs: list[tuple[str, str]]
) -> dict[tuple[str, str], tuple[ServedWindow, ...]]:
    """For each (route, epoch) its closed windows in which clients were served by the candidate, oldest first."""
    served: dict[tuple[str, str], list[ServedWindow]] = {}
    if not pairs:
        return {}
    wanted = as_rows(pairs)
    found = await connection.execute(
        select(wanted.c.at, ServedUnits.start, ServedUnits.n, ServedUnits.k)
        .join_from(wanted, ServedUnits, and_(ServedUnits.route == wanted.c.route, ServedUnits.epoch == wanted.c.epoch))
        .order_by(wanted.c.at, ServedUnits.start)
    )
    for at, start, n, k in found:
        served.setdefault(pairs[at], []).append(ServedWindow(start, int(n), int(k)))
    return {pair: tuple(windows) for pair, windows in served.items()}


async def read_top(connection: AsyncConnection, pairs: list[tuple[str, str]]) -> dict[tuple[str, str], dict[str, int]]:
    """For each (route, epoch) and kind (client, request) the units that the most frequent one can have at most."""
    top: dict[tuple[str, str], dict[str, int]] = {}
    if not pairs:
        return top
    wanted = as_rows(pairs)
    found = await connection.execute(
        select(wanted.c.at, FrequentUnits.kind, FrequentUnits.most).join_from(
            wanted, FrequentUnits, and_(FrequentUnits.route == wanted.c.route, FrequentUnits.epoch == wanted.c.epoch)
        )
    )
    for at, kind, most in found:
        top.setdefault(pairs[at], {})[kind] = int(most)
    return top


async def read_week_shares(connection: AsyncConnection, pairs: list[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """For each (route, epoch) the share of the week's traffic that lies in hours with enough units.

    The profile is of the last four weeks of which anything is kept, or of what there is of them.
    """
    shares: dict[tuple[str, str], float] = {}
    if not pairs:
        return shares
    wanted = as_rows(pairs)
    cell = (TrafficHour.start // HOUR_S) % CELLS
    profile = await connection.execute(
        select(wanted.c.at, cell, func.sum(TrafficHour.count))
        .join_from(wanted, TrafficHour, TrafficHour.route == wanted.c.route)
        .group_by(wanted.c.at, cell)
    )
    traffic: dict[int, dict[int, int]] = {}
    for at, number, count in profile:
        traffic.setdefault(at, {})[int(number)] = int(count)
    units = await connection.execute(
        select(wanted.c.at, WeekUnits.cell, WeekUnits.n).join_from(
            wanted, WeekUnits, and_(WeekUnits.route == wanted.c.route, WeekUnits.epoch == wanted.c.epoch)
        )
    )
    evidence: dict[int, dict[int, int]] = {}
    for at, number, count in units:
        evidence.setdefault(at, {})[int(number)] = int(count)
    return {pairs[at]: covered_share(profile, evidence.get(at, {})) for at, profile in traffic.items()}


async def _read_frequent(connection: AsyncConnection, route: str, epoch: str) -> dict[str, Frequent]:
    rows = await connection.execute(
        select(FrequentUnits.kind, FrequentUnits.counts, FrequentUnits.missed).where(
            FrequentUnits.route == route, FrequentUnits.epoch == epoch
        )
    )
    return {kind: Frequent(json.loads(counts), int(missed)) for kind, counts, missed in rows}
