"""Retention takes what grows with time and leaves what was proven; what is kept follows routes and time, not requests."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select, text

from store.database import open_store
from store.records import Batch, OpeningCounts
from store.rollup import HOURS_KEPT, MINUTES_KEPT
from store.schema import Boot, End, Epoch, LatencyBucket, Opening, Tally, VerdictTotal
from store.tasks import spawn
from traffic.ledger import HANDED, SEEN_SLOT, SENT_SLOT, SERVED_PRIMARY, opening_slot

DAY = 86_400.0
HOUR = 3_600.0
HANDED_SLOT = opening_slot(SERVED_PRIMARY, HANDED)


async def rows_of(store, model) -> int:
    async with store.reading() as connection:
        return await connection.scalar(select(func.count()).select_from(model))


def test_pruning_takes_old_examples_and_minutes_and_leaves_counters(in_store, end, mismatch) -> None:
    async def scenario(store):
        old = [end(at=10.0, primary_ms=1.0, candidate_ms=1.0), mismatch("old", at=20.0)]
        new = [mismatch("new", at=10 * DAY), end(at=10 * DAY, unit="u2")]
        await store.write(Batch(ended=(*old, *new)), 5)
        await store.close_units(20 * DAY)
        before = await store.evidence("GET /x"), await store.ledgers()
        pruned = await store.prune(5 * DAY, 10 * DAY)
        after = await store.evidence("GET /x"), await store.ledgers()
        examples = [await store.example(name) is not None for name in ("old", "new")]
        (cluster,) = await store.clusters()
        return before == after, pruned, examples, cluster, await store.tallies("GET /x", 0), await store.check()

    same, pruned, examples, cluster, tallies, problems = in_store(scenario)
    assert same
    # Two minutes' verdicts became two hours', which went, and one example.
    assert pruned == 5
    assert (examples, cluster.count, cluster.example_ids) == ([False, True], 2, ("new",))
    assert ([row.at for row in tallies], problems) == ([10 * int(DAY)], [])


def test_pruning_nothing_is_fine(in_store) -> None:
    async def scenario(store):
        return await store.prune(1e9, 1e9)

    assert in_store(scenario) == 0


def test_minutes_become_hours_and_hours_days_and_every_exchange_stays_counted(in_store, end, batch) -> None:
    now = 30 * DAY

    async def scenario(store):
        ages = (
            0.0,
            MINUTES_KEPT - 60,
            MINUTES_KEPT + HOUR,
            MINUTES_KEPT + HOUR + 60,
            HOURS_KEPT + DAY,
            HOURS_KEPT + DAY + HOUR,
        )
        for age in ages:
            await store.write(batch(end(at=now - age), end("mismatch", at=now - age)), 5)
        sums = []
        for _ in range(2):
            await store.prune(0.0, now)
            rows = await store.tallies("GET /x", 0)
            sums.append(([(int(now) - row.at, row.span) for row in rows], sum(sum(row.verdicts.values()) for row in rows)))
            await store.write(batch(end(at=now - MINUTES_KEPT - HOUR)), 5)  # late
        return sums

    first, second = in_store(scenario)
    spans = [(int(HOURS_KEPT + 2 * DAY), 86_400), (int(HOURS_KEPT + DAY), 86_400)]
    hours = [(int(MINUTES_KEPT + 2 * HOUR), 3_600), (int(MINUTES_KEPT + HOUR), 3_600)]
    assert first == ([*spans, *hours, (int(MINUTES_KEPT - 60), 60), (0, 60)], 12)
    assert second == (first[0], 13)


def test_the_number_of_rows_follows_time_and_not_traffic(in_sqlite, end) -> None:
    async def scenario(store):
        counts = []
        for round_ in range(2):
            ends = [
                end(at=60.0 * n, unit=f"{round_}-{n}-{i}", primary_ms=5.0, candidate_ms=5.0) for n in range(300) for i in (1, 2)
            ]
            await store.write(Batch(ended=tuple(ends)), 5)
            await store.close_units(10 * DAY)
            await store.prune(0.0, 10 * DAY)
            counts.append([await rows_of(store, model) for model in (Tally, VerdictTotal, LatencyBucket, End, Epoch)])
        return counts

    first, second = in_sqlite(scenario)
    assert first == second == [5, 1, 2, 1, 1]


def test_clusters_that_nothing_was_added_to_go_with_their_examples(in_store, mismatch) -> None:
    async def scenario(store):
        await store.write(Batch(ended=(mismatch("gone", at=DAY, path="$.old"), mismatch("kept", at=9 * DAY))), 5)
        steps = []
        await store.prune(5 * DAY, 10 * DAY, tell=steps.append)
        return [row.atom.path for row in await store.clusters()], await store.example("gone"), steps, await store.check()

    paths, example, steps, problems = in_store(scenario)
    assert (paths, example, problems) == (["$.price"], None, [])
    assert {step.part for step in steps} >= {"charts", "old examples", "old clusters", "epochs and rules"}
    assert all(0 < step.done <= step.total for step in steps)


def test_the_oldest_examples_go_until_the_rest_fits(in_store, mismatch) -> None:
    """Random bodies, which nothing makes smaller."""
    import random

    async def scenario(store):
        chance = random.Random(5)
        for at in range(6):
            row = mismatch(f"x{at}", at=float(at), path=f"$.p{at}")
            answer = replace(row.example.primary, body=chance.randbytes(10_000))
            await store.write(Batch(ended=(replace(row, example=replace(row.example, primary=answer)),)), 5)
        await store.prune(-1.0, 10.0, most_bytes=35_000)
        left = [name for name in (f"x{at}" for at in range(6)) if await store.example(name)]
        await store.prune(-1.0, 10.0, most_bytes=35_000)
        return left, [name for name in left if await store.example(name)], len(await store.clusters()), await store.check()

    assert in_store(scenario) == (["x3", "x4", "x5"], ["x3", "x4", "x5"], 6, [])


def test_old_epochs_become_one_row_and_still_count_as_attempts(in_store, end, batch) -> None:
    async def scenario(store):
        for number, units in enumerate((25, 3, 30)):
            ends = [
                end(at=number * DAY + n, unit=f"u{n}", epoch=f"e{number}", primary_ms=1.0, candidate_ms=1.0)
                for n in range(units)
            ]
            await store.write(batch(*ends), 5)
        await store.write(batch(end(at=20 * DAY, epoch="now")), 5)
        await store.close_units(30 * DAY)
        before = await store.evidence("GET /x")
        rows = [await rows_of(store, model) for model in (Epoch, VerdictTotal, LatencyBucket)]
        for _ in range(2):
            await store.prune(10 * DAY, 20 * DAY)
        after = await store.evidence("GET /x")
        return before, after, rows, [await rows_of(store, model) for model in (Epoch, VerdictTotal, LatencyBucket)]

    before, after, had, has = in_store(scenario)
    assert before == after
    assert (before.attempt, had, has) == (3, [4, 4, 6], [2, 1, 0])


def test_a_current_epoch_stays_however_old(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end(at=1.0)), 5)
        await store.close_units(DAY)
        await store.prune(10 * DAY, 20 * DAY)
        return await store.evidence("GET /x")

    evidence = in_store(scenario)
    assert (evidence.epoch, evidence.n) == ("e1", 1)


def dead(boot: str, slots: dict[int, int], at: float = 100.0) -> Batch:
    return Batch(openings=(OpeningCounts(boot, "node", {"GET /x": slots}, closed=True, at=at),))


def test_the_books_of_dead_proxies_are_added_up_and_their_names_go_with_the_retention(in_store, end) -> None:
    async def scenario(store):
        for number in range(5):
            await store.write(Batch(ended=(end(boot=f"b{number}"), end("mismatch", boot=f"b{number}"))), 5)
            await store.write(dead(f"b{number}", {SEEN_SLOT: 4, SENT_SLOT: 3, HANDED_SLOT: 3}), 5)
        await store.write(Batch(ended=(end(boot="b0"),)), 5)  # too late: it was counted as lost
        ledger = (await store.ledgers())["GET /x"]
        counts = [await rows_of(store, model) for model in (Opening, End, Boot)]
        await store.prune(50.0, 60.0)
        named = await rows_of(store, Boot)
        await store.prune(200.0, 300.0)
        return ledger, counts, named, await rows_of(store, Boot), (await store.ledgers())["GET /x"], await store.check()

    ledger, counts, named, unnamed, after, problems = in_store(scenario)
    assert (ledger.seen, ledger.compared, ledger.lost, ledger.refused) == (20, 10, {"worker_died": 5}, {"proxy_died": 5})
    assert counts == [4, 3, 6]  # seen, sent, handed and died; match, mismatch and lost; five and the archive
    assert (named, unnamed, after, problems) == (6, 1, ledger, [])


def test_books_that_do_not_add_up_stay_by_themselves_and_check_names_them(in_store) -> None:
    async def scenario(store):
        await store.write(Batch(openings=(OpeningCounts("torn", "node", {"GET /x": {SEEN_SLOT: 2, HANDED_SLOT: 2}}),)), 5)
        async with store.writing() as connection:
            row = {"boot": "torn", "route": "GET /x", "ending": "compared", "reason": "match", "count": 5}
            await connection.execute(End.__table__.insert(), [row])
        await store.write(dead("torn", {SEEN_SLOT: 2, HANDED_SLOT: 2}), 5)
        await store.prune(1e9, 1e9)
        return await store.check()

    problems = in_store(scenario)
    assert problems
    assert all(problem.startswith("ledger: GET /x of boot torn: ") for problem in problems)


@pytest.mark.parametrize("kept", [0, 3])
def test_a_sqlite_file_shrinks_by_what_was_pruned(in_sqlite, mismatch, tmp_path, kept) -> None:
    import random

    async def scenario(store):
        chance = random.Random(7)
        for at in range(10):
            row = mismatch(f"x{at}", at=float(at), path=f"$.p{at}")
            answer = replace(row.example.primary, body=chance.randbytes(300_000))
            await store.write(Batch(ended=(replace(row, example=replace(row.example, primary=answer)),)), 5)
        await store.prune(10.0 - kept - 0.5, 10.0)
        await store.forget((), (), ("",))  # writes the log back into the file
        return (tmp_path / "store.db").stat().st_size

    size = in_sqlite(scenario)
    assert kept * 300_000 < size < kept * 300_000 + 400_000


def test_indexes_of_postgresql_shrink_while_others_write(postgres_url, end) -> None:
    async def scenario() -> None:
        store = open_store(postgres_url)
        try:
            await store.upgrade()
            for at in range(4):
                ends = [replace(end(), unit=f"u{at}-{number}", route="GET /a") for number in range(4_000)]
                await store.write(Batch(ended=tuple(ends)), 5)
            await store.close_units(1e9)
            async with store.writing() as connection:  # as an attempt that was stopped leaves it: not valid, and written to
                await connection.execute(text("CREATE INDEX evidence_ccnew ON evidence (n)"))
                await connection.execute(
                    text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'evidence_ccnew'::regclass")
                )
            before = await sizes(store)
            over = asyncio.Event()

            async def write() -> int:
                done = 0
                while not over.is_set():
                    await store.write(Batch(ended=(replace(end(), unit=None, route="GET /b"),)), 5)
                    done += 1
                return done

            writer = spawn(write(), "writer")
            await store.compact()
            over.set()
            written = await writer
            after = await sizes(store)
            assert before["pk_evidence_unit"] > 10 * after["pk_evidence_unit"]
            assert "evidence_ccnew" in before
            assert "evidence_ccnew" not in after
            assert set(after) == set(before) - {"evidence_ccnew"}
            assert await store.check() == []
            kept = {row.route: (row.evidence.n, sum(row.evidence.verdicts.values())) for row in await store.route_rows()}
            assert kept == {"GET /a": (16_000, 16_000), "GET /b": (0, written)}
            assert written > 1
        finally:
            await store.close()

    asyncio.run(scenario())


async def sizes(store) -> dict[str, int]:
    """Bytes of each index."""
    async with store.reading() as connection:
        found = await connection.execute(text("SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes"))
        return {name: int(size) for name, size in found}
