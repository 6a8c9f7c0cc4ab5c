"""What the gate is told: each route's evidence in its current epoch, read from one moment of the store.

The current epoch of a route is the one seen last. The attempt is its number among the route's epochs, in the order they appeared,
counting of the earlier ones only those that held enough units to be a chance of passing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gate.facts import Evidence, LatencyEvidence
from store.accounts import incidents, read_ledgers
from store.late_units import COUNTED
from store.schema import Approval, Epoch, LatencyPair, OpenUnit, VerdictTotal
from store.tallies import read_latencies
from traffic.ledger import Ledger
from traffic.message import Side
from traffic.outcome import Ending
from traffic.route import UNROUTED

ATTEMPT_UNITS = 20
"""Earlier epochs with fewer closed units were no attempt: nobody passes on so few at any parity of 0.82 or more."""


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


async def read_evidence(
    connection: AsyncConnection,
    ledgers: dict[str, Ledger],
    route: str | None = None,
    routes_total: int | None = None,
    approved_since: float | None = None,
) -> dict[str, Evidence]:
    """The evidence of every route that has any, or of `route` (then always there).

    `ledgers` are those of the same moment. `routes_total` is the number of routes that share alpha (else: those with evidence).
    Approvals given at or before `approved_since` (Unix seconds) are left out; None keeps all.
    """
    spans = await _read_spans(connection, route)
    verdicts = await _read_verdicts(connection, route)
    open_units = await _read_open_units(connection, route)
    pairs = await _read_pairs(connection, route)
    approvals = await _read_approvals(connection, route, approved_since)
    histograms = await read_latencies(connection, route)
    total = routes_total if routes_total is not None else await count_routes(connection)
    evidence = {}
    for label in sorted({*spans, *([route] if route is not None else [])}):
        epochs = spans.get(label, [])
        ledger = ledgers.get(label, Ledger())
        violations = tuple(ledger.violations())
        if not epochs:
            agreed = tuple(approvals.get((label, ""), ()))
            evidence[label] = Evidence(label, routes_total=max(1, total), approvals=agreed, ledger_violations=violations)
            continue
        current = max(epochs, key=lambda span: (span.last_seen, span.first_seen, span.epoch))
        key = (label, current.epoch)
        seen = dict(verdicts.get(key, {}))
        errors = seen.pop(Ending.CANDIDATE_ERROR.value, 0)
        sides = [sum(histograms.get((*key, side.value), {}).values()) for side in Side]
        evidence[label] = Evidence(
            route=label,
            epoch=current.epoch,
            n=current.n,
            k=current.k,
            open_units=open_units.get(key, 0),
            first_unit_at=current.first_unit_at,
            last_unit_at=current.last_unit_at,
            verdicts=seen,
            candidate_errors=errors,
            incident_skips=max(0, incidents(ledger) - current.incident_base),
            attempt=attempt_of(current, epochs),
            routes_total=max(1, total),
            latency=tuple(pairs.get(key, ())),
            latency_samples=min(sides),
            approvals=tuple(approvals.get(key, ())),
            ledger_violations=violations,
        )
    return evidence


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
    return (await read_evidence(connection, ledgers, route, routes_total, approved_since))[route]


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


async def _read_verdicts(connection: AsyncConnection, route: str | None) -> dict[tuple[str, str], dict[str, int]]:
    query = select(VerdictTotal.route, VerdictTotal.epoch, VerdictTotal.verdict, VerdictTotal.count)
    if route is not None:
        query = query.where(VerdictTotal.route == route)
    verdicts: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for label, epoch, verdict, count in await connection.execute(query.order_by(VerdictTotal.verdict)):
        verdicts[label, epoch][verdict] = int(count)
    return verdicts


async def _read_open_units(connection: AsyncConnection, route: str | None) -> dict[tuple[str, str], int]:
    query = select(OpenUnit.route, OpenUnit.epoch, func.count()).where(OpenUnit.bad != COUNTED)
    query = query.group_by(OpenUnit.route, OpenUnit.epoch)
    if route is not None:
        query = query.where(OpenUnit.route == route)
    return {(label, epoch): int(count) for label, epoch, count in await connection.execute(query)}


async def _read_pairs(connection: AsyncConnection, route: str | None) -> dict[tuple[str, str], list[LatencyEvidence]]:
    query = select(
        LatencyPair.route,
        LatencyPair.epoch,
        LatencyPair.tau,
        LatencyPair.threshold_ms,
        LatencyPair.bound_ms,
        LatencyPair.primary_slow_only,
        LatencyPair.candidate_slow_only,
    ).order_by(LatencyPair.tau)
    if route is not None:
        query = query.where(LatencyPair.route == route)
    pairs: dict[tuple[str, str], list[LatencyEvidence]] = defaultdict(list)
    for label, epoch, tau, threshold, bound, primary, candidate in await connection.execute(query):
        pairs[label, epoch].append(LatencyEvidence(tau, threshold, bound, primary, candidate))
    return pairs


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
