"""HTTP/2's windows: neither a client that does not take its answers nor a backend that does not take its requests fills our memory,
and none of them holds up the other requests of the same connection."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest
from http2_client import NEEDS_H2, Http2Client, over_http2

from proxy.http2_frames import CONNECTION_WINDOW
from tests.certificates import Pair

pytestmark = NEEDS_H2

MIB = 1024 * 1024
KERNEL = 10 * MIB
"""What the sockets of a connection's two halves may hold by themselves."""


class Source:
    """A backend's script that sends `size` bytes and knows how many of them it got rid of."""

    def __init__(self, size: int, chunked: bool) -> None:
        self.size, self.chunked, self.sent = size, chunked, 0
        self.digest = hashlib.sha256()

    async def __call__(self, asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
        framing = b"Transfer-Encoding: chunked" if self.chunked else b"Content-Length: %d" % self.size
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        while self.sent < self.size:
            piece = hashlib.sha256(b"%d" % self.sent).digest() * 2048
            self.digest.update(piece)
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self.chunked else piece)
            await writer.drain()
            self.sent += len(piece)
        writer.write(b"0\r\n\r\n" if self.chunked else b"")
        return True


async def still(value: Any) -> int:
    """A counter's value, once it has not moved for a while."""
    last, seen = -1, 0
    while seen < 15:
        await asyncio.sleep(0.02)
        now = value()
        last, seen = now, seen + 1 if now == last else 0
    return int(last)


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_an_answer_that_its_client_does_not_take_waits_at_its_backend(stage: Any, pair: Pair, chunked: bool) -> None:
    """[B2] [F-21] The others on the connection are answered meanwhile, and every byte arrives in the end."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2"), takes=False) as client:
            source = Source(16 * MIB, chunked)
            s.primary.scripts[b"/big"] = source
            stream = client.ask("/big")
            await client.until(lambda: len(client.told[stream].body) >= 65_535)
            assert await still(lambda: source.sent) < KERNEL
            assert len(client.told[stream].body) == 65_535
            client.h2.increment_flow_control_window(MIB)  # of the connection: what the others need
            client.flush()
            assert (await client.get("/items/1")).body == b"primary /items/1 "
            client.takes = True
            client.take(stream)
            client.flush()
            answer = await client.answer(stream)
            assert hashlib.sha256(answer.body).digest() == source.digest.digest()
            assert (await s.at_rest(2)).served_primary == 2

    asyncio.run(scenario())


def test_many_answers_at_once_share_the_connection(stage: Any, pair: Pair) -> None:
    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            sources = {f"/big/{i}".encode(): Source(MIB // 2, chunked=i % 2 == 0) for i in range(20)}
            s.primary.scripts.update(sources)
            streams = {path: client.ask(path.decode()) for path in sources}
            for path, source in sources.items():
                answer = await client.answer(streams[path])
                assert hashlib.sha256(answer.body).digest() == source.digest.digest()
            assert (await s.at_rest(20)).served_primary == 20

    asyncio.run(scenario())


def test_a_body_that_its_backend_does_not_take_waits_at_its_client(stage: Any, pair: Pair) -> None:
    """[B2] [F-21] The others on the connection are answered meanwhile, and every byte arrives in the end."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            go_on = asyncio.Event()

            async def sink(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
                await go_on.wait()
                digest = hashlib.sha256()
                left = int(asked.values(b"content-length")[0])
                while left:
                    piece = await reader.read(min(left, 65536))
                    digest.update(piece)
                    left -= len(piece)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + digest.hexdigest().encode())
                return True

            sink.reads_itself = True  # type: ignore[attr-defined]
            s.primary.scripts[b"/sink"] = sink
            piece, count = bytes(range(256)) * 1024, 96
            length = str(len(piece) * count).encode()
            stream = client.ask("/sink", method="POST", headers=[(b"content-length", length)], end=False)
            sending = asyncio.get_running_loop().create_task(client.upload(stream, piece, count))
            assert await still(lambda: client.uploaded) < KERNEL
            assert not sending.done()
            assert client.h2.local_flow_control_window(stream) == 0
            assert client.h2.outbound_flow_control_window > CONNECTION_WINDOW // 4
            assert (await client.get("/items/1")).body == b"primary /items/1 "
            assert (await client.get("/items/1", method="POST", body=b"x" * 10_000)).status == 200
            go_on.set()
            await sending
            expected = hashlib.sha256(piece * count).hexdigest().encode()
            assert (await client.answer(stream)).body == expected
            assert (await s.at_rest(3)).served_primary == 3

    asyncio.run(scenario())


