"""The equations of the ledger hold in the store after every batch, whatever died, and whatever arrived late or twice."""

from __future__ import annotations

import asyncio
import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.database import open_store
from store.records import Batch, Ended, OpeningCounts
from traffic.ledger import HANDED, SEEN_SLOT, SENT_SLOT, SERVED_PRIMARY, Ledger, opening_slot
from traffic.outcome import Ending

SERVED_HANDED = opening_slot(SERVED_PRIMARY, HANDED)
SERVED_SKIPPED = opening_slot(SERVED_PRIMARY, "skipped:unsafe_method")
REFUSED_SKIPPED = opening_slot("refused:client_gone", "skipped:client_gone")
ENDS = [
    (Ending.COMPARED, "match"),
    (Ending.COMPARED, "mismatch"),
    (Ending.CANDIDATE_ERROR, "reset"),
    (Ending.SKIPPED, "lane_full"),
    (Ending.LOST, "differ_failed"),
]


def openings(slots, boot="boot", closed=False, route="GET /x") -> OpeningCounts:
    return OpeningCounts(boot, "node", {route: slots}, closed)


def test_openings_are_absolute_so_repeating_or_reordering_them_changes_nothing(in_store) -> None:
    async def scenario(store):
        for seen in (3, 5, 5, 4):
            await store.write(Batch(openings=(openings({SEEN_SLOT: seen, SERVED_SKIPPED: seen - 1}),)), 5)
        return await store.ledgers()

    ledger = in_store(scenario)["GET /x"]
    assert (ledger.seen, ledger.open, ledger.served_primary, ledger.skipped) == (5, 1, 4, {"unsafe_method": 4})


def test_closing_turns_open_into_proxy_died_and_pending_into_lost(in_store, end) -> None:
    """10 seen: 2 open, 1 skipped, 7 handed over of which 5 reached the channel and 3 ended."""

    async def scenario(store):
        final = openings({SEEN_SLOT: 10, SENT_SLOT: 5, SERVED_HANDED: 7, SERVED_SKIPPED: 1}, closed=True)
        await store.write(Batch(ended=(end(), end(), end("mismatch"))), 5)
        await store.write(Batch(openings=(final,)), 5)
        await store.write(Batch(openings=(final,)), 5)
        return await store.ledgers(), await store.check()

    ledgers, problems = in_store(scenario)
    ledger = ledgers["GET /x"]
    assert (ledger.seen, ledger.open, ledger.pending, problems) == (10, 0, 0, [])
    assert (ledger.refused, ledger.skipped) == ({"proxy_died": 2}, {"proxy_died": 2, "unsafe_method": 1})
    assert (ledger.lost, ledger.mirrored, ledger.compared) == ({"worker_died": 2, "queue_died": 2}, 7, 3)


def test_an_end_of_a_closed_boot_changes_nothing(in_store, end) -> None:
    """It was counted as lost already, so it is no evidence either."""

    async def scenario(store):
        await store.write(Batch(openings=(openings({SEEN_SLOT: 1, SENT_SLOT: 1, SERVED_HANDED: 1}, closed=True),)), 5)
        before = await store.ledgers()
        await store.write(Batch(ended=(end("mismatch"),)), 5)
        return before, await store.ledgers(), await store.evidence("GET /x")

    before, after, evidence = in_store(scenario)
    assert before == after
    assert (evidence.epoch, evidence.open_units) == ("", 0)


def test_ends_and_closing_in_one_batch_count_the_ends_first(in_store, end) -> None:
    async def scenario(store):
        final = openings({SEEN_SLOT: 2, SENT_SLOT: 2, SERVED_HANDED: 2}, closed=True)
        await store.write(Batch(ended=(end(),), openings=(final,)), 5)
        return await store.ledgers()

    ledger = in_store(scenario)["GET /x"]
    assert (ledger.compared, ledger.lost, ledger.violations()) == (1, {"worker_died": 1}, [])


def test_ends_that_are_known_before_their_openings_are_made_whole(in_store, end) -> None:
    async def scenario(store):
        await store.write(Batch(ended=(end(), end())), 5)
        early = await store.ledgers()
        await store.write(Batch(openings=(openings({SEEN_SLOT: 3, SERVED_HANDED: 3}),)), 5)
        return early["GET /x"], (await store.ledgers())["GET /x"]

    early, whole = in_store(scenario)
    assert (early.seen, early.pending, early.violations()) == (2, 0, [])
    assert (whole.seen, whole.pending, whole.violations()) == (3, 1, [])


