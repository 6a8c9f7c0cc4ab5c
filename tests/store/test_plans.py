"""Every query of dashboard and CLI finds its rows through an index: what it costs follows what it shows, not what is stored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, text

from differ.rule_use import HiddenPlace, RuleTally
from store.database import Store, open_store
from store.records import Batch, OpeningCounts, RuleSample
from traffic.ledger import SEEN_SLOT

ROUTES = [f"GET /r{number:02}" for number in range(40)]
LARGE = {
    "tally", "latency", "evidence_unit", "example", "body", "example_body", "example_link", "cluster_client", "rule_example",
}  # fmt: skip
"""Tables that may never be read as a whole. The others hold a few rows for each route, cluster, rule or decision."""
BY_ROUTE = LARGE | {"opening", "ledger_end", "cluster", "evidence_window", "verdict_total", "latency_pair"}
"""And where only one route is asked for, these neither (`evidence`, a row for each epoch, says how many routes there are)."""

Query = Callable[[Store], Awaitable[Any]]
WHOLE: dict[str, Query] = {
    "route_rows": lambda store: store.route_rows(),
    "ledgers": lambda store: store.ledgers(),
    "clusters": lambda store: store.clusters(),
    "rule_hits": lambda store: store.rule_hits(),
    "decisions": lambda store: store.decisions(),
    "audit": lambda store: store.audit(50),
    "data_nodes": lambda store: store.data_nodes(),
}
ONE: dict[str, Query] = {
    "evidence": lambda store: store.evidence(ROUTES[7]),
    "standing": lambda store: store.standing(ROUTES[7]),
    "clusters of a route": lambda store: store.clusters(ROUTES[7]),
    "tallies of an hour": lambda store: store.tallies(ROUTES[7], 50_000.0),
    "tallies of all time": lambda store: store.tallies(ROUTES[7], 0.0),
    "example": lambda store: store.example("x7-1"),
    "ended_counts": lambda store: store.ended_counts("b3"),
}


async def filled(store: Store, mismatch: Any, end: Any) -> None:
    """Enough of everything that a planner has a choice."""
    for boot in range(4):
        rows = []
        for number, route in enumerate(ROUTES):
            for at in range(30):
                moment = 60.0 * (at * 30 + boot)
                rows.append(
                    end(route=route, at=moment, unit=f"{boot}-{at}", boot=f"b{boot}", primary_ms=1.5**at, candidate_ms=1.4**at)
                )
            for index in range(3):
                row = mismatch(f"x{number}-{index}", path=f"$.p{index}", client=f"c{boot}-{index}")
                found = tuple(replace(item, atom=replace(item.atom, route=route)) for item in row.differences)
                answer = replace(row.example.primary, body=f"{number} {index}".encode() * 300)
                example = replace(row.example, route=route, differences=found, primary=answer)
                rows.append(replace(row, route=route, boot=f"b{boot}", differences=found, example=example))
        places = tuple(HiddenPlace("rule", "v", route, "body", f"$.{boot}", "value", "", 1) for route in ROUTES)
        sample = RuleSample(RuleTally("rule", "v", ROUTES[0]), places)
        openings = OpeningCounts(f"b{boot}", "node", {route: {SEEN_SLOT: 100, 5: 3, 9: 4} for route in ROUTES})
        await store.write(Batch(tuple(rows), openings=(openings,), samples=(sample,)), 5)
    if "postgresql" in str(store._url):
        async with store.writing() as connection:
            await connection.execute(text("ANALYZE"))  # as autovacuum does


async def scans(store: Store, ask: Query) -> list[str]:
    """The tables that the statements of a query read as a whole."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            asked.append((statement, parameters))

    event.listen(store._engine.sync_engine, "before_cursor_execute", note)
    try:
        await ask(store)
    finally:
        event.remove(store._engine.sync_engine, "before_cursor_execute", note)
    assert asked
    found: list[str] = []
    async with store.reading() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(
                text("SET LOCAL enable_seqscan = off")
            )  # tables of a few pages are read as a whole otherwise
        for statement, parameters in asked:
            if connection.dialect.name == "sqlite":
                lines = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                found += [line[3].split()[1] for line in lines if line[3].startswith("SCAN ")]
            else:
                plan = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
                document = plan.scalar()
                found += list(_sequential(json.loads(document) if isinstance(document, str) else document))
    return found


def _sequential(plan: Any) -> list[str]:
    if isinstance(plan, list):
        return [name for part in plan for name in _sequential(part)]
    if not isinstance(plan, dict):
        return []
    mine = [plan["Relation Name"]] if plan.get("Node Type") == "Seq Scan" else []
    return mine + [name for part in plan.values() for name in _sequential(part)]


@pytest.mark.parametrize("kind", ["whole", "one"])
def test_no_query_reads_a_large_table_as_a_whole(url: str, mismatch: Any, end: Any, kind: str) -> None:
    async def scenario() -> dict[str, list[str]]:
        store = open_store(url)
        try:
            await store.upgrade()
            await filled(store, mismatch, end)
            cluster = (await store.clusters(ROUTES[7]))[0].id
            ids = {
                "cluster": lambda store: store.cluster(cluster),
                "examples of a cluster": lambda store: store.examples(cluster),
            }
            queries = WHOLE if kind == "whole" else {**ONE, **ids}
            return {name: await scans(store, ask) for name, ask in queries.items()}
        finally:
            await store.close()

    forbidden = LARGE if kind == "whole" else BY_ROUTE
    found = asyncio.run(scenario())
    assert {name: sorted(set(tables) & forbidden) for name, tables in found.items()} == {name: [] for name in found}


def test_the_plan_of_a_whole_read_is_noticed(url: str, mismatch: Any, end: Any) -> None:
    """The test above can fail."""

    async def whole(store: Store) -> None:
        async with store.reading() as connection:
            await connection.execute(text("SELECT * FROM latency WHERE count > 5"))

    async def scenario() -> list[str]:
        store = open_store(url)
        try:
            await store.upgrade()
            await filled(store, mismatch, end)
            return await scans(store, whole)
        finally:
            await store.close()

    assert asyncio.run(scenario()) == ["latency"]
