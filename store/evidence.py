"""What the gate is told: each route's evidence in its current epoch, read from one moment of the store.

The current epoch of a route is the one seen last. The attempt is its number among the route's epochs, in the order they appeared,
counting of the earlier ones only those that held enough units to be a chance of passing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gate.facts import Coverage, Evidence, LatencyEvidence
from store.accounts import incidents, read_ledgers
from store.alpha_shares import read_share, read_shares
from store.epochs import ATTEMPT_UNITS, Pair, as_rows
from store.fleet import read_fleet
from store.folding import read_served, read_top, read_week_shares
from store.late_units import COUNTED
from store.schema import Approval, Epoch, LatencyPair, OpenUnit, VerdictTotal, Window
from store.shapes import read_coverage
from store.tallies import read_latencies
from store.upsert import parts
from traffic.ledger import Ledger
from traffic.message import Side
from traffic.outcome import Ending
from traffic.route import UNROUTED


@dataclass(frozen=True, slots=True)
class Span:
    """One epoch's row."""

    epoch: str
    first_seen: float
    last_seen: float
    n: int
    k: int
    first_unit_at: float | None
    last_unit_at: float | None
    incident_base: int
    restarts: int


COUNTED_EXACTLY = 1_000
"""Open units of one route that are worth counting; more are told as `store.schema.Window` keeps them, at most a tenth too many."""

Histograms = dict[tuple[str, str, str], dict[int, int]]
"""By (route, epoch, side)."""


async def read_evidence(
    connection: AsyncConnection,
    ledgers: Mapping[str, Ledger],
    route: str | None = None,
    routes_total: int | None = None,
    approved_since: float | None = None,
) -> tuple[dict[str, Evidence], Histograms]:
    """The evidence of every route that has any, or of `route` (then always there), and the latencies of its current epoch.

    `ledgers` are those of the same moment. `routes_total` is the number of routes that share alpha (else: those with evidence).
    Approvals given at or before `approved_since` (Unix seconds) are left out; None keeps all. Open units
    of all routes, and more than COUNTED_EXACTLY of one, are told as `store.schema.Window` has them: up to a tenth too many.
    """
    spans = await _read_spans(connection, route)
    current = {label: _newest(epochs) for label, epochs in spans.items()}
    wanted = sorted((label, span.epoch) for label, span in current.items())
    verdicts = await _read_verdicts(connection, wanted)
    open_units = await _count_open_units(connection, route)
    pairs = await _read_pairs(connection, wanted)
    approvals = await _read_approvals(connection, route, approved_since)
    histograms = await read_latencies(connection, wanted)
    coverage = await read_coverage(connection, wanted)
    served = await read_served(connection, wanted)
    fleet = await read_fleet(connection)
    shares = {route: await read_share(connection, route)} if route is not None else await read_shares(connection)
    weeks, top = await read_week_shares(connection, wanted), await read_top(connection, wanted)
    total = max(1, routes_total if routes_total is not None else await count_routes(connection))
    evidence = {}
    for label in sorted({*spans, *([route] if route is not None else [])}):
        ledger = ledgers.get(label, Ledger())
        violations = tuple(ledger.violations())
        if label not in current:
            agreed = tuple(approvals.get((label, ""), ()))
            evidence[label] = Evidence(
                label,
                routes_total=total,
                approvals=agreed,
                ledger_violations=violations,
                fleet=fleet.of(label),
                alpha_share=shares.get(label),
            )
            continue
        span = current[label]
        key = (label, span.epoch)
        seen = dict(verdicts.get(key, {}))
        errors = seen.pop(Ending.CANDIDATE_ERROR.value, 0)
        sides = [sum(histograms.get((*key, side.value), {}).values()) for side in Side]
        evidence[label] = Evidence(
            route=label,
            epoch=span.epoch,
            n=span.n,
            k=span.k,
            open_units=open_units.get(key, 0),
            first_unit_at=span.first_unit_at,
            last_unit_at=span.last_unit_at,
            verdicts=seen,
            candidate_errors=errors,
            incident_skips=max(0, incidents(ledger) - span.incident_base),
            attempt=attempt_of(span, spans[label]),
            routes_total=total,
            latency=tuple(pairs.get(key, ())),
            latency_samples=min(sides),
            approvals=tuple(approvals.get(key, ())),
            ledger_violations=violations,
            coverage=coverage.get(label, Coverage()),
            fleet=fleet.of(label),
            alpha_share=shares.get(label),
            week_share=weeks.get(key),
            served=served.get(key, ()),
            top_client=top.get(key, {}).get("client", 0),
            top_request=top.get(key, {}).get("request", 0),
        )
    return evidence, histograms


def attempt_of(current: Span, epochs: Iterable[Span]) -> int:
    """1 for the first epoch; one more for each roll-back, and for each earlier epoch that held at least ATTEMPT_UNITS units."""
    order = (current.first_seen, current.epoch)
    earlier = [other for other in epochs if (other.first_seen, other.epoch) < order]
    return 1 + current.restarts + sum(other.restarts + (other.n >= ATTEMPT_UNITS) for other in earlier)


