"""What waits for the store is bounded, minutes of an outage ride through, and what is over the bound is counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from shadow_recorder import end, made, put
from shadow_store import ListStore

import shadow.recorder
from differ.facts import Atom
from shadow.backlog_size import Slimming
from store.records import DifferenceText, Ended, Example
from traffic.message import Request, Response


def test_minutes_of_an_outage_ride_through() -> None:
    """[F-13] [F-16] Two minutes at 1,000 a second; the first ends are kept as they are, later ones are folded, none is lost."""

    async def scenario() -> None:
        store = ListStore()
        store.down = True
        recorder, held = made(store)
        for number in range(120_000):
            put(recorder, held, replace(end(number // 1_000), unit=f"u{number % 5_000}"))
        assert recorder.waiting == 120_000
        assert not await recorder.flush()
        assert recorder.written_until() == 0.0
        put(recorder, held, end(-7))  # a clock may be set back
        store.down = False
        while recorder.waiting:
            assert await recorder.flush()
        assert store.reasons() == {"compared:match": 120_001}
        assert len(store.ended) < 25_000
        assert (held.total, recorder._spool.bytes) == (0, 0)

    asyncio.run(scenario())


def test_folded_ends_hold_back_the_closing_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow.recorder, "MOST_UNWRITTEN", 1)

    async def scenario() -> None:
        store = ListStore()
        store.down = True
        recorder, held = made(store)
        for at in (50, 60, 40):
            put(recorder, held, end(at))
        assert recorder.written_until() == 40.0

    asyncio.run(scenario())


def test_backlog_is_bounded_and_what_is_over_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """[F-13] Beyond the spool's bytes each exchange is one of lost: store_failed, exactly."""
    monkeypatch.setattr(shadow.recorder, "MOST_UNWRITTEN", 100)
    monkeypatch.setattr(shadow.recorder, "MAX_SPOOL_BYTES", 10_000)

    async def scenario() -> None:
        store = ListStore()
        store.down = True
        recorder, held = made(store)
        for number in range(250):
            put(recorder, held, replace(end(7), unit=f"u{number}"))
        kept = recorder._spool.ends
        assert 10 < kept < 50
        assert recorder.waiting == 250
        store.down = False
        assert await recorder.flush()
        assert store.reasons() == {"compared:match": 100 + kept, "lost:store_failed": 150 - kept}
        assert held.total == 0

    asyncio.run(scenario())


def test_mismatches_beyond_the_backlog_keep_their_verdict_unit_and_atoms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow.recorder, "MAX_BACKLOG", 10)

    async def scenario() -> None:
        store = ListStore()
        store.down = True
        recorder, held = made(store)
        for number in range(30):
            put(recorder, held, big(number, paths=2))
        store.down = False
        while recorder.waiting:
            assert await recorder.flush()
        assert store.reasons() == {"compared:mismatch": 30}
        assert {item.unit for item in store.ended} == {f"u{number}" for number in range(30)}
        assert all(len(item.differences) == 2 for item in store.ended)
        assert sum(item.differences[0].primary is not None for item in store.ended) == 10

    asyncio.run(scenario())


def big(number: int, paths: int = 50) -> Ended:
    """A mismatch whose difference texts are 20 kB."""
    texts = tuple(
        DifferenceText(Atom("GET /a", "200/200", "body", f"$.f{at}", "value"), f"{number}" * 200, "b" * 200, "$" * 50)
        for at in range(paths)
    )
    return replace(end(number), reason="mismatch", differences=texts, unit=f"u{number}")


def test_backlog_is_bounded_in_bytes_of_difference_texts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound an end keeps what counts: verdict, unit and atoms."""
    monkeypatch.setattr(shadow.recorder, "MAX_BACKLOG_BYTES", 1_000_000)

    async def scenario() -> None:
        store = ListStore()
        store.down = True
        recorder, held = made(store)
        for number in range(500):
            put(recorder, held, big(number))
        assert recorder._bytes <= 1_000_000
        store.down = False
        assert await recorder.flush()
        assert recorder._bytes == 0
        assert store.reasons() == {"compared:mismatch": 500}
        assert {item.unit for item in store.ended} == {f"u{number}" for number in range(500)}
        assert all(len(item.differences) == 50 for item in store.ended)
        kept = sum(1 for item in store.ended if item.differences[0].primary is not None)
        assert 0 < kept <= 25
        bare = [item.differences for item in store.ended if item.differences[0].primary is None]
        assert all(one is other for one, other in zip(bare[0], bare[-1], strict=True))

    asyncio.run(scenario())


def test_example_goes_before_the_texts() -> None:
    slimming = Slimming()
    answer = Response(200, (), b"x" * 100_000)
    item = big(1, paths=1)
    example = Example("e", "GET /a", 0.0, "primary", "c", Request("GET", b"/a"), answer, answer, item.differences)
    item = replace(item, example=example)
    assert slimming.fit(item, 1_000_000)[0] is item
    assert slimming.fit(item, 10_000)[0] == replace(item, example=None)
    assert slimming.fit(item, 0) == (
        replace(item, example=None, differences=(DifferenceText(item.differences[0].atom, None, None),)),
        0,
    )
