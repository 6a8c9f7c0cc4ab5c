"""Whatever a client sends over HTTP/2: nothing fails inside, every request that was seen is settled once, and the others are served."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import h2.config
import h2.connection
import h2.exceptions
import pytest
from http2_client import NEEDS_H2, Http2Client
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.certificates import Pair, make_pair

pytestmark = NEEDS_H2

BIG = b"HTTP/1.1 200 OK\r\nContent-Length: 150000\r\n\r\n" + b"z" * 150_000
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\ncut"
PATHS = (b"/items/1", b"/big", b"/chunked", b"/short", b"/never", b"/none", b"*", b"/a b")


def bytes_of_a_client(chance: random.Random) -> bytes:
    """A connection's beginning, mostly well-formed, with some of its bytes changed."""
    config = h2.config.H2Configuration(client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False)
    client = h2.connection.H2Connection(config)
    client.initiate_connection()
    said = bytearray(client.data_to_send())
    for _ in range(chance.randint(1, 14)):
        stream = chance.choice((1, 1, 3, 5, 7, 9))
        kind = chance.choice((0, 0, 0, 0, 0, 0, 5, 5, 6, 7, 7, 8, 9, 10, 11))
        if kind <= 4:
            stream = client.get_next_available_stream_id()
            method = chance.choice((b"GET", b"GET", b"POST", b"HEAD", b"OPTIONS"))
            head = [(b":method", method), (b":scheme", b"https"), (b":authority", b"a"), (b":path", chance.choice(PATHS))]
            if chance.random() < 0.3:
                head.append(
                    (chance.choice((b"x-a", b"cookie", b"content-length", b"te", b"expect")), b"%d" % chance.randint(0, 9))
                )
            ended = chance.random() < 0.6
            client.send_headers(stream, head, end_stream=ended)
            if not ended:
                client.send_data(stream, b"b" * chance.randint(0, 9), end_stream=chance.random() < 0.6)
            said += client.data_to_send()
        elif kind == 5:
            said += RstStreamFrame(stream, error_code=chance.randint(0, 15)).serialize()
        elif kind == 6:
            said += WindowUpdateFrame(chance.choice((0, stream)), chance.choice((1, 1000, 2**31 - 1))).serialize()
        elif kind == 7:
            frame = SettingsFrame(0)
            frame.settings = {chance.randint(1, 9): chance.choice((0, 1, 70_000, 2**31 - 1))}
            said += frame.serialize()
        elif kind == 8:
            said += PriorityFrame(stream, depends_on=chance.choice((0, 1, 3)), stream_weight=1).serialize()
        elif kind == 9:
            flags = ["END_STREAM"] if chance.random() < 0.5 else []
            said += DataFrame(stream, b"y" * chance.randint(0, 50), flags=flags).serialize()
        elif kind == 10:
            said += chance.choice(
                (ContinuationFrame(stream, b"\x82"), GoAwayFrame(0), HeadersFrame(stream, b"\x82"))
            ).serialize()
        else:
            said += bytes(chance.randrange(256) for _ in range(chance.randint(0, 20)))
    for _ in range(chance.choice((0, 0, 0, 1, 3))):
        said[chance.randrange(24, len(said))] = chance.randrange(256)
    return bytes(said)


@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
def test_odd_frames_leave_no_request_behind(stage: Any, folder: Any, caplog: Any, count: int) -> None:
    """[T1] [T18]"""
    pair: Pair = make_pair(folder)

    async def scenario() -> None:
        async with stage(proxy={**pair.section, "http2": True}, shadow="absent") as s:

            async def never(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await reader.read(-1)
                return False

            s.primary.scripts[b"/never"] = never
            for path, raw in ((b"/big", BIG), (b"/chunked", CHUNKED), (b"/none", b"HTTP/1.1 204 No Content\r\n\r\n")):
                s.primary.says(path, raw)
            s.primary.says(b"/short", SHORT, keep=False)

            async def one(number: int) -> None:
                chance = random.Random(number)
                said = bytes_of_a_client(chance)
                reader, writer = await asyncio.open_connection("127.0.0.1", s.port, ssl=pair.client("h2"))
                try:
                    place = 0
                    while place < len(said):
                        step = chance.choice((9, 50, 4000))
                        writer.write(said[place : place + step])
                        place += step
                        await asyncio.sleep(0)
                    async with asyncio.timeout(chance.choice((0.0, 0.05, 0.2))):
                        while await reader.read(65536):
                            pass
                except (OSError, TimeoutError):
                    pass
                finally:
                    writer.transport.abort()

            async with Http2Client(s.port, pair.client("h2")) as other:
                for first in range(0, count, 20):
                    await asyncio.gather(*(one(number) for number in range(first, first + 20)))
                    assert (await other.get("/items/7")).status == 200
            ledger = await s.at_rest(s.ledger().seen)
            assert ledger.seen > count
            assert ledger.open == 0

    asyncio.run(scenario())
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
