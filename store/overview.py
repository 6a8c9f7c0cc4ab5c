"""The parity table: one row per route, everything in it from one moment."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from gate.facts import Evidence, RouteStanding
from store.accounts import read_ledgers
from store.buckets import quantile
from store.clusters import count_clusters
from store.evidence import count_routes, read_evidence
from store.records import RouteRow
from store.rule_uses import read_rule_hits
from store.standings import read_standings
from traffic.ledger import Ledger
from traffic.message import Side


async def read_route_rows(
    connection: AsyncConnection, routes_total: int | None = None, approved_since: float | None = None
) -> list[RouteRow]:
    """Every route that was seen or acted upon, by name."""
    ledgers = await read_ledgers(connection)
    total = routes_total if routes_total is not None else await count_routes(connection)
    evidence, histograms = await read_evidence(connection, ledgers, None, total, approved_since)
    standings = await read_standings(connection)
    clusters = await count_clusters(connection)
    tolerated: dict[str, dict[str, int]] = {}
    for rule, route, count in await read_rule_hits(connection):
        tolerated.setdefault(route, {})[rule] = count
    rows = []
    for route in sorted({*ledgers, *evidence, *standings}):
        ledger = ledgers.get(route, Ledger())
        known = evidence.get(route)
        if known is None:
            known = Evidence(route, routes_total=max(1, total), ledger_violations=tuple(ledger.violations()))
        primary, candidate = (histograms.get((route, known.epoch, side.value), {}) for side in Side)
        rows.append(
            RouteRow(
                route=route,
                standing=standings.get(route, RouteStanding(route)),
                evidence=known,
                ledger=ledger,
                clusters=clusters.get(route, 0),
                primary_p50_ms=quantile(primary, 0.50),
                candidate_p50_ms=quantile(candidate, 0.50),
                primary_p95_ms=quantile(primary, 0.95),
                candidate_p95_ms=quantile(candidate, 0.95),
                tolerated=tolerated.get(route, {}),
            )
        )
    return rows
