"""No client holds a connection for nothing: half a body, silence and standing still end in bounded time, and what moves is left alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy import deadlines
from proxy.deadlines import Watch

POST = b"POST /items/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
GET = b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def hasten(monkeypatch: Any, **seconds: float) -> None:
    """Makes the watch look often, with these deadlines."""
    init, run = Watch.__init__, Watch.run
    monkeypatch.setattr(Watch, "__init__", lambda self, hooks, handlers: init(self, hooks, handlers, **seconds))
    monkeypatch.setattr(Watch, "run", lambda self: run(self, 0.05))


async def ended(reader: asyncio.StreamReader, within_s: float = 5.0) -> bytes:
    """The rest of what the proxy says, once it has ended the connection."""
    async with asyncio.timeout(within_s):
        return await reader.read(-1)


def test_the_promised_times() -> None:
    """[T18] [F-24] Half a head is closed within 15 s; load balancers (600 s at the most) give an idle connection up before we do."""
    assert deadlines.HEAD_S + 1 <= 15
    assert deadlines.BODY_S <= 60
    assert deadlines.QUIET_S > 600


@pytest.mark.parametrize(
    "head", [POST, POST.replace(b"Content-Length: 10", b"Transfer-Encoding: chunked")], ids=["length", "chunks"]
)
def test_a_body_that_stands_still_is_cut_and_counted(stage: Any, monkeypatch: Any, head: bytes) -> None:
    """[T18] [F-24] The client has gone as far as anybody can tell; its connection is not kept."""
    hasten(monkeypatch, body_s=0.3)

    async def scenario() -> None:
        async with stage() as s:
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(head + b"3\r\nab")
            assert await ended(reader) == b""
            writer.close()
            ledger = await s.at_rest(1)
            assert ledger.refused == ledger.skipped == {"client_gone": 1}

    monkeypatch.setattr("proxy.internals.REUSE_WITHIN_S", 0.1)
    asyncio.run(scenario())


def test_a_slow_body_that_moves_arrives(stage: Any, monkeypatch: Any) -> None:
    """[T18] Slow is not idle: a phone on a bad line is served."""
    hasten(monkeypatch, body_s=0.5)
    monkeypatch.setattr("proxy.internals.REUSE_WITHIN_S", 0.1)

    async def scenario() -> None:
        async with stage() as s:
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(POST)
            for digit in b"0123456789":
                await asyncio.sleep(0.1)
                writer.write(bytes([digit]))
            assert (await reader.readuntil(b"0123456789")).startswith(b"HTTP/1.1 200")
            writer.close()
            await s.at_rest(1)

    asyncio.run(scenario())


def test_an_upload_that_the_backend_does_not_take_is_the_backends_fault(stage: Any, monkeypatch: Any) -> None:
    """[T18] 504 and upstream_timeout, after the time an answer may take and not the one a client's body may."""
    hasten(monkeypatch, body_s=0.1, answer_s=0.6)
    monkeypatch.setattr("proxy.internals.REUSE_WITHIN_S", 0.1)

    async def scenario() -> None:
        async with stage() as s:

            async def never_reads(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                reader._transport.pause_reading()
                while not writer.is_closing():
                    await asyncio.sleep(0.05)
                return False

            never_reads.reads_itself = True  # type: ignore[attr-defined]
            s.primary.scripts[b"/up"] = never_reads
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"PUT /up HTTP/1.1\r\nHost: a\r\nContent-Length: 90000000\r\n\r\n")
            sending = asyncio.get_running_loop().create_task(endless(writer))
            async with asyncio.timeout(10):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 504")
            sending.cancel()
            writer.transport.abort()
            assert (await s.at_rest(1)).refused == {"upstream_timeout": 1}

    async def endless(writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except OSError:
            pass

    asyncio.run(scenario())


def test_an_idle_client_is_let_go_after_a_long_silence_and_not_before(stage: Any, monkeypatch: Any) -> None:
    """[T18] [F-22] With or without a request before; the time begins again with each one."""
    hasten(monkeypatch, body_s=0.1, quiet_s=1.0)

    async def scenario() -> None:
        async with stage() as s:
            silent, first = await asyncio.open_connection("127.0.0.1", s.port)
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            for _ in range(4):
                writer.write(GET)
                await reader.readuntil(b"primary /items/1 ")
                await asyncio.sleep(0.5)
            assert await ended(silent, 0.1) == b""
            writer.write(GET)
            await reader.readuntil(b"primary /items/1 ")
            assert await ended(reader) == b""
            first.close()
            writer.close()
            ledger = await s.at_rest(5)
            assert ledger.served_primary == 5

    asyncio.run(scenario())


def test_an_idle_clients_backend_connections_are_given_back(stage: Any, monkeypatch: Any, wait: Any) -> None:
    """[F-22] They are too old to be used again: an idle client costs one descriptor, not two."""
    hasten(monkeypatch)
    monkeypatch.setattr("proxy.internals.REUSE_WITHIN_S", 0.2)

    async def scenario() -> None:
        async with stage() as s:
            clients = [await asyncio.open_connection("127.0.0.1", s.port) for _ in range(5)]
            for number in range(2):
                for _, writer in clients:
                    writer.write(GET)
                for reader, _ in clients:
                    await reader.readuntil(b"primary /items/1 ")
                await wait(lambda: not s.primary._writers, "the backend's connections are closed")
                assert s.primary.connections == 5 * (number + 1)
            for _, writer in clients:
                writer.close()
            assert (await s.at_rest(10)).served_primary == 10

    asyncio.run(scenario())


def test_a_slow_answer_is_waited_for(stage: Any, monkeypatch: Any) -> None:
    """[T18] Nothing moves on either side while the backend thinks: only the answer's own deadline counts."""
    hasten(monkeypatch, body_s=0.1, quiet_s=5.0)
    monkeypatch.setattr("proxy.internals.REUSE_WITHIN_S", 0.1)

    async def scenario() -> None:
        async with stage() as s:

            async def slow(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await asyncio.sleep(0.7)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                return True

            s.primary.scripts[b"/items/1"] = slow
            assert (await s.ask("/items/1")).body == b"ok"
            assert (await s.ask("/items/1", method="POST", body=b"abc")).body == b"ok"
            assert (await s.at_rest(2)).served_primary == 2

    asyncio.run(scenario())


def test_an_upgraded_connection_lives_while_it_moves_and_ends_when_nothing_does(stage: Any, monkeypatch: Any) -> None:
    """[T18] Tunnels are not cut by what bounds requests, only by a long silence."""
    hasten(monkeypatch, body_s=0.1, quiet_s=0.8)
    monkeypatch.setattr("proxy.internals.REUSE_WITHIN_S", 0.1)

    async def scenario() -> None:
        async with stage() as s:

            async def echo(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                while data := await reader.read(100):
                    writer.write(data)
                return False

            s.primary.scripts[b"/ws"] = echo
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(4):
                await asyncio.sleep(0.4)
                writer.write(b"abc")
                assert await reader.readexactly(3) == b"abc"
            assert await ended(reader) == b""
            writer.close()
            assert (await s.at_rest(1)).skipped == {"upgraded": 1}

    asyncio.run(scenario())


def test_a_clock_that_jumps_ends_no_connection(stage: Any, monkeypatch: Any) -> None:
    """[F-20] [T18] Two hours on the wall are no silence."""
    hasten(monkeypatch, body_s=0.1, quiet_s=2.0)

    async def scenario() -> None:
        async with stage() as s:
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(GET)
            await reader.readuntil(b"primary /items/1 ")
            import mitmproxy.proxy.server as handlers

            real = handlers.time.time
            monkeypatch.setattr(handlers.time, "time", lambda: real() + 7200)
            await asyncio.sleep(0.3)
            writer.write(GET)
            await reader.readuntil(b"primary /items/1 ")
            monkeypatch.undo()
            writer.close()

    asyncio.run(scenario())


@pytest.mark.soak
def test_three_hundred_half_heads_are_closed_within_fifteen_seconds(stage: Any) -> None:
    """[F-24] [T18] Slowloris: half a head each, dripping on; all closed and counted, others served meanwhile."""

    async def half(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\nX-")
        drip = asyncio.get_running_loop().create_task(dripping(writer))
        try:
            return await ended(reader, 20)
        except OSError:
            return b""
        finally:
            drip.cancel()
            writer.close()

    async def dripping(writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(1)
            writer.write(b"a")

    async def scenario() -> None:
        async with stage() as s:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            halves = [loop.create_task(half(s.port)) for _ in range(300)]
            for _ in range(20):
                assert (await s.ask("/items/1")).status == 200
            assert set(await asyncio.gather(*halves)) == {b""}
            assert loop.time() - begun <= 15
            assert (await s.at_rest(320)).refused == {"header_limit": 300}

    asyncio.run(scenario())
