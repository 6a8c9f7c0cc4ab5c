"""What the worker holds is bounded in bytes as well as in number; beyond it the proxies' own bounded buffers fill and count."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from shadow_backends import Seen, always, backend, document
from shadow_stage import KEY, configured, ok, until
from shadow_store import ListStore

import shadow.serve
from proxy.handoff import HandOff
from rules.load import EMPTY
from shadow.serve import Shadow
from shadow.slots import Slots
from shadow.worker import HeldCeilings
from store.tasks import spawn
from traffic.codec import Hello, encode
from traffic.message import Exchange, Request, Side
from traffic.route import Route, RouteTable

BODY = 500_000


@pytest.mark.parametrize("held_bytes", [4_000_000, pytest.param(64_000_000, marks=pytest.mark.soak)])
def test_large_exchanges_are_held_back_in_the_proxy_and_dropped_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_bytes: int
) -> None:
    """[F-3] `mirror.queue` would allow a thousand of them. The candidate hangs; nothing but the proxy's count is lost."""
    release = asyncio.Event()

    async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(document({}))

    def ceilings(held: int, in_work: int) -> HeldCeilings:
        return HeldCeilings(held, in_work, held_bytes, held_bytes // 2)

    monkeypatch.setattr(shadow.serve, "HeldCeilings", ceilings)
    monkeypatch.setattr("proxy.handoff.MAX_BYTES", held_bytes)

    async def scenario() -> None:
        store = ListStore()
        async with backend(always(document({}))) as first, backend(candidate) as second:
            settings = configured(tmp_path, first.url, second.url, mirror={"timeout": "30s", "queue": 1000})
            worker = Shadow(settings, KEY, EMPTY, store, RouteTable([Route("GET", "/a")]))  # type: ignore[arg-type]
            await worker.start()
            handoff = HandOff(
                settings.channel_path, 1000, lambda: Hello("b", "n", "", {}), lambda route: None, lambda alarm: None
            )
            sending = spawn(handoff.run(), "hand-off")
            await until(lambda: handoff.connected)
            live = ok({"text": "x" * BODY})
            offered = taken = 0
            while offered < 6 * held_bytes // BODY:
                offered += 1
                request = Request("GET", b"/a", ((b"Host", b"shop.example"),))
                made = Exchange("b", offered, "GET /a", f"c{offered}", Side.PRIMARY, 0.0, 1.0, request, live)
                taken += handoff.offer(made.route, [encode(made)])
                await asyncio.sleep(0.002)
            await until(lambda: worker.under_way * BODY >= held_bytes * 0.8)
            await asyncio.sleep(0.2)
            assert worker.under_way * BODY <= held_bytes + 2 * BODY
            assert len(second.seen) <= held_bytes // BODY // 2, "more in work than its bytes allow"
            assert taken < offered, "the proxy took everything"
            release.set()
            await until(lambda: sum(store.reasons().values()) == taken, 30)
            assert worker.held == 0
            sending.cancel()
            await worker.stop()
        assert all(reason.startswith("compared:") for reason in store.reasons())

    asyncio.run(scenario())


def test_one_exchange_that_is_larger_than_the_ceiling_is_still_worked_on() -> None:
    async def scenario() -> None:
        slots = Slots(4, 100)
        await slots.take(1_000)
        waiting = spawn(slots.take(1), "small")
        await asyncio.sleep(0)
        assert not waiting.done()
        slots.give(1_000)
        await waiting
        assert (slots.taken, slots.bytes) == (1, 1)

    asyncio.run(scenario())


def test_who_waits_first_is_served_first_and_a_cancelled_wait_gives_its_place_up() -> None:
    async def scenario() -> None:
        slots = Slots(2, 100)
        await slots.take(60)
        order: list[str] = []

        async def take(name: str, weight: int) -> None:
            await slots.take(weight)
            order.append(name)

        tasks = [spawn(take(name, weight), name) for name, weight in (("large", 90), ("cancelled", 30), ("small", 10))]
        await asyncio.sleep(0)
        assert order == []  # the small one fits, but the large one came first
        tasks[1].cancel()
        slots.give(60)
        await asyncio.wait([tasks[0], tasks[2]])
        assert order == ["large", "small"]
        tasks.append(spawn(take("last", 1), "last"))
        await asyncio.sleep(0)
        tasks[-1].cancel()
        await asyncio.wait([tasks[-1]])
        slots.give(90)
        slots.give(10)
        assert (slots.taken, slots.bytes) == (0, 0)

    asyncio.run(scenario())


def test_turn_that_came_as_the_wait_was_cancelled_goes_to_the_next() -> None:
    async def scenario() -> None:
        slots = Slots(1, 100)
        await slots.take(1)
        first, second = spawn(slots.take(1), "first"), spawn(slots.take(1), "second")
        await asyncio.sleep(0)
        slots.give(1)
        first.cancel()
        await asyncio.wait([first, second], timeout=5)
        assert second.done()
        assert (slots.taken, slots.bytes) == (1, 1)

    asyncio.run(scenario())


def test_size_that_is_held_is_the_whole_exchange_s() -> None:
    """Long heads count too."""
    from shadow.worker import size_of

    head = ((b"X", b"x" * 60_000),)
    body = json.dumps("y" * 1000).encode()
    request = Request("GET", b"/" + b"z" * 5000, head, body)
    size = size_of(Exchange("b", 1, "GET /a", "c", Side.PRIMARY, 0.0, 1.0, request, ok({"a": "x" * 1000})))
    assert 60_000 + 5_000 + 1_000 + 1_000 < size < 75_000
