"""The hand-off never waits, never repeats, and counts before it writes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from proxy.handoff import MAX_BYTES, HandOff
from store.tasks import spawn
from traffic.codec import Alarm, FrameReader, Hello, Leaving, encode
from traffic.message import Exchange, Request, Response, Side


def exchange(seq: int, body: bytes = b"") -> Exchange:
    return Exchange("b", seq, "GET /a", "u", Side.PRIMARY, 0.0, 1.0, Request("GET", b"/a"), Response(200, (), body))


def offer(buffer: HandOff, offered: Exchange) -> bool:
    return buffer.offer(offered.route, [encode(offered)])


def handoff(folder: Path, limit: int = 10, alarms: list[Alarm] | None = None) -> tuple[HandOff, list[str]]:
    sent: list[str] = []
    hello = Hello("b", "n", "o", {})
    return HandOff(folder / "s", limit, lambda: hello, sent.append, (alarms if alarms is not None else []).append), sent


def test_a_full_buffer_refuses_at_once(folder: Path) -> None:
    async def scenario() -> None:
        buffer, sent = handoff(folder, limit=3)
        assert [offer(buffer, exchange(i)) for i in range(5)] == [True, True, True, False, False]
        assert buffer.full
        assert (buffer.waiting, sent) == (3, [])

    asyncio.run(scenario())


def test_bodies_are_bounded_too(folder: Path) -> None:
    async def scenario() -> None:
        buffer, _ = handoff(folder, limit=1000)
        body = b"x" * (8 * 1024 * 1024)
        taken = sum(offer(buffer, exchange(i, body)) for i in range(20))
        assert taken == MAX_BYTES // len(body) - 1

    asyncio.run(scenario())


def test_all_is_sent_in_order_and_alarms_come_back(folder: Path, wait: Any) -> None:
    async def scenario() -> None:
        alarms: list[Alarm] = []
        buffer, sent = handoff(folder, 500, alarms)
        got: list[Any] = []

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            frames = FrameReader()
            writer.write(encode(Alarm("GET /a", "slow")))
            while data := await reader.read(100):
                got.extend(frames.feed(data))
            writer.close()

        for i in range(200):
            offer(buffer, exchange(i, b"y" * 100))
        server = await asyncio.start_unix_server(listen, str(folder / "s"))
        running = spawn(buffer.run(), "test-handoff")
        assert await buffer.flush(5)
        await wait(lambda: len(got) == 201)
        assert isinstance(got[0], Hello)
        assert [message.seq for message in got[1:]] == list(range(200))
        assert len(sent) == 200
        await wait(lambda: alarms == [Alarm("GET /a", "slow")])
        running.cancel()
        await asyncio.wait([running])
        server.close()

    asyncio.run(scenario())


def test_a_peer_that_speaks_nonsense_is_left_and_tried_again(folder: Path, wait: Any) -> None:
    async def scenario() -> None:
        buffer, _ = handoff(folder)
        connections = 0

        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            writer.write(b"\xff" * 100)
            await reader.read(-1)
            writer.close()

        server = await asyncio.start_unix_server(babble, str(folder / "s"))
        running = spawn(buffer.run(), "test-handoff")
        await wait(lambda: connections >= 2)
        running.cancel()
        await asyncio.wait([running])
        server.close()

    asyncio.run(scenario())


def test_a_shadow_that_leaves_is_sent_no_more_and_the_next_one_gets_the_rest(folder: Path, wait: Any) -> None:
    async def scenario() -> None:
        buffer, sent = handoff(folder, 500)
        shadows: list[list[Any]] = []

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got: list[Any] = []
            shadows.append(got)
            frames = FrameReader()
            while data := await reader.read(100):
                got.extend(frames.feed(data))
                if len(shadows) == 1 and len(got) == 2:
                    writer.write(encode(Leaving()))
                    for i in range(1, 4):
                        await asyncio.sleep(0)
                        offer(buffer, exchange(i))
            writer.close()

        server = await asyncio.start_unix_server(listen, str(folder / "s"))
        running = spawn(buffer.run(), "test-handoff")
        offer(buffer, exchange(0))
        await wait(lambda: len(shadows) == 2 and len(shadows[1]) == 4)
        assert [message.seq for got in shadows for message in got[1:]] == [0, 1, 2, 3]
        assert len(sent) == 4
        running.cancel()
        await asyncio.wait([running])
        server.close()

    asyncio.run(scenario())


def test_flush_gives_up_in_time_when_nobody_listens(folder: Path) -> None:
    async def scenario() -> None:
        buffer, _ = handoff(folder)
        assert await buffer.flush(0.1)
        offer(buffer, exchange(1))
        assert not await buffer.flush(0.1)

    asyncio.run(scenario())


def test_a_fault_of_our_own_does_not_end_the_hand_off(folder: Path, wait: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("proxy.handoff.LONGEST_PAUSE_S", 0.01)

    async def scenario() -> None:
        asked = 0

        def hello() -> Hello:
            nonlocal asked
            asked += 1
            if asked == 1:
                raise KeyError("a fault")
            return Hello("b", "n", "o", {})

        got: list[Any] = []

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            frames = FrameReader()
            while data := await reader.read(65536):
                got.extend(frames.feed(data))
            writer.close()

        buffer = HandOff(folder / "s", 10, hello, lambda route: None, lambda alarm: None)
        offer(buffer, exchange(1))
        server = await asyncio.start_unix_server(listen, str(folder / "s"))
        running = spawn(buffer.run(), "test-handoff")
        await wait(lambda: len(got) == 2)
        running.cancel()
        await asyncio.wait([running])
        server.close()

    asyncio.run(scenario())
