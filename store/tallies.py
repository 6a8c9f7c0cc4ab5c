"""Counters that add up from any number of writers in any order: verdicts and latencies. Minutes become hours and days in store.rollup."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import and_, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from store.buckets import bucket_of
from store.epochs import as_rows
from store.records import Ended, LatencyCounts, TallyRow
from store.schema import LatencyBucket, LatencyPair, Tally, VerdictTotal
from store.upsert import parts, table_of, upsert
from traffic.outcome import Ending

MINUTE, HOUR, DAY = 60, 3_600, 86_400
"""The spans of tallies, in seconds."""


async def write_tallies(connection: AsyncConnection, ended: Iterable[Ended]) -> None:
    """Counts verdicts and candidate errors, and latencies, of the exchanges that were compared or failed."""
    minutes: dict[tuple[str, int, str, str], int] = defaultdict(int)
    totals: dict[tuple[str, str, str], int] = defaultdict(int)
    latencies: dict[tuple[str, str, str, int], int] = defaultdict(int)
    for row in ended:
        if row.ending not in (Ending.COMPARED, Ending.CANDIDATE_ERROR):
            continue
        verdict = str(row.reason) if row.ending == Ending.COMPARED else str(Ending.CANDIDATE_ERROR)
        minutes[row.route, int(row.at // MINUTE) * MINUTE, row.epoch, verdict] += row.count
        totals[row.route, row.epoch, verdict] += row.count
        for side, ms in (("primary", row.primary_ms), ("candidate", row.candidate_ms)):
            if ms is not None:
                latencies[row.route, row.epoch, side, bucket_of(ms)] += row.count
    await upsert(
        connection,
        Tally,
        [
            {"route": r, "span": MINUTE, "start": at, "epoch": e, "verdict": v, "count": n}
            for (r, at, e, v), n in minutes.items()
        ],
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
        [{"route": r, "epoch": e, "side": s, "bucket": b, "count": n} for (r, e, s, b), n in latencies.items()],
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


async def read_tallies(connection: AsyncConnection, route: str, since: float) -> list[TallyRow]:
    """Verdicts and candidate errors of a route's minutes, hours and days that begin at or after the minute of `since` (Unix seconds),
    oldest first."""
    total = func.sum(Tally.count)
    found = await connection.execute(
        select(Tally.start, Tally.span, Tally.verdict, total)
        .where(Tally.route == route, Tally.span.in_((MINUTE, HOUR, DAY)), Tally.start >= int(since // MINUTE) * MINUTE)
        .group_by(Tally.start, Tally.span, Tally.verdict)
        .order_by(Tally.start, Tally.span)
    )
    rows: dict[tuple[int, int], dict[str, int]] = {}
    for start, span, verdict, count in found:
        rows.setdefault((start, span), {})[verdict] = int(count)
    return [TallyRow(start, span, verdicts) for (start, span), verdicts in rows.items()]


async def read_latencies(
    connection: AsyncConnection, pairs: Collection[tuple[str, str]]
) -> dict[tuple[str, str, str], dict[int, int]]:
    """The histograms of these (route, epoch) pairs, by (route, epoch, side)."""
    histograms: dict[tuple[str, str, str], dict[int, int]] = {}
    for some in parts(sorted(pairs)):
        wanted = as_rows(some)
        found = await connection.execute(
            # Of tens of thousands of rows each would have its route and epoch made text again: their number says as much.
            select(wanted.c.at, LatencyBucket.side, LatencyBucket.bucket, LatencyBucket.count).join_from(
                wanted, LatencyBucket, and_(LatencyBucket.route == wanted.c.route, LatencyBucket.epoch == wanted.c.epoch)
            )
        )
        for at, side, bucket, count in found:
            histograms.setdefault((*some[at], side), {})[bucket] = count
    return histograms
