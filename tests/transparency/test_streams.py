"""Bodies without end, in both directions at once, and with nowhere to go: they pass, and the proxy does not grow."""

from __future__ import annotations

import asyncio
import gc
import inspect
import resource
import socket
from typing import Any

import pytest

from proxy.deadlines import Watch
from proxy.internals import MAX_AHEAD, LiveServer, LiveStream

PIECE = bytes(range(256)) * 256


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _echo(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Gives chunks back while they come, and reads no more while they cannot be written."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        piece = await reader.readexactly(size + 2)
        writer.write(b"%x\r\n%b" % (size, piece))
        await writer.drain()
    await reader.readexactly(2)
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


_echo.reads_itself = True  # type: ignore[attr-defined]


async def _both_ways(port: int, pieces: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")

    async def send() -> None:
        for _ in range(pieces):
            writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    sending = asyncio.get_running_loop().create_task(send())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    got = 0
    while size := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(size + 2)
        got += size
    await sending
    writer.close()
    return got


def test_a_body_comes_back_while_it_is_sent(stage: Any) -> None:
    """[F-21] Both ends send more than they read: neither waits for the other for ever, and nothing piles up between them."""

    async def scenario() -> None:
        async with stage() as s:
            s.primary.scripts[b"/echo"] = _echo
            before = peak_mib()
            async with asyncio.timeout(30):
                assert await _both_ways(s.port, 400) == 400 * len(PIECE)  # 25 MiB each way
            assert peak_mib() - before < 40
            assert (await s.at_rest(1)).served_primary == 1

    asyncio.run(scenario())


@pytest.mark.soak
def test_a_gigabyte_each_way_passes_in_constant_memory(stage: Any) -> None:
    """[F-21] 1 GiB up and down at once, then 20 times 50 MiB down."""

    async def scenario() -> None:
        async with stage() as s:

            async def large(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (800 * len(PIECE)))
                for _ in range(800):
                    writer.write(PIECE)
                    await writer.drain()
                return True

            s.primary.scripts[b"/echo"] = _echo
            s.primary.scripts[b"/large"] = large
            before = peak_mib()
            assert await _both_ways(s.port, 16 * 1024) == 16 * 1024 * len(PIECE)

            async def download() -> None:
                reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
                writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
                await reader.readuntil(b"\r\n\r\n")
                for _ in range(800):
                    assert await reader.readexactly(len(PIECE)) == PIECE
                writer.close()

            await asyncio.gather(*(download() for _ in range(20)))
            assert peak_mib() - before < 100
            assert (await s.at_rest(21)).served_primary == 21

    asyncio.run(scenario())


def test_events_without_end_pass_one_by_one_and_are_not_kept(stage: Any, wait: Any) -> None:
    """[B1] [F-21] A stream that never ends: each event arrives before the next is made, and nothing of it stays."""

    async def scenario() -> None:
        async with stage() as s:
            seen = asyncio.Semaphore(0)
            event = b"data: " + b"e" * 20_000 + b"\n\n"

            async def events(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                while not writer.is_closing():
                    writer.write(event)
                    await writer.drain()
                    await seen.acquire()
                return False

            s.primary.scripts[b"/events"] = events
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            before = peak_mib()
            async with asyncio.timeout(20):
                for _ in range(1500):  # 30 MB
                    assert await reader.readexactly(len(event)) == event
                    seen.release()
            assert peak_mib() - before < 15
            assert s.ledger().open == 1
            writer.transport.abort()  # a backend that does not listen learns it when what it writes is refused
            await wait(lambda: seen.release() or not s.primary._writers, "the client is gone, and the backend let go")
            assert s.ledger().refused == {"client_gone": 1}

    asyncio.run(scenario())


def test_what_is_sent_ahead_of_its_turn_waits_at_the_client(stage: Any, wait: Any) -> None:
    """[T18] Behind an open request a client may send what it likes: it is read when its turn comes, and not before."""

    async def scenario() -> None:
        async with stage() as s:
            go = asyncio.Event()

            async def held(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await go.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld")
                return True

            s.primary.scripts[b"/held"] = held
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            length = 24 * 1024 * 1024
            writer.write(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            writer.write(b"POST /items/1 HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length + bytes(length))
            ends = [found for found in gc.get_objects() if type(found) is LiveServer]
            await wait(lambda: any(len(end.buf) > MAX_AHEAD for end in ends), "something waits")
            for _ in range(50):
                await asyncio.sleep(0.002)
                assert max(len(end.buf) for end in ends) <= MAX_AHEAD + 65536
            go.set()
            assert (await reader.readuntil(b"held")).startswith(b"HTTP/1.1 200")
            async with asyncio.timeout(20):
                assert b"primary /items/1 " in await reader.readuntil(b"/items/1 ")
            writer.close()
            assert (await s.at_rest(2)).served_primary == 2

    asyncio.run(scenario())


def test_an_upload_waits_at_the_client_while_its_backend_is_connected(stage: Any, monkeypatch: Any) -> None:
    """[B2] A backend that does not accept: mitmproxy would queue whatever is uploaded until the connection fails."""
    names = list(inspect.signature(Watch.__init__).parameters)[3:]
    quick = [
        0.5 if name == "connect_s" else value for name, value in zip(names, Watch.__init__.__defaults__ or (), strict=True)
    ]
    monkeypatch.setattr(Watch.__init__, "__defaults__", tuple(quick))

    async def scenario() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            crowd = [socket.socket() for _ in range(4)]  # they fill its backlog: the next SYN is dropped
            for one in crowd:
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            await asyncio.sleep(0.05)
            async with stage(primary={"url": f"http://127.0.0.1:{full.getsockname()[1]}"}) as s:
                _, writer = await asyncio.open_connection("127.0.0.1", s.port)
                length = 64 * 1024 * 1024
                writer.write(b"PUT /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length + bytes(length))
                streams: list[LiveStream] = []
                while not streams:
                    await asyncio.sleep(0.01)
                    streams = [found for found in gc.get_objects() if type(found) is LiveStream and found._paused]
                queued = 0
                for _ in range(50):
                    await asyncio.sleep(0.005)
                    queued = max([queued, *(len(stream._paused_event_queue) for stream in streams)])
                writer.transport.abort()
                assert 0 < queued <= 20
                assert (await s.at_rest(1)).refused == {"upstream_timeout": 1}
            for one in crowd:
                one.close()

    asyncio.run(scenario())
