"""What waits to be understood is bounded, whichever end sends it: no peer can make the proxy grow."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.raw_head import MAX_HEAD

FLOOD = b"a" * 65536
MOST = 64 * len(FLOOD)
"""4 MiB: the kernel's own buffers take some of it, the proxy must not take the rest."""


async def flood(port: int, beginning: bytes) -> tuple[bool, bytes]:
    """Sends `beginning` and then bytes without end; whether the proxy ended the connection, and what it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = asyncio.get_running_loop().create_task(reader.read(-1))
    ended = False
    try:
        async with asyncio.timeout(10):
            writer.write(beginning)
            for _ in range(MOST // len(FLOOD)):
                writer.write(FLOOD)
                await writer.drain()
            await asyncio.wait([said], timeout=2)
            ended = said.done()
    except OSError:
        ended = True
    finally:
        writer.transport.abort()
    (answer,) = await asyncio.gather(said, return_exceptions=True)
    return ended, answer if isinstance(answer, bytes) else b""


@pytest.mark.parametrize(
    "beginning",
    [
        b"POST /held HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;",
        b"POST /held HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ",
    ],
    ids=["chunk extension", "trailer"],
)
def test_a_client_that_sends_without_end_is_cut_and_counted_as_malformed(stage: Any, beginning: bytes) -> None:
    """[T18] [F-24] What never ends is refused while it is small."""

    async def scenario() -> None:
        async with stage() as s:

            async def held(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await reader.read(-1)
                return False

            held.reads_itself = True  # type: ignore[attr-defined]
            s.primary.scripts[b"/held"] = held
            ended, answer = await flood(s.port, beginning)
            assert ended
            assert not answer or answer.startswith(b"HTTP/1.1 400")  # a reset may overtake it
            ledger = await s.at_rest(1)
            assert ledger.refused == {"malformed": 1}
            assert ledger.skipped == {"incomplete": 1}

    asyncio.run(scenario())


def test_requests_that_are_pipelined_within_the_bound_are_all_answered(stage: Any) -> None:
    """[T18] A bound is no limit for those who wait their turn."""

    async def scenario() -> None:
        async with stage() as s:
            one = b"GET /items/1 HTTP/1.1\r\nHost: x\r\nX-Fill: " + b"f" * 900 + b"\r\n\r\n"
            count = MAX_HEAD // len(one) - 1
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(one * count)
            for _ in range(count):
                await reader.readuntil(b"primary /items/1 ")
            writer.close()
            assert (await s.at_rest(count)).served_primary == count

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 103 Early Hints\r\nX-A: "], ids=["answer", "informational"]
)
def test_an_answers_head_without_end_is_a_502(stage: Any, head: bytes) -> None:
    """[T18] [F-11] A backend cannot make the proxy grow either."""

    async def scenario() -> None:
        async with stage() as s:

            async def endless(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                writer.write(head)
                for _ in range(MOST // len(FLOOD)):
                    writer.write(FLOOD)
                    await writer.drain()
                await reader.read(-1)
                return False

            s.primary.scripts[b"/items/1"] = endless
            assert (await s.ask("/items/1")).status == 502
            assert len(s.primary.asked) == 1, "it must not be asked again"
            assert (await s.at_rest(1)).refused == {"upstream_unreachable": 1}

    asyncio.run(scenario())


def test_informational_answers_pass_however_they_are_cut(stage: Any) -> None:
    """[B5] Byte by byte as well."""

    async def scenario() -> None:
        async with stage() as s:

            async def dripping(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                raw = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
                for byte in raw + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok":
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0)
                return True

            s.primary.scripts[b"/items/1"] = dripping
            raw = (await s.ask("/items/1")).raw
            assert (
                raw.count(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
                == 1
            )
            assert raw.endswith(b"\r\n\r\nok")

    asyncio.run(scenario())
