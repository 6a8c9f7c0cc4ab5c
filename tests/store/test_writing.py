"""One batch, one transaction: counted once, whole or not at all, whatever the text in it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.database import open_store
from store.records import Batch, LatencyCounts
from traffic.message import Response
from traffic.outcome import CandidateError, Ending, Lost, Skipped, Verdict

HOSTILE = "a\0b\ud800\\u0000\u202e' ); DROP TABLE audit; -- 𐍈"


def test_ends_are_counted_in_ledger_minutes_totals_and_rule_hits(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(
            batch(
                end("match", primary_ms=1.0, candidate_ms=2.0),
                end("tolerated", tolerated=("rule-a", "rule-a", "rule-b"), at=160.0),
                end("timeout", Ending.CANDIDATE_ERROR),
                end("lane_full", Ending.SKIPPED, epoch="", unit=None, count=3),
                end("worker_died", Ending.LOST, epoch="", unit=None, count=2),
            ),
            5,
        )
        return await store.ledgers(), await store.tallies("GET /x", 0), await store.rule_hits(), await store.evidence("GET /x")

    ledgers, minutes, hits, evidence = in_store(scenario)
    ledger = ledgers["GET /x"]
    assert (ledger.verdicts, ledger.candidate_error) == ({"match": 1, "tolerated": 1}, {"timeout": 1})
    assert (ledger.skipped, ledger.lost) == ({"lane_full": 3}, {"worker_died": 2})
    assert ledger.violations() == []
    assert [(row.at, row.verdicts) for row in minutes] == [(60, {"candidate_error": 1, "match": 1}), (120, {"tolerated": 1})]
    assert hits == [("rule-a", "GET /x", 1), ("rule-b", "GET /x", 1)]
    assert (evidence.verdicts, evidence.candidate_errors) == ({"match": 1, "tolerated": 1}, 1)


def test_a_batch_written_twice_with_one_token_counts_once(in_store, end, batch) -> None:
    async def scenario(store):
        for number in (1, 1, 2, 1):
            await store.write(batch(end()), 5, ("shadow-1", number))
        await store.write(batch(end()), 5, ("shadow-2", 1))
        return await store.ended_counts("boot")

    assert in_store(scenario) == {"GET /x": 3}


def test_a_batch_that_fails_leaves_nothing(in_store, end, batch) -> None:
    """The second end cannot be written: the first end and the token are not kept either."""

    async def scenario(store):
        with pytest.raises(AttributeError):
            await store.write(batch(end(), end("mismatch", differences=(object(),))), 5, ("w", 1))
        before = await store.ended_counts("boot")
        await store.write(batch(end()), 5, ("w", 1))
        return before, await store.ended_counts("boot")

    assert in_store(scenario) == ({}, {"GET /x": 1})


def test_hostile_text_is_kept_as_it_is(in_store, mismatch) -> None:
    async def scenario(store):
        row = mismatch("x1", path=HOSTILE)
        text = replace(row.differences[0], primary=HOSTILE, candidate=HOSTILE, note=HOSTILE)
        example = replace(row.example, id=HOSTILE, reason=HOSTILE, differences=(text,))
        row = replace(row, route=HOSTILE, epoch=HOSTILE, client=HOSTILE, unit=HOSTILE, tolerated=(HOSTILE,), example=example)
        await store.write(Batch(ended=(row,)), 5)
        (cluster,) = await store.clusters()
        return cluster, await store.examples(cluster.id), example, await store.ledgers(), await store.rule_hits()

    cluster, examples, example, ledgers, hits = in_store(scenario)
    assert (cluster.atom.path, cluster.example_ids, examples) == (HOSTILE, (HOSTILE,), [example])
    assert (list(ledgers), hits) == ([HOSTILE], [(HOSTILE, HOSTILE, 1)])


def test_endless_names_and_odd_numbers_do_not_fail_a_batch(in_store, mismatch) -> None:
    """Names longer than an index takes, a status beyond 64 bits, times that are no numbers."""

    async def scenario(store):
        row = mismatch("y" * 9000, path="$." + "p" * 9000)
        example = replace(row.example, primary=Response(10**30, (), b""))
        names = {
            "route": "GET /" + "é" * 9000,
            "boot": "b" * 9000,
            "epoch": "e" * 9000,
            "unit": "u" * 9000,
            "client": "c" * 9000,
        }
        odd = {"at": float("nan"), "primary_ms": float("nan"), "candidate_ms": float("inf"), "tolerated": ("r" * 9000,)}
        await store.write(Batch(ended=(replace(row, example=example, **names, **odd),)), 5)
        (cluster,) = await store.clusters()
        return cluster, await store.examples(cluster.id), await store.ledgers()

    cluster, examples, ledgers = in_store(scenario)
    assert (cluster.count, len(examples), len(ledgers)) == (1, 1, 1)


def test_latency_thresholds_are_frozen_by_whoever_is_first(in_store, end) -> None:
    def pairs(threshold: float, slow: int) -> LatencyCounts:
        return LatencyCounts("GET /x", "e1", "p95", threshold, threshold + 10, slow, 2 * slow)

    async def scenario(store):
        await store.write(Batch(ended=(end(),), latency=(pairs(50, 1), pairs(50, 2))), 5)
        await store.write(Batch(latency=(pairs(60, 100), pairs(50, 4))), 5)
        return (await store.evidence("GET /x")).latency

    (found,) = in_store(scenario)
    assert (found.threshold_ms, found.primary_slow_only, found.candidate_slow_only) == (50, 7, 14)


def test_latency_samples_and_quantiles_come_from_the_epoch(in_store, end, batch) -> None:
    async def scenario(store):
        ended = [end(primary_ms=10.0, candidate_ms=float(ms), at=100.0 + ms) for ms in range(1, 101)]
        await store.write(batch(*ended, end(primary_ms=500.0, candidate_ms=500.0, epoch="e0", at=1.0)), 5)
        return await store.route_rows()

    (row,) = in_store(scenario)
    assert row.evidence.latency_samples == 100
    assert row.primary_p50_ms == pytest.approx(10.0, rel=0.011)
    assert (row.candidate_p50_ms, row.candidate_p95_ms) == (pytest.approx(50, rel=0.011), pytest.approx(95, rel=0.011))


ENDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *((Ending.COMPARED, reason) for reason in Verdict),
                (Ending.CANDIDATE_ERROR, CandidateError.TIMEOUT),
                (Ending.LOST, Lost.WORKER_DIED),
                (Ending.SKIPPED, Skipped.LANE_FULL),
            ]
        ),
        st.sampled_from(["u1", "u2", "u3", None]),
        st.sampled_from([10.0, 20.0, 30.0]),
        st.sampled_from(["GET /x", "GET /y"]),
    ),
    min_size=3,
    max_size=9,
)


@given(ENDS, st.integers(1, 8), st.integers(1, 8))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_how_ends_are_grouped_into_batches_makes_no_difference(tmp_path, mismatch, drawn, cut, other) -> None:
    """Merging tallies is associative: one batch, two, or many give the same store."""
    ended = []
    for number, ((ending, reason), unit, at, route) in enumerate(drawn):
        row = mismatch(f"x{number:02}", at=at, client=f"c{number % 3}", primary_ms=at)
        bare = {} if reason == Verdict.MISMATCH else {"differences": (), "example": None}
        ended.append(replace(row, ending=ending, reason=str(reason), unit=unit, route=route, **bare))
    first, second = sorted((cut % len(ended), other % len(ended)))
    groupings = [[ended], [ended[:first], ended[first:second], ended[second:]], [[row] for row in ended]]

    async def content(grouping) -> object:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        store = open_store(f"sqlite+aiosqlite:///{folder / 'store.db'}")
        try:
            await store.upgrade()
            for group in grouping:
                await store.write(Batch(ended=tuple(group)), 2)
            await store.close_units(1e9)
            rows = [replace(row, tolerated={}) for row in await store.route_rows()]
            return rows, await store.clusters(), await store.tallies("GET /x", 0), await store.tallies("GET /y", 0)
        finally:
            await store.close()

    async def scenario() -> list[object]:
        return [await content(grouping) for grouping in groupings]

    one, two, many = asyncio.run(scenario())
    assert one == two == many
