"""0002 to 0003 and back with everything in it: counts add up, examples keep their bodies, windows go on where they were."""

from __future__ import annotations

from dataclasses import replace

from alembic import command
from sqlalchemy import text

from store.migrate import alembic_config
from store.records import Batch
from store.schema import Base

HOUR = 3_600.0


async def to(store, revision: str) -> None:
    async with store.writing() as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), revision))


async def execute(store, *statements: str) -> None:
    async with store.writing() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def rows(store, query: str) -> list[tuple[object, ...]]:
    async with store.reading() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


def test_what_a_store_of_0002_holds_is_there_in_0003(in_store) -> None:
    async def scenario(store):
        await to(store, "0002")
        await execute(
            store,
            "INSERT INTO evidence (route, epoch, first_seen, last_seen, n, k, closed_until, incident_base, restarts) "
            "VALUES ('GET /x', 'e1', 100, 130, 7, 1, 0, 0, 0)",
            "INSERT INTO tally (route, minute, epoch, verdict, count) VALUES ('GET /x', 1, 'e1', 'match', 5), "
            "('GET /x', 2, 'e1', 'mismatch', 2)",
            "INSERT INTO verdict_total (route, epoch, verdict, count) VALUES ('GET /x', 'e1', 'match', 5), "
            "('GET /x', 'e1', 'mismatch', 2)",
            "INSERT INTO latency (route, epoch, hour, side, bucket, count) VALUES ('GET /x', 'e1', -1, 'primary', 50, 7), "
            "('GET /x', 'e1', 0, 'primary', 50, 7), ('GET /x', 'e1', -1, 'candidate', 60, 7), ('GET /x', 'e1', 0, 'candidate', 60, 7)",
            "INSERT INTO evidence_unit (route, epoch, ends_at, rank, unit, bad, at, closes_at) VALUES "
            "('GET /x', 'e1', 3600, 5, 'u1', 1, 100, 3605), ('GET /x', 'e1', 3600, 6, 'u2', 0, 110, 3605), "
            "('GET /x', 'e1', 0, 7, 'late', 2, 90, 3700)",
            "INSERT INTO boot (boot, node, closed) VALUES ('live', 'n', 0), ('dead', 'n', 1)",
            "INSERT INTO opening (boot, route, slot, count) VALUES ('live', 'GET /x', 0, 3), ('live', 'GET /x', 2, 3)",
            "INSERT INTO ledger_end (boot, route, ending, reason, count) VALUES ('live', 'GET /x', 'compared', 'match', 3)",
        )
        await store.upgrade()
        before = await store.evidence("GET /x")
        (row,) = await store.route_rows()
        folded = await store.close_units(HOUR + 200)
        after = await store.evidence("GET /x")
        tallies = await store.tallies("GET /x", 0)
        return (
            before,
            row,
            folded,
            after,
            tallies,
            await store.check(),
            await rows(store, "SELECT closed_at FROM boot ORDER BY boot"),
        )

    before, row, folded, after, tallies, problems, closed = in_store(scenario)
    assert (before.n, before.k, before.open_units, before.verdicts, before.latency_samples) == (
        7,
        1,
        2,
        {"match": 5, "mismatch": 2},
        7,
    )
    assert (row.evidence, row.primary_p50_ms is not None) == (before, True)
    assert (folded, after.n, after.k, after.open_units) == (2, 9, 2, 0)
    assert [(item.at, item.span, item.verdicts) for item in tallies] == [(60, 60, {"match": 5}), (120, 60, {"mismatch": 2})]
    assert (row.ledger.seen, row.ledger.compared, problems) == (3, 3, [])
    assert [at is None for (at,) in closed] == [False, True]


def without_week(rows):
    """Hours of traffic came with 0004."""
    return [replace(row, evidence=replace(row.evidence, week_share=None)) for row in rows]


def test_what_0003_holds_survives_the_way_back_and_forth(in_store, mismatch, end) -> None:
    body = b"[" + b"7," * 4_000 + b"7]"

    async def scenario(store):
        row = mismatch("large", unit="u2")
        example = replace(
            row.example, primary=replace(row.example.primary, body=body), request=replace(row.example.request, body=body)
        )
        shared = mismatch("shared", at=101.0, unit="u3")
        shared = replace(shared, example=replace(shared.example, primary=replace(shared.example.primary, body=body)))
        good = end(primary_ms=1.0, candidate_ms=2.0)
        await store.write(Batch(ended=(replace(row, example=example), shared, good)), 5)
        first = without_week(await store.route_rows()), await store.clusters(), await store.tallies("GET /x", 0)
        await to(store, "0002")
        old = (
            await rows(store, "SELECT route, minute, epoch, verdict, count FROM tally ORDER BY verdict"),
            await rows(store, "SELECT ends_at, bad, closes_at FROM evidence_unit ORDER BY bad"),
            await rows(store, "SELECT DISTINCT hour FROM latency"),
        )
        await store.upgrade()
        second = without_week(await store.route_rows()), await store.clusters(), await store.tallies("GET /x", 0)
        examples = [await store.example(name) for name in ("large", "shared")]
        gone = await store.forget(("c1",), (), ())
        return first == second, old, examples == [example, shared.example], gone.examples, await store.check()

    same, old, whole, gone, problems = in_store(scenario)
    assert old == (
        [("GET /x", 1, "e1", "match", 1), ("GET /x", 1, "e1", "mismatch", 2)],
        [(HOUR, 0, HOUR + 5), (HOUR, 1, HOUR + 5), (HOUR, 1, HOUR + 5)],
        [(-1,)],
    )
    assert (same, whole, gone, problems) == (True, True, 2, [])


def test_charts_that_were_rolled_up_go_back_into_minutes(in_store, end) -> None:
    async def scenario(store):
        await store.write(Batch(ended=tuple(end(at=60.0 * minute, unit=None) for minute in range(90))), 5)
        await store.prune(-1.0, 10 * HOUR)
        await to(store, "0002")
        return await rows(store, "SELECT minute, count FROM tally ORDER BY minute")

    assert in_store(scenario) == [(0, 60), (60, 30)]


def test_the_tables_that_every_batch_writes_are_clustered_as_the_models_say(in_sqlite) -> None:
    async def scenario(store):
        return dict(await rows(store, "SELECT name, sql FROM sqlite_master WHERE type = 'table'"))

    made = in_sqlite(scenario)
    said = {table.name for table in Base.metadata.sorted_tables if not table.dialect_options["sqlite"]["with_rowid"]}
    assert {"tally", "evidence_unit", "latency", "opening", "ledger_end"} < said
    assert {name for name, sql in made.items() if "WITHOUT ROWID" in sql} == said