def test_a_surplus_of_ends_of_a_dead_boot_stays_visible(in_store, end) -> None:
    """Counting an exchange twice is a fault of ours: it must show, and block the gate."""

    async def scenario(store):
        final = openings({SEEN_SLOT: 1, SERVED_HANDED: 1}, closed=True)
        await store.write(Batch(ended=(end(), end()), openings=(final,)), 5)
        return await store.evidence("GET /x"), await store.check()

    evidence, problems = in_store(scenario)
    assert evidence.ledger_violations
    assert any("ledger" in problem for problem in problems)


def test_incidents_before_an_epoch_are_not_its_own(in_store, end) -> None:
    async def scenario(store):
        await store.write(Batch(ended=(end("lane_full", Ending.SKIPPED, epoch="", unit=None, count=7),)), 5)
        await store.write(Batch(ended=(end(),)), 5)
        first = (await store.evidence("GET /x")).incident_skips
        await store.write(Batch(ended=(end("worker_died", Ending.LOST, epoch="", unit=None, count=2),)), 5)
        slots = {SEEN_SLOT: 99, opening_slot(SERVED_PRIMARY, "skipped:queue_full"): 3, SERVED_SKIPPED: 9}
        await store.write(Batch(openings=(openings(slots),)), 5)
        return first, (await store.evidence("GET /x")).incident_skips

    assert in_store(scenario) == (0, 5)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["request", "skip", "refuse", "leave open", "end", "late snapshot", "die", "write"]),
        st.integers(1, 4),
        st.sampled_from(["boot-1", "boot-2"]),
        st.sampled_from(ENDS),
    ),
    max_size=14,
)


@given(STEPS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_equations_hold_after_every_batch(tmp_path, steps) -> None:
    """A model of two proxies and a shadow; every batch may carry stale, repeated or final openings."""

    async def scenario() -> None:
        store = open_store(f"sqlite+aiosqlite:///{tmp_path / uuid.uuid4().hex}.db")
        slots: dict[str, dict[int, int]] = {"boot-1": {}, "boot-2": {}}
        snapshots: dict[str, dict[int, int]] = {"boot-1": {}, "boot-2": {}}
        in_flight = {"boot-1": 0, "boot-2": 0}
        dead: set[str] = set()
        waiting: list[Ended] = []
        seen = 0

        def count(boot: str, number: int, *names: int) -> None:
            for slot in names:
                slots[boot][slot] = slots[boot].get(slot, 0) + number

        async def write(*counts: OpeningCounts) -> None:
            await store.write(Batch(ended=tuple(waiting), openings=counts), 1)
            waiting.clear()
            total = sum((await store.ledgers()).values(), Ledger())
            assert total.violations() == []

        try:
            await store.upgrade()
            for step, number, boot, (ending, reason) in steps:
                if step == "write":
                    await write(*(openings(dict(slots[b]), b, b in dead) for b in slots))
                elif step == "late snapshot":
                    await write(openings(dict(snapshots[boot]), boot))
                    snapshots[boot] = dict(slots[boot])
                elif boot in dead:
                    continue
                elif step == "die":
                    await write(openings(dict(slots[boot]), boot, True))
                    dead.add(boot)
                elif step == "end":
                    number = min(number, in_flight[boot])
                    in_flight[boot] -= number
                    waiting.extend(Ended(boot, "GET /x", 1.0, ending, reason, epoch="e", unit="u") for _ in range(number))
                else:
                    seen += number
                    extra = {"request": [SERVED_HANDED, SENT_SLOT], "skip": [SERVED_SKIPPED], "refuse": [REFUSED_SKIPPED]}
                    count(boot, number, SEEN_SLOT, *extra.get(step, []))
                    in_flight[boot] += number if step == "request" else 0
            await write(*(openings(dict(slots[b]), b, True) for b in slots))
            total = sum((await store.ledgers()).values(), Ledger())
            assert (total.seen, total.open, total.pending) == (seen, 0, 0)
        finally:
            await store.close()

    asyncio.run(scenario())