async def count_routes(connection: AsyncConnection) -> int:
    """How many routes with evidence could ever be promoted."""
    routes = await connection.scalars(select(Epoch.route).distinct())
    return sum(1 for route in routes if not route.endswith(f" {UNROUTED}"))


async def read_one(
    connection: AsyncConnection, route: str, routes_total: int | None = None, approved_since: float | None = None
) -> Evidence:
    """One route's evidence; empty where nothing is known of it."""
    ledgers = await read_ledgers(connection, route)
    evidence, _ = await read_evidence(connection, ledgers, route, routes_total, approved_since)
    return evidence[route]


async def current_epoch(connection: AsyncConnection, route: str) -> str:
    """The route's current epoch, "" where there is none: all that a way down needs, whatever else cannot be read."""
    spans = (await _read_spans(connection, route)).get(route)
    return _newest(spans).epoch if spans else ""


def _newest(spans: Iterable[Span]) -> Span:
    return max(spans, key=lambda span: (span.last_seen, span.first_seen, span.epoch))


async def _read_spans(connection: AsyncConnection, route: str | None) -> dict[str, list[Span]]:
    query = select(
        Epoch.route,
        Epoch.epoch,
        Epoch.first_seen,
        Epoch.last_seen,
        Epoch.n,
        Epoch.k,
        Epoch.first_unit_at,
        Epoch.last_unit_at,
        Epoch.incident_base,
        Epoch.restarts,
    )
    if route is not None:
        query = query.where(Epoch.route == route)
    spans: dict[str, list[Span]] = defaultdict(list)
    for label, *fields in await connection.execute(query):
        spans[route if route is not None else label].append(Span(*fields))
    return spans


async def _read_verdicts(connection: AsyncConnection, pairs: Collection[Pair]) -> dict[Pair, dict[str, int]]:
    verdicts: dict[Pair, dict[str, int]] = defaultdict(dict)
    for some in parts(list(pairs)):
        found = await connection.execute(
            select(VerdictTotal.route, VerdictTotal.epoch, VerdictTotal.verdict, VerdictTotal.count)
            .join_from(
                wanted := as_rows(some),
                VerdictTotal,
                and_(VerdictTotal.route == wanted.c.route, VerdictTotal.epoch == wanted.c.epoch),
            )
            .order_by(VerdictTotal.verdict)
        )
        for label, epoch, verdict, count in found:
            verdicts[label, epoch][verdict] = int(count)
    return verdicts


async def _count_open_units(connection: AsyncConnection, route: str | None) -> dict[Pair, int]:
    about = select(Window.route, Window.epoch, func.sum(Window.units)).group_by(Window.route, Window.epoch)
    if route is not None:
        about = about.where(Window.route == route)
    counts = {(label, epoch): int(count) for label, epoch, count in await connection.execute(about)}
    if route is not None and sum(counts.values()) <= COUNTED_EXACTLY:
        exact = select(OpenUnit.route, OpenUnit.epoch, func.count()).where(OpenUnit.route == route, OpenUnit.bad != COUNTED)
        rows = await connection.execute(exact.group_by(OpenUnit.route, OpenUnit.epoch))
        counts = {(label, epoch): int(count) for label, epoch, count in rows}
    return counts


async def _read_pairs(connection: AsyncConnection, pairs: Collection[Pair]) -> dict[Pair, list[LatencyEvidence]]:
    found: dict[Pair, list[LatencyEvidence]] = defaultdict(list)
    for some in parts(list(pairs)):
        rows = await connection.execute(
            select(
                LatencyPair.route,
                LatencyPair.epoch,
                LatencyPair.tau,
                LatencyPair.threshold_ms,
                LatencyPair.bound_ms,
                LatencyPair.primary_slow_only,
                LatencyPair.candidate_slow_only,
            )
            .join_from(
                wanted := as_rows(some),
                LatencyPair,
                and_(LatencyPair.route == wanted.c.route, LatencyPair.epoch == wanted.c.epoch),
            )
            .order_by(LatencyPair.tau)
        )
        for label, epoch, tau, threshold, bound, primary, candidate in rows:
            found[label, epoch].append(LatencyEvidence(tau, threshold, bound, primary, candidate))
    return found


async def _read_approvals(
    connection: AsyncConnection, route: str | None, since: float | None
) -> dict[tuple[str, str], list[str]]:
    query = select(Approval.route, Approval.epoch, Approval.actor).order_by(Approval.at, Approval.actor)
    if route is not None:
        query = query.where(Approval.route == route)
    if since is not None:
        query = query.where(Approval.at > since)
    approvals: dict[tuple[str, str], list[str]] = defaultdict(list)
    for label, epoch, actor in await connection.execute(query):
        approvals[label, epoch].append(actor)
    return approvals
