"""Counters that add up from any number of writers in any order: verdicts and latencies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import and_, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from store.buckets import bucket_of
from store.records import Ended, LatencyCounts, MinuteRow
from store.schema import LatencyBucket, LatencyPair, Tally, VerdictTotal
from store.upsert import table_of, upsert
from traffic.message import Side
from traffic.outcome import Ending

ALL_HOURS = -1


async def write_tallies(connection: AsyncConnection, ended: Iterable[Ended]) -> None:
    """Counts verdicts and candidate errors, and latencies, of the exchanges that were compared or failed."""
    minutes: dict[tuple[str, int, str, str], int] = defaultdict(int)
    totals: dict[tuple[str, str, str], int] = defaultdict(int)
    latencies: dict[tuple[str, str, int, str, int], int] = defaultdict(int)
    for row in ended:
        if row.ending not in (Ending.COMPARED, Ending.CANDIDATE_ERROR):
            continue
        verdict = str(row.reason) if row.ending == Ending.COMPARED else str(Ending.CANDIDATE_ERROR)
        minutes[row.route, int(row.at // 60), row.epoch, verdict] += row.count
        totals[row.route, row.epoch, verdict] += row.count
        for side, ms in ((Side.PRIMARY, row.primary_ms), (Side.CANDIDATE, row.candidate_ms)):
            if ms is not None:
                for hour in (ALL_HOURS, int(row.at // 3600)):
                    latencies[row.route, row.epoch, hour, side.value, bucket_of(ms)] += row.count
    await upsert(
        connection,
        Tally,
        [{"route": r, "minute": m, "epoch": e, "verdict": v, "count": n} for (r, m, e, v), n in minutes.items()],
        count="add",
    )
    await upsert(
        connection,
        VerdictTotal,
        [{"route": r, "epoch": e, "verdict": v, "count": n} for (r, e, v), n in totals.items()],
        count="add",
    )
    await upsert(
        connection,
        LatencyBucket,
        [{"route": r, "epoch": e, "hour": h, "side": s, "bucket": b, "count": n} for (r, e, h, s, b), n in latencies.items()],
        count="add",
    )


async def write_latency_pairs(connection: AsyncConnection, pairs: Sequence[LatencyCounts]) -> None:
    """Adds discordant pairs. The first thresholds of (route, epoch, tau) are frozen: pairs under others are not mixed in."""
    table = table_of(LatencyPair)
    insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    excluded, columns = insert.excluded, table.c
    frozen = and_(columns.threshold_ms == excluded.threshold_ms, columns.bound_ms == excluded.bound_ms)
    statement = insert.on_conflict_do_update(
        index_elements=["route", "epoch", "tau"],
        set_={name: columns[name] + excluded[name] for name in ("primary_slow_only", "candidate_slow_only")},
        where=frozen,
    )
    rows = [
        {
            "route": pair.route,
            "epoch": pair.epoch,
            "tau": pair.tau,
            "threshold_ms": pair.threshold_ms,
            "bound_ms": pair.bound_ms,
            "primary_slow_only": pair.primary_slow_only,
            "candidate_slow_only": pair.candidate_slow_only,
        }
        for pair in sorted(pairs, key=lambda pair: (pair.route, pair.epoch, pair.tau))
    ]
    if rows:
        await connection.execute(statement, rows)


async def read_minutes(connection: AsyncConnection, route: str, since: float) -> list[MinuteRow]:
    """Verdicts and candidate errors of a route's minutes that end after `since` (Unix seconds), oldest first."""
    total = func.sum(Tally.count)
    found = await connection.execute(
        select(Tally.minute, Tally.verdict, total)
        .where(Tally.route == route, Tally.minute >= int(since // 60))
        .group_by(Tally.minute, Tally.verdict)
        .order_by(Tally.minute)
    )
    minutes: dict[int, dict[str, int]] = {}
    for minute, verdict, count in found:
        minutes.setdefault(minute * 60, {})[verdict] = int(count)
    return [MinuteRow(at, verdicts) for at, verdicts in minutes.items()]


async def read_latencies(connection: AsyncConnection, route: str | None = None) -> dict[tuple[str, str, str], dict[int, int]]:
    """The histograms by (route, epoch, side) over all hours."""
    query = select(
        LatencyBucket.route, LatencyBucket.epoch, LatencyBucket.side, LatencyBucket.bucket, LatencyBucket.count
    ).where(LatencyBucket.hour == ALL_HOURS)
    if route is not None:
        query = query.where(LatencyBucket.route == route)
    histograms: dict[tuple[str, str, str], dict[int, int]] = {}
    for label, epoch, side, bucket, count in await connection.execute(query):
        histograms.setdefault((label, epoch, side), {})[bucket] = int(count)
    return histograms
