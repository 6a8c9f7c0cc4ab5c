"""Order within a lane, freedom between lanes, bounds, and that nothing is dropped without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shadow.lanes import Lanes
from shadow.slots import Slots

Item = TypeVar("Item")


def lanes_of(
    work: Callable[[Item], Awaitable[None]], abandon: Callable[[Item], object], length: int, in_flight: int
) -> Lanes[Item]:
    return Lanes(work, abandon, lambda item: 1, length, Slots(in_flight, 1_000_000))  # type: ignore[arg-type]


def test_one_lane_is_in_order_while_others_go_on() -> None:
    async def scenario() -> None:
        done: list[str] = []
        gate = asyncio.Event()

        async def work(item: str) -> None:
            if item == "a0":
                await gate.wait()
            done.append(item)

        lanes = lanes_of(work, done.append, 10, 4)
        for item in ("a0", "a1", "a2", "b0", "b1"):
            assert lanes.offer(item[0], item)
        async with asyncio.timeout(5):
            while len(done) < 2:
                await asyncio.sleep(0)
        assert done == ["b0", "b1"]
        gate.set()
        await lanes.drain(5)
        assert done == ["b0", "b1", "a0", "a1", "a2"]

    asyncio.run(scenario())


def test_full_lane_refuses() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def work(item: int) -> None:
            await gate.wait()

        lanes = lanes_of(work, lambda item: None, 2, 4)
        assert lanes.offer("a", 0)
        await asyncio.sleep(0)
        assert [lanes.offer("a", n) for n in (1, 2, 3)] == [True, True, False]
        gate.set()
        await lanes.drain(5)

    asyncio.run(scenario())


def test_no_more_than_the_ceiling_is_under_way() -> None:
    async def scenario() -> None:
        under_way = most = 0

        async def work(item: int) -> None:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

        lanes = lanes_of(work, lambda item: None, 10, 3)
        for n in range(30):
            lanes.offer(str(n), n)
        await lanes.drain(5)
        assert most == 3

    asyncio.run(scenario())


def test_drain_settles_every_item_once_however_it_stands() -> None:
    async def scenario() -> None:
        settled: list[int] = []

        async def work(item: int) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                settled.append(item)

        lanes = lanes_of(work, settled.append, 10, 2)
        for n in range(12):
            lanes.offer(str(n % 4), n)
        await lanes.drain(0.05)
        assert sorted(settled) == list(range(12))

    asyncio.run(scenario())


def test_drain_settles_lanes_that_never_took_a_step() -> None:
    async def scenario() -> None:
        settled: list[int] = []

        async def work(item: int) -> None:
            settled.append(item)

        lanes = lanes_of(work, settled.append, 10, 2)
        lanes.offer("a", 1)
        lanes.offer("b", 2)
        await lanes.drain(0)
        assert sorted(settled) == [1, 2]

    asyncio.run(scenario())
