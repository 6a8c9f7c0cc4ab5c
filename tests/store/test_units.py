"""Evidence units: the worst verdict of a window counts once, and a closed window is closed."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from gate.shares import UnitLimits
from store import units as units_module
from store.database import open_store
from store.records import Batch
from store.schema import OpenUnit
from store.units import GRACE_S, rank_of
from traffic.outcome import Ending

HOUR = 3600.0
OVER = 2 * HOUR


def test_a_unit_counts_once_with_its_worst_verdict(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end("match"), end("mismatch"), end("match", unit="u2"), end("tolerated", unit="u2")), 5)
        await store.write(batch(end("match", at=200.0)), 5)
        before = await store.evidence("GET /x")
        folded = await store.close_units(OVER)
        return before, folded, await store.evidence("GET /x")

    before, folded, after = in_store(scenario)
    assert (before.n, before.k, before.open_units) == (0, 0, 2)
    assert (folded, after.n, after.k, after.open_units) == (2, 2, 1, 0)
    assert (after.first_unit_at, after.last_unit_at) == (100.0, 100.0)


def test_a_candidate_error_is_bad_evidence(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end("match"), end("reset", Ending.CANDIDATE_ERROR)), 5)
        await store.close_units(OVER)
        return await store.evidence("GET /x")

    evidence = in_store(scenario)
    assert (evidence.n, evidence.k) == (1, 1)


@pytest.mark.parametrize("reason", ["noise", "raced", "inconclusive", "cascade"])
def test_what_is_no_judgement_of_parity_is_in_neither_n_nor_k(in_sqlite, end, batch, reason) -> None:
    async def scenario(store):
        await store.write(batch(end(reason)), 5)
        await store.close_units(OVER)
        return await store.evidence("GET /x")

    evidence = in_sqlite(scenario)
    assert (evidence.n, evidence.k, evidence.verdicts) == (0, 0, {reason: 1})


def test_skips_and_losses_are_in_neither_n_nor_k(in_sqlite, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end("lane_full", Ending.SKIPPED), end("worker_died", Ending.LOST)), 5)
        await store.close_units(OVER)
        return await store.evidence("GET /x")

    evidence = in_sqlite(scenario)
    assert (evidence.n, evidence.k) == (0, 0)


def test_a_window_closes_when_its_grace_is_over(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end()), 5)
        await store.write(batch(end(at=HOUR + GRACE_S - 0.1)), 5)
        await store.close_units(HOUR + GRACE_S - 0.1)
        within_grace = await store.evidence("GET /x")
        await store.close_units(HOUR + GRACE_S)
        return within_grace, await store.evidence("GET /x")

    within_grace, after = in_store(scenario)
    assert (within_grace.n, within_grace.open_units) == (0, 2)
    assert (after.n, after.open_units) == (1, 1)


def test_a_good_unit_that_arrives_after_its_window_closed_changes_nothing(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end()), 5)
        await store.close_units(OVER)
        await store.write(batch(end("match", unit="u2"), end("tolerated", unit="u3")), 5)
        await store.close_units(OVER)
        return await store.evidence("GET /x")

    evidence = in_store(scenario)
    assert (evidence.n, evidence.k, evidence.open_units) == (1, 0, 0)
    assert evidence.verdicts == {"match": 2, "tolerated": 1}


def test_a_late_mismatch_is_never_lost_and_counts_once(in_store, end, batch) -> None:
    """Another machine was cut off from the store; the backlog it writes afterwards speaks against parity at once."""

    async def scenario(store):
        await store.write(batch(*(end(unit=f"a{i}") for i in range(50)), end(at=HOUR + 1, unit="next")), 5)
        await store.close_units(OVER - 60)
        before = await store.evidence("GET /x")
        for _ in range(2):
            await store.write(batch(*(end("mismatch", at=50.0, unit=f"b{i}") for i in range(50))), 5)
            await store.write(batch(end("reset", Ending.CANDIDATE_ERROR, unit="b0")), 5)
        at_once = await store.evidence("GET /x")
        await store.close_units(9 * HOUR)
        return before, at_once, await store.evidence("GET /x")

    before, at_once, after = in_store(scenario)
    assert (before.n, before.k, before.open_units) == (50, 0, 1)
    assert (at_once.n, at_once.k, at_once.open_units) == (100, 50, 1)
    assert (at_once.first_unit_at, at_once.last_unit_at) == (before.first_unit_at, before.last_unit_at)
    assert (after.n, after.k, after.open_units) == (101, 50, 0)


def test_a_late_mismatch_of_a_unit_that_closed_as_good_counts_as_one_more(in_sqlite, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end()), 5)
        await store.close_units(OVER)
        await store.write(batch(end("mismatch"), end("match")), 5)
        return await store.evidence("GET /x")

    evidence = in_sqlite(scenario)
    assert (evidence.n, evidence.k) == (2, 1)


def test_windows_of_two_lengths_that_end_together_have_the_longer_grace(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end(unit="short", at=HOUR - 1, window_s=2.0), end(unit="long")), 5)
        await store.close_units(HOUR + 2.5)
        await store.write(batch(end("mismatch", unit="long")), 5)
        open_then = await store.evidence("GET /x")
        await store.close_units(OVER)
        return open_then, await store.evidence("GET /x")

    open_then, evidence = in_store(scenario)
    assert (open_then.n, open_then.k, open_then.open_units) == (0, 0, 2)
    assert (evidence.n, evidence.k) == (2, 1)


def test_the_same_unit_in_the_next_window_counts_again(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end(), end(at=HOUR + 1)), 5)
        await store.close_units(3 * HOUR)
        return await store.evidence("GET /x")

    evidence = in_store(scenario)
    assert (evidence.n, evidence.first_unit_at, evidence.last_unit_at) == (2, 100.0, HOUR + 1)


def test_of_too_many_units_those_with_the_lowest_hash_stay_whatever_their_verdict(url, end) -> None:
    names = [f"u{number}" for number in range(30)]
    lowest = sorted(names, key=rank_of)[:10]

    async def scenario(order):
        store = open_store(url, UnitLimits(10, 1.0, 1.0))
        try:
            await store.upgrade()
            for name in order:
                reason = "mismatch" if name in lowest[:4] else "match"
                await store.write(Batch(ended=(end(reason, unit=name, epoch=order[0]),)), 5)
            await store.close_units(OVER)
            return await store.evidence("GET /x")
        finally:
            await store.close()

    evidence = asyncio.run(scenario(names))
    assert (evidence.n, evidence.k) == (10, 4)


def test_surplus_does_not_pile_up_and_what_is_counted_is_as_if_all_had_been_kept(url, end) -> None:
    """Four times as many units as may be open, bad ones among them, in batches, with repeats: those of the lowest ranks count."""
    names = [f"u{number}" for number in range(400)]
    lowest = sorted(names, key=rank_of)[:100]

    async def scenario():
        store = open_store(url, UnitLimits(100, 1.0, 1.0))
        rows = []
        try:
            await store.upgrade()
            for start in (*range(0, 400, 40), 0, 120):
                part = names[start : start + 40]
                await store.write(
                    Batch(ended=tuple(end("mismatch" if name in lowest[::4] else "match", unit=name) for name in part)), 5
                )
                async with store.reading() as connection:
                    rows.append(await connection.scalar(select(func.count()).select_from(OpenUnit)))
            (row,) = await store.route_rows()
            shown = row.evidence.open_units, (await store.evidence("GET /x")).open_units
            await store.close_units(OVER)
            return rows, shown, await store.evidence("GET /x")
        finally:
            await store.close()

    rows, (about, exact), evidence = asyncio.run(scenario())
    assert max(rows) <= 150
    assert exact <= about <= exact * 1.1 + 1
    assert (evidence.n, evidence.k, evidence.open_units) == (100, 25, 0)


def test_many_windows_close_in_short_transactions(in_sqlite, end, batch, monkeypatch) -> None:
    monkeypatch.setattr(units_module, "FOLD_ROWS", 7)

    async def scenario(store):
        routes = [f"GET /r{number}" for number in range(9)]
        await store.write(batch(*(end(route=route, unit=f"u{number}") for route in routes for number in range(5))), 5)
        folded = await store.close_units(OVER)
        return folded, [row.evidence.n for row in await store.route_rows()], await store.close_units(OVER)

    assert in_sqlite(scenario) == (45, [5] * 9, 0)


def test_the_current_epoch_is_the_one_seen_last(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end(at=100.0, epoch="old"), end(at=200.0, epoch="new")), 5)
        first = await store.evidence("GET /x")
        await store.write(batch(end(at=150.0, epoch="old")), 5)
        straggler = await store.evidence("GET /x")
        await store.write(batch(end(at=300.0, epoch="old")), 5)
        return first, straggler, await store.evidence("GET /x")

    first, straggler, back = in_store(scenario)
    assert (first.epoch, straggler.epoch, back.epoch) == ("new", "new", "old")
    assert first.verdicts == {"match": 1}


def test_an_earlier_epoch_is_an_attempt_once_it_holds_enough_units(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(*(end(unit=f"u{i}", epoch="small") for i in range(19))), 5)
        await store.write(batch(*(end(at=200.0, unit=f"u{i}", epoch="large") for i in range(20))), 5)
        await store.write(batch(end(at=300.0, epoch="now")), 5)
        await store.close_units(OVER)
        return await store.evidence("GET /x")

    assert in_store(scenario).attempt == 2


def test_nothing_known_is_no_evidence(in_store) -> None:
    async def scenario(store):
        return await store.evidence("GET /never"), await store.standing("GET /never")

    evidence, standing = in_store(scenario)
    assert (evidence.n, evidence.epoch, evidence.routes_total, standing.weight_bp) == (0, "", 1, 0)


def test_routes_share_alpha_with_those_that_could_be_promoted(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(*(end(route=route) for route in ("GET /a", "GET /b", "GET __unrouted__"))), 5)
        return [row.evidence.routes_total for row in await store.route_rows()], (
            await store.evidence("GET /a", 400)
        ).routes_total

    assert in_store(scenario) == ([2, 2, 2], 400)
