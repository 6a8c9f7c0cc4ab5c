"""What rules did: sums over any batches and writers, days that are pruned, a bounded reservoir of examples."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from differ.facts import Atom
from differ.rule_use import DAY_S, DayUse, HiddenPlace, JudgedKind, LoadedRule, RuleTally, Suppressed
from differ.samples import rank
from store import rule_uses
from store.database import open_store
from store.records import Batch, DifferenceText, Ended, Example, RuleSample
from store.schema import StoredExample
from traffic.message import Request, Response
from traffic.outcome import Ending

JSON = (200, "application/json")


def hit(end, at: float = 100.0, version: str = "v1", differences: int = 1, **changes) -> Ended:
    suppressed = (Suppressed("r", version, differences),)
    return end("tolerated", at=at, tolerated=("r",), suppressed=suppressed, judged=JSON, **changes)


def sample(
    examples: tuple[Example, ...] = (), places: tuple[HiddenPlace, ...] = (), version: str = "v1", **counts: int
) -> RuleSample:
    return RuleSample(RuleTally("r", version, "GET /x", **{"matched": 1, "sampled": 1, **counts}), places, examples)


def place(path: str, count: int = 1, note: str = "") -> HiddenPlace:
    return HiddenPlace("r", "v1", "GET /x", "body", path, "value", note, count)


def kept_example(name: str, at: float = 100.0) -> Example:
    text = DifferenceText(Atom("GET /x", "200/200", "body", "$.a", "value"), "1", "2")
    return Example(name, "GET /x", at, "primary", "c", Request("GET", b"/x"), Response(200), Response(200), (text,))


def test_hits_responses_and_times_are_counted_by_version(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(hit(end, 50.0, differences=3), hit(end, 90.0), end("match", judged=JSON)), 5)
        await store.write(batch(hit(end, 20.0, version="v2")), 5)
        return await store.rule_usage(), await store.rule_hits()

    usage, hits = in_store(scenario)
    assert usage.tallies == (
        RuleTally("r", "v1", "GET /x", differences=4, responses=2, first_at=50.0, last_at=90.0),
        RuleTally("r", "v2", "GET /x", differences=1, responses=1, first_at=20.0, last_at=20.0),
    )
    assert hits == [("r", "GET /x", 3)]
    assert set(usage.days) == {DayUse("r", "v1", "GET /x", 0, 2), DayUse("r", "v2", "GET /x", 0, 1)}
    assert usage.judged == (JudgedKind("GET /x", *JSON, 0, 4),)


def test_responses_judged_are_told_apart_by_what_scopes_ask_for(in_store, end, batch) -> None:
    async def scenario(store):
        kinds = [JSON, JSON, (404, "application/json"), (200, "text/html"), None]
        rows = [end("match", judged=kind, at=DAY_S * number + 1.0) for number, kind in enumerate(kinds)]
        await store.write(batch(*rows, end("mismatch", judged=JSON), end("skipped", Ending.SKIPPED)), 5)
        return (await store.rule_usage()).judged

    assert sorted((kind.status, kind.media, kind.day, kind.count) for kind in in_store(scenario)) == [
        (200, "application/json", 0, 2),
        (200, "application/json", 1, 1),
        (200, "text/html", 3, 1),
        (404, "application/json", 2, 1),
    ]


def test_a_name_nothing_more_is_known_of_counts_once_without_a_version(in_sqlite, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end("tolerated", tolerated=("old",))), 5)
        return (await store.rule_usage()).tallies

    (tally,) = in_sqlite(scenario)
    assert (tally.rule, tally.version, tally.responses, tally.differences) == ("old", "", 1, 1)


def test_samples_and_hits_of_one_batch_add_up_in_one_row(in_store, end) -> None:
    async def scenario(store):
        await store.write(Batch(ended=(hit(end, 50.0),), samples=(sample(alone=1, needed=1), sample(covered=1))), 5)
        await store.write(Batch(samples=(sample(sampled=0),)), 5)
        return (await store.rule_usage()).tallies

    (tally,) = in_store(scenario)
    assert (tally.matched, tally.sampled, tally.alone, tally.needed, tally.covered) == (3, 2, 1, 1, 1)
    assert (tally.responses, tally.first_at, tally.last_at) == (1, 50.0, 50.0)


def test_how_samples_are_cut_into_batches_changes_no_sum(in_store, end) -> None:
    """The same increments in one batch, in many, and in another order."""
    rng = random.Random(3)
    ends = [hit(end, float(rng.randrange(1_000)), differences=rng.randrange(1, 5)) for _ in range(40)]
    samples = [sample(places=(place(f"$.p{rng.randrange(6)}"),), alone=rng.randrange(2)) for _ in range(40)]

    async def scenario(store):
        await store.write(Batch(ended=tuple(ends), samples=tuple(samples)), 5)
        whole = await store.rule_usage()
        rng.shuffle(ends)
        rng.shuffle(samples)
        for start in range(0, 40, 7):
            part = Batch(ended=tuple(ends[start : start + 7]), samples=tuple(samples[start : start + 7]))
            await store.write(part, 5, ("writer", start))
            await store.write(part, 5, ("writer", start))
        return whole, await store.rule_usage()

    once, twice = in_store(scenario)
    (before,), (after,) = once.tallies, twice.tallies
    assert after == before.plus(before)
    assert {(item.path, item.count) for item in twice.places} == {(item.path, 2 * item.count) for item in once.places}


def test_several_writers_at_once_add_up(url, end) -> None:
    async def scenario():
        stores = [open_store(url) for _ in range(3)]
        try:
            await stores[0].upgrade()

            async def write(store, number: int) -> None:
                for turn in range(5):
                    given = (kept_example(f"{number}-{turn}"),)
                    shown = sample(given, (place("$.a"),), needed=1)
                    await store.write(Batch(ended=(hit(end),), samples=(shown,)), 5, (f"w{number}", turn))

            await asyncio.gather(*(write(store, number) for number, store in enumerate(stores)))
            return await stores[0].rule_usage()
        finally:
            for store in stores:
                await store.close()

    usage = asyncio.run(scenario())
    (tally,) = usage.tallies
    assert (tally.responses, tally.sampled, tally.needed) == (15, 15, 15)
    assert [item.count for item in usage.places] == [15]
    ids = [f"{number}-{turn}" for number in range(3) for turn in range(5)]
    assert {item.example_id for item in usage.examples} == set(sorted(ids, key=rank)[:5])


def test_places_are_bounded_and_the_rest_is_counted(in_store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_uses, "MAX_PLACES", 3)

    async def scenario(store):
        for start in range(3):
            places = tuple(place(f"$.p{number}") for number in range(start, start + 3))
            await store.write(Batch(samples=(sample(places=places),)), 5)
        return (await store.rule_usage()).places

    found = in_store(scenario)
    assert len(found) == 4
    assert sum(item.count for item in found) == 9
    assert [item.path for item in found if item.path == rule_uses.OVERFLOW] == [rule_uses.OVERFLOW]


def test_notes_at_one_place_are_told_apart(in_sqlite) -> None:
    async def scenario(store):
        await store.write(Batch(samples=(sample(places=(place("$.a", 2, "offset +5h"), place("$.a", 1, "seconds"))),)), 5)
        return (await store.rule_usage()).places

    assert [(item.note, item.count) for item in in_sqlite(scenario)] == [("offset +5h", 2), ("seconds", 1)]


def test_the_examples_of_the_lowest_ranks_stay_however_they_arrive(in_store) -> None:
    names = [f"e{number}" for number in range(12)]
    rng = random.Random(5)
    rng.shuffle(names)

    async def scenario(store):
        for name in names:
            await store.write(Batch(samples=(sample((kept_example(name),)),)), 5)
        usage = await store.rule_usage()
        async with store.reading() as connection:
            stored = await connection.scalar(select(func.count()).select_from(StoredExample))
        return usage.examples, stored, await store.example(sorted(names, key=rank)[0]), await store.check()

    kept, stored, first, problems = in_store(scenario)
    assert {item.example_id for item in kept} == set(sorted(names, key=rank)[:5])
    assert (stored, problems) == (5, [])
    assert first is not None


def test_an_example_that_a_cluster_keeps_too_is_not_dropped_with_the_rule_s(in_store, mismatch) -> None:
    async def scenario(store):
        row = mismatch("shared", at=500.0)
        await store.write(Batch(ended=(row,), samples=(sample((row.example,)),)), 5)
        await store.write(Batch(ended=(replace(mismatch("newer", at=900.0), boot="other"),)), 1)
        by_cluster = await store.example("shared")
        await store.prune(600.0, 900.0)
        return by_cluster, await store.example("shared"), (await store.rule_usage()).examples

    by_rule, gone, links = in_store(scenario)
    assert by_rule is not None
    assert (gone, links) == (None, ())


def test_old_days_and_versions_nobody_loads_any_more_are_pruned_and_totals_stay(in_store, end) -> None:
    day = 20.0 * DAY_S

    async def scenario(store):
        await store.note_loaded([LoadedRule("r", "v1", 0.0, 5 * DAY_S), LoadedRule("r", "v2", 0.0, day)])
        await store.note_loaded([LoadedRule("r", "v2", DAY_S, day + 60)])
        shown = sample((kept_example("old", DAY_S),), (place("$.a"),))
        newer = replace(place("$.b"), version="v2")
        await store.write(
            Batch(ended=(hit(end, DAY_S), hit(end, day, version="v2")), samples=(shown, sample(places=(newer,), version="v2"))),
            5,
        )
        await store.prune(10.0 * DAY_S, 20.0 * DAY_S)
        return await store.rule_usage(), await store.example("old"), await store.rule_hits()

    usage, example, hits = in_store(scenario)
    assert usage.loaded == (LoadedRule("r", "v2", 0.0, day + 60),)
    assert [item.day for item in usage.days] == [item.day for item in usage.judged] == [20]
    assert ([item.path for item in usage.places], usage.examples, example) == (["$.b"], (), None)
    assert hits == [("r", "GET /x", 2)]


def test_hostile_names_and_paths_cost_nothing_but_their_own_row(in_store) -> None:
    path = "$." + "é\0\ud800'\\" * 2_000

    async def scenario(store):
        await store.write(Batch(samples=(sample(places=(place(path), place(path, note="x\0y"))),)), 5)
        await store.write(Batch(samples=(sample(places=(place(path),)),)), 5)
        return (await store.rule_usage()).places

    assert sorted(item.count for item in in_store(scenario)) == [1, 2]
