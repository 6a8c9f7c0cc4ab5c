"""Retention takes what grows with time and leaves what was proven."""

from __future__ import annotations

from store.records import Batch

DAY = 86_400.0


def test_pruning_takes_old_examples_and_minutes_and_leaves_counters(in_store, end, mismatch) -> None:
    async def scenario(store):
        old = [end(at=10.0, primary_ms=1.0, candidate_ms=1.0), mismatch("old", at=20.0)]
        new = [mismatch("new", at=10 * DAY), end(at=10 * DAY, unit="u2")]
        await store.write(Batch(ended=(*old, *new)), 5)
        await store.close_units(20 * DAY)
        before = await store.evidence("GET /x"), await store.ledgers()
        pruned = await store.prune(5 * DAY)
        after = await store.evidence("GET /x"), await store.ledgers()
        examples = [await store.example(name) is not None for name in ("old", "new")]
        (cluster,) = await store.clusters()
        return before == after, pruned, examples, cluster, await store.minutes("GET /x", 0), await store.check()

    same, pruned, examples, cluster, minutes, problems = in_store(scenario)
    assert same
    assert pruned == 6  # two minutes' verdicts, two hourly buckets, one link, one example
    assert (examples, cluster.count, cluster.example_ids) == ([False, True], 2, ("new",))
    assert ([row.at for row in minutes], problems) == ([10 * int(DAY)], [])


def test_pruning_nothing_is_fine(in_sqlite) -> None:
    async def scenario(store):
        return await store.prune(1e9)

    assert in_sqlite(scenario) == 0
