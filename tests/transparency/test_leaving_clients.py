"""Clients that close their sending side, and clients that do not listen: no wait for them is without an end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

GET = b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n"


def test_a_half_closed_client_that_gets_no_answer_is_gone(stage: Any, monkeypatch: Any) -> None:
    """[B10] It waits for a while, and not for as long as an open one might."""
    monkeypatch.setattr("proxy.passing_stream.HALF_CLOSED_S", 0.2)

    async def scenario() -> None:
        async with stage() as s:
            enough = asyncio.Event()

            async def deaf(asked: Any, reader: Any, writer: Any) -> bool:
                await enough.wait()  # it neither answers nor minds that its client has ended
                return False

            s.primary.scripts[b"/items/1"] = deaf
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(GET)
            writer.write_eof()
            async with asyncio.timeout(5):
                assert await reader.read(-1) == b""
            writer.close()
            ledger = await s.at_rest(1)
            assert ledger.refused == {"client_gone": 1}
            assert ledger.skipped == {"client_gone": 1}
            enough.set()

    asyncio.run(scenario())


def test_a_half_closed_client_whose_answer_is_slow_gets_it(stage: Any, monkeypatch: Any) -> None:
    """[B10] Once an answer has begun it goes on to its end."""
    monkeypatch.setattr("proxy.passing_stream.HALF_CLOSED_S", 0.1)

    async def scenario() -> None:
        async with stage() as s:

            async def slow(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")
                await asyncio.sleep(0.3)
                writer.write(b"ow")
                return True

            s.primary.scripts[b"/items/1"] = slow
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(GET)
            writer.write_eof()
            assert (await reader.read(-1)).endswith(b"\r\n\r\nslow")
            writer.close()
            assert (await s.at_rest(1)).served_primary == 1

    asyncio.run(scenario())


def test_the_end_of_a_clients_sending_side_reaches_the_backend(stage: Any) -> None:
    """[B10] The backend decides what it means, as it does without a proxy; its silence is the client's leaving, and no failure."""

    async def scenario() -> None:
        async with stage() as s:
            ended = asyncio.Event()

            async def gives_up(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
                assert await reader.read(1) == b""
                ended.set()
                return False

            s.primary.scripts[b"/items/1"] = gives_up
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(GET)
            writer.write_eof()
            async with asyncio.timeout(5):
                await ended.wait()
                await reader.read(-1)
            writer.close()
            assert (await s.at_rest(1)).refused == {"client_gone": 1}
            assert len(s.primary.asked) == 1, "nobody waits for it: it must not be asked again"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "raw", [b"GARBAGE\r\n\r\n", b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]
)
def test_a_refused_client_reads_its_refusal_and_is_let_go(stage: Any, monkeypatch: Any, raw: bytes) -> None:
    """Our last words are not lost in a reset, though the client goes on sending; and one that never ends is ended."""
    monkeypatch.setattr("proxy.client_end.LINGER_S", 0.3)

    async def scenario() -> None:
        async with stage() as s:
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(raw)
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(b"x" * 50_000)
            assert (await reader.read(-1)).startswith(b"HTTP/1.1 400 ")
            async with asyncio.timeout(5):
                while not writer.is_closing():  # the proxy has closed: what is sent now is answered with a reset
                    writer.write(b"x")
                    await asyncio.sleep(0.02)
            assert (await s.at_rest(1)).refused == {"malformed": 1}

    asyncio.run(scenario())
