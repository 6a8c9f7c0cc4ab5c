"""Every end reaches the store exactly once, through outages, lost answers, poison and too long a backlog."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shadow_store import ListStore

import shadow.recorder
from shadow.held import Held
from shadow.recorder import Recorder
from store.records import Batch, Ended, OpeningCounts
from store.tasks import spawn
from traffic.outcome import Ending


def end(number: int = 0, client: str = "") -> Ended:
    return Ended("boot", "GET /a", float(number), Ending.COMPARED, "match", client=client)


async def nothing(boots: set[str]) -> Sequence[OpeningCounts]:
    return ()


def made(store: ListStore, openings: shadow.recorder.Openings = nothing) -> tuple[Recorder, Held]:
    held = Held()
    return Recorder(store, held, openings, "writer", 5, lambda: 1000.0), held  # type: ignore[arg-type]


def put(recorder: Recorder, held: Held, item: Ended) -> None:
    held.received(item.boot, item.route)
    recorder.put(item)


def test_a_few_ends_are_written_within_the_flush_time() -> None:
    async def scenario() -> None:
        store = ListStore()
        recorder, held = made(store)
        run = spawn(recorder.run(), "recorder")
        for number in range(3):
            put(recorder, held, end(number))
        async with asyncio.timeout(3):
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


def test_backlog_is_bounded_and_what_is_over_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow.recorder, "MAX_BACKLOG", 100)

    async def scenario() -> None:
        store = ListStore()
        store.down = True
        recorder, held = made(store)
        for number in range(250):
            put(recorder, held, end(number))
        store.down = False
        assert await recorder.flush()
        assert store.reasons() == {"compared:match": 100, "lost:store_failed": 150}
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
        assert await recorder.flush()
        assert sum(item.count for item in store.ended) == given
        assert held.total == 0

    asyncio.run(scenario())


def _unknown(recorder: Recorder, store: ListStore) -> int:
    """Ends in a batch that was committed though its answer was lost: still held until that is known."""
    return sum(len(prepared.batch.ended) for prepared in recorder._prepared if prepared.token in store.tokens)
