"""Every end reaches the store exactly once, through outages, lost answers, poison and too long a backlog."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shadow_recorder import end, made, put
from shadow_store import ListStore

import shadow.recorder
from differ.facts import Atom
from shadow.recorder import Recorder
from store.errors import NotKept
from store.records import Batch, Finding, OpeningCounts
from store.tasks import spawn


def test_a_few_ends_are_written_within_the_flush_time() -> None:
    async def scenario() -> None:
        store = ListStore()
        recorder, held = made(store)
        run = spawn(recorder.run(), "recorder")
        for number in range(3):
            put(recorder, held, end(number))
        async with asyncio.timeout(10):
            while len(store.ended) < 3:
                await asyncio.sleep(0.01)
        await recorder.close(1)
        await run
        assert held.total == 0

    asyncio.run(scenario())


def test_store_down_then_up_loses_nothing() -> None:
    async def scenario() -> None:
        store = ListStore()
        store.down = True
        recorder, held = made(store)
        for number in range(500):
            put(recorder, held, end(number))
            if number % 100 == 0:
                assert not await recorder.flush()
        store.down = False
        assert await recorder.flush()
        assert [item.at for item in store.ended] == [float(number) for number in range(500)]
        assert (held.total, recorder.waiting) == (0, 0)

    asyncio.run(scenario())


def test_commit_whose_answer_was_lost_is_not_applied_twice() -> None:
    async def scenario() -> None:
        store = ListStore()
        store.lose_answer = True
        recorder, held = made(store)
        put(recorder, held, end())
        assert not await recorder.flush()
        assert recorder.uncertain
        assert await recorder.flush()
        assert len(store.ended) == 1
        assert held.total == 0

    asyncio.run(scenario())


def test_one_end_that_the_store_refuses_costs_only_its_own_detail() -> None:
    async def scenario() -> None:
        store = ListStore()
        store.refuse = "poison"
        recorder, held = made(store)
        for number in range(9):
            put(recorder, held, end(number, "poison" if number == 4 else ""))
        for _ in range(100):
            if await recorder.flush():
                break
        assert store.reasons() == {"compared:match": 8, "lost:store_failed": 1}
        assert held.total == 0

    asyncio.run(scenario())


def test_poison_costs_nothing_else_and_no_time() -> None:
    """[T24] One of 500: patience is needed once, not again for each half; opening counts and findings come through."""

    async def scenario() -> None:
        store = ListStore()
        store.refuse = "poison"
        counts = OpeningCounts("boot", "n", {"GET /a": {0: 9}})

        async def openings(boots: set[str]) -> Sequence[OpeningCounts]:
            return (counts,)

        recorder, held = made(store, openings)
        finding = Finding(Atom("GET /a", "", "latency", "$", "slow"), 1.0, 3, "slow")
        recorder.add_finding(finding)
        for number in range(500):
            put(recorder, held, end(number, "poison" if number == 333 else ""))
        failures = 0
        while recorder.waiting:
            failures += not await recorder.flush()
        assert failures < shadow.recorder.PATIENCE
        assert store.reasons() == {"compared:match": 499, "lost:store_failed": 1}
        assert [batch.openings for batch in store.batches if batch.openings] == [(counts,)]
        assert [batch.findings for batch in store.batches if batch.findings] == [(finding,)]
        assert held.total == 0

    asyncio.run(scenario())


def test_batch_whose_examples_are_not_kept_counts_once() -> None:
    """[T24] The counts were committed: under another token they would be counted again."""

    class WithoutExamples(ListStore):
        async def write(self, batch: Batch, keep_examples: int, token: tuple[str, int] | None = None) -> None:
            await super().write(batch, keep_examples, token)
            raise NotKept("the examples are not kept")

    async def scenario() -> None:
        store = WithoutExamples()
        recorder, held = made(store)
        for number in range(9):
            put(recorder, held, end(number))
        assert await recorder.flush()
        assert store.reasons() == {"compared:match": 9}
        assert (held.total, recorder.waiting, recorder.uncertain) == (0, 0, False)

    asyncio.run(scenario())


def test_full_disk_is_not_taken_for_a_batch_that_the_store_refuses() -> None:
    """[F-14] An empty batch passes on a full disk: that must not cost the others their detail, nor the opening counts."""

    async def scenario() -> None:
        store = ListStore()
        counts = OpeningCounts("boot", "n", {"GET /a": {0: 9}})

        async def openings(boots: set[str]) -> Sequence[OpeningCounts]:
            return (counts,)

        recorder, held = made(store, openings)
        for number in range(9):
            put(recorder, held, end(number))
        store.full = True
        for _ in range(30):
            assert not await recorder.flush()
        store.full = False
        while recorder.waiting:
            await recorder.flush()
        assert store.reasons() == {"compared:match": 9}
        assert [batch.openings for batch in store.batches] == [(counts,)]
        assert held.total == 0

    asyncio.run(scenario())


def test_openings_are_read_after_the_ends_were_taken_and_written_when_they_changed() -> None:
    async def scenario() -> None:
        store = ListStore()
        counts = OpeningCounts("boot", "n", {"GET /a": {0: 1}})
        asked: list[set[str]] = []

        async def openings(boots: set[str]) -> Sequence[OpeningCounts]:
            asked.append(boots)
            return (counts,)

        recorder, held = made(store, openings)
        put(recorder, held, end())
        await recorder.flush()
        await recorder.flush()
        assert asked[0] == {"boot"}
        assert store.batches == [Batch((end(),), (counts,))]

    asyncio.run(scenario())


@settings(max_examples=60, deadline=None)
@example(["many"] * 7)
@given(st.lists(st.sampled_from(["put", "many", "flush", "down", "up", "lose"]), max_size=40))
def test_every_end_is_counted_once_over_any_sequence_of_faults(steps: list[str]) -> None:
    async def scenario() -> None:
        store = ListStore()
        recorder, held = made(store)
        given = 0
        for step in steps:
            if step in ("put", "many"):
                for _ in range(1 if step == "put" else 300):
                    put(recorder, held, end(given))
                    given += 1
            elif step == "flush":
                await recorder.flush()
            elif step == "lose":
                store.lose_answer = True
            else:
                store.down = step == "down"
            assert held.total == given - sum(item.count for item in store.ended) + _unknown(recorder, store)
        store.down = store.lose_answer = False
        while recorder.waiting:  # one flush leaves a small rest to the next
            assert await recorder.flush()
        assert sum(item.count for item in store.ended) == given
        assert held.total == 0

    asyncio.run(scenario())


def _unknown(recorder: Recorder, store: ListStore) -> int:
    """Ends in a batch that was committed though its answer was lost: still held until that is known."""
    return sum(len(prepared.batch.ended) for prepared in recorder._prepared if prepared.token in store.tokens)


def test_evidence_is_written_until_the_oldest_end_that_waits() -> None:
    async def scenario() -> None:
        store = ListStore()
        store.down = True
        recorder, held = made(store)
        assert 999.0 < recorder.written_until() < 1000.0
        put(recorder, held, end(7))
        put(recorder, held, end(8))
        assert recorder.written_until() == 7.0
        assert not await recorder.flush()
        assert recorder.written_until() == 7.0

    asyncio.run(scenario())


def test_no_more_is_taken_in_while_a_store_that_works_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow.recorder, "MOST_UNWRITTEN", 10)

    async def scenario() -> None:
        store = ListStore()
        recorder, held = made(store)
        await recorder.room()
        for number in range(10):
            put(recorder, held, end(number))
        waiting = spawn(recorder.room(), "room")
        await asyncio.sleep(0)
        assert not waiting.done()
        assert await recorder.flush()
        await waiting

    asyncio.run(scenario())


@pytest.mark.parametrize("trouble", ["fails", "hangs"])
def test_judging_goes_on_while_the_store_is_away(monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    """Alarms come from what is judged: an outage of the store must not stop them."""
    monkeypatch.setattr(shadow.recorder, "MOST_UNWRITTEN", 10)
    monkeypatch.setattr(shadow.recorder, "HANGING_S", 0.05)

    async def scenario() -> None:
        store = ListStore()
        store.down = True
        recorder, held = made(store)
        for number in range(10):
            put(recorder, held, end(number))
        if trouble == "fails":
            assert not await recorder.flush()
            monkeypatch.setattr(shadow.recorder, "HANGING_S", 60.0)
            for number in range(10):
                put(recorder, held, end(number))
        async with asyncio.timeout(5):
            await recorder.room()

    asyncio.run(scenario())