def test_both_ways_at_once(stage: Any, pair: Pair) -> None:
    """An answer that begins before its request has ended, and goes on with it."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:

            async def echo(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                    piece = await reader.readexactly(size + 2)
                    writer.write(b"%x\r\n%b" % (size, piece))
                    await writer.drain()
                await reader.readexactly(2)
                writer.write(b"0\r\n\r\n")
                return True

            echo.reads_itself = True  # type: ignore[attr-defined]
            s.primary.scripts[b"/echo"] = echo
            stream = client.ask("/echo", method="POST", end=False)
            piece = bytes(range(256)) * 256
            await client.upload(stream, piece, 128)
            assert (await client.answer(stream)).body == piece * 128
            assert (await s.at_rest(1)).served_primary == 1

    asyncio.run(scenario())


def test_a_backend_that_is_slow_to_connect_gets_the_body_in_the_end(stage: Any, pair: Pair, monkeypatch: Any) -> None:
    """While a backend is being connected, its client has only its window to fill."""
    from proxy.http2_connections import Http2Handler

    real = Http2Handler.open_connection
    go_on = asyncio.Event()

    async def slow(self: Any, command: Any) -> None:
        await go_on.wait()
        await real(self, command)

    monkeypatch.setattr(Http2Handler, "open_connection", slow)

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            length = str(4 * MIB).encode()
            stream = client.ask("/items/1", method="POST", headers=[(b"content-length", length)], end=False)
            sending = asyncio.get_running_loop().create_task(client.upload(stream, b"x" * MIB, 4))
            await still(lambda: client.h2.outbound_flow_control_window)
            assert client.h2.local_flow_control_window(stream) == 0
            assert not sending.done()
            go_on.set()
            await sending
            assert (await client.answer(stream)).status == 200
            assert s.primary.asked[0].body == b"x" * (4 * MIB)

    asyncio.run(scenario())


def test_requests_whose_client_gave_them_up_before_a_backend_was_connected_are_not_asked(
    stage: Any, pair: Pair, monkeypatch: Any, wait: Any
) -> None:
    """[T18]"""
    from proxy.http2_connections import Http2Handler

    real = Http2Handler.open_connection
    go_on = asyncio.Event()

    async def slow(self: Any, command: Any) -> None:
        await go_on.wait()
        await real(self, command)

    monkeypatch.setattr(Http2Handler, "open_connection", slow)

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            given_up = [client.ask("/items/1"), client.ask("/items/2", method="POST", end=False)]
            kept = client.ask("/items/3")
            await wait(lambda: s.ledger().open == 3)
            for stream in given_up:
                client.h2.reset_stream(stream, 8)
            client.flush()
            assert (await asyncio.wait_for(client.reader.read(0), 5)) == b""
            go_on.set()
            assert (await client.answer(kept)).status == 200
            ledger = await s.at_rest(3)
            assert (ledger.served_primary, ledger.refused) == (1, {"client_gone": 2})
            assert [asked.target for asked in s.primary.asked] == [b"/items/3"]

    asyncio.run(scenario())


def test_a_body_that_stands_still_ends_its_stream_only(stage: Any, pair: Pair, monkeypatch: Any) -> None:
    """[T18] The client owes us the rest, and could send it."""
    monkeypatch.setattr("proxy.deadlines.Watch.__init__.__defaults__", (10.0, 10.0, 300.0, 0.5, 620.0))

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            stream = client.ask("/items/1", method="POST", headers=[(b"content-length", b"9")], body=b"half", end=False)
            answer = await client.answer(stream)
            assert answer.reset is not None
            assert (await client.get("/items/2")).status == 200
            assert (await s.at_rest(2)).refused == {"client_gone": 1}

    asyncio.run(scenario())


def test_only_the_stream_of_a_backend_that_is_late_is_ended(stage: Any, pair: Pair, monkeypatch: Any) -> None:
    """[F-11] 504 on its stream; the others go on."""
    monkeypatch.setattr("proxy.deadlines.Watch.__init__.__defaults__", (10.0, 10.0, 0.5, 60.0, 620.0))

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:

            async def never(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await reader.read(-1)
                return False

            s.primary.scripts[b"/never"] = never
            late = client.ask("/never")
            events = client.ask("/items/1")
            assert (await client.answer(events)).status == 200
            answer = await client.answer(late)
            assert (answer.status, answer.body) == (504, b"504 Gateway Timeout\n")
            assert (await client.get("/items/2")).status == 200
            assert (await s.at_rest(3)).refused == {"upstream_timeout": 1}

    asyncio.run(scenario())
