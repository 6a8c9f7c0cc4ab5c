"""HTTP/2 by clients that mean harm, or go too far: each is bounded, and each of its requests is counted once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from h2.errors import ErrorCodes
from http2_client import NEEDS_H2, Http2Client, over_http2
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    ExtensionFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from proxy.http2_frames import MOST_RESETS, MOST_STREAMS, ClientFrames
from tests.certificates import Pair

pytestmark = NEEDS_H2

CALM = int(ErrorCodes.ENHANCE_YOUR_CALM)
PSEUDO = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"shop.test"), (b":path", b"/items/1")]


def test_requests_beyond_the_limit_are_refused_by_stream(stage: Any, pair: Pair, wait: Any) -> None:
    """[T18] The connection and all that is under way on it go on; the client may ask again at once."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            assert client.settings[3] == MOST_STREAMS
            go_on = asyncio.Event()

            async def later(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await go_on.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                return True

            s.primary.scripts[b"/later"] = later
            client.h2.remote_settings[3] = 1000  # as a client would that has not heard of ours yet
            client.h2.remote_settings.acknowledge()
            streams = [client.ask("/later") for _ in range(MOST_STREAMS + 7)]
            await client.until(lambda: sum(client.told[x].reset is not None for x in streams) == 7)
            assert [client.told[x].reset for x in streams[MOST_STREAMS:]] == [ErrorCodes.REFUSED_STREAM] * 7
            go_on.set()
            assert {bytes((await client.answer(x)).body) for x in streams[:MOST_STREAMS]} == {b"ok"}
            ledger = await s.at_rest(MOST_STREAMS + 7)
            assert (ledger.served_primary, ledger.refused) == (MOST_STREAMS, {"overload": 7})

    asyncio.run(scenario())


async def flooded(s: Any, pair: Pair, frames: Any, prepare: Any = None) -> Http2Client:
    """Sends frames until the proxy has had enough; the client, for what it was told."""
    async with Http2Client(s.port, pair.client("h2")) as client:
        if prepare is not None:
            await prepare(client)
        try:
            for _ in range(200):
                client.writer.write(b"".join(frame.serialize() for frame in frames(client)))
                await client.writer.drain()
                await asyncio.sleep(0)
        except OSError:
            pass
        await client.ended()
        return client


def head(client: Http2Client, stream: int, flags: tuple[str, ...] = ("END_HEADERS", "END_STREAM")) -> HeadersFrame:
    frame = HeadersFrame(stream, client.h2.encoder.encode(PSEUDO))
    for flag in flags:
        frame.flags.add(flag)
    return frame


def test_a_rapid_reset_ends_the_connection_and_each_request_is_counted_once(stage: Any, pair: Pair) -> None:
    """[T18] [F-24] Thousands of requests that are given up at once (CVE-2023-44487): few are taken, others are served meanwhile."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s:
            asked = 0

            def pairs(client: Http2Client) -> list[Any]:
                nonlocal asked
                made: list[Any] = []
                for _ in range(100):
                    stream = 2 * asked + 1
                    asked += 1
                    made += [head(client, stream), RstStreamFrame(stream, error_code=8)]
                return made

            async with Http2Client(s.port, pair.client("h2")) as other:
                flooding = asyncio.get_running_loop().create_task(flooded(s, pair, pairs))
                assert (await other.get("/items/7")).status == 200
                client = await flooding
                assert (await other.get("/items/8")).status == 200
            assert client.goaways[0][0] == CALM
            ledger = await s.at_rest(s.ledger().seen)
            assert sum(ledger.refused.values()) + ledger.served_primary == ledger.seen
            assert MOST_RESETS <= ledger.seen - 2 <= MOST_RESETS + 30
            assert sum(x.target == b"/items/1" for x in s.primary.asked) <= 5

    asyncio.run(scenario())


def test_streams_that_a_client_makes_us_reset_count_as_well(stage: Any, pair: Pair) -> None:
    """[T18] [F-24] CVE-2025-8671: requests whose windows overflow are ended by us, at the client's wish."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s:
            asked = 0

            def pairs(client: Http2Client) -> list[Any]:
                nonlocal asked
                made: list[Any] = []
                for _ in range(50):
                    stream = 2 * asked + 1
                    asked += 1
                    made += [head(client, stream), WindowUpdateFrame(stream, 2**31 - 1)]
                return made

            client = await flooded(s, pair, pairs)
            assert client.goaways[0][0] == CALM
            ledger = await s.at_rest(s.ledger().seen)
            assert MOST_RESETS <= ledger.seen <= MOST_RESETS + 30

    asyncio.run(scenario())


def _settings() -> SettingsFrame:
    frame = SettingsFrame(0)
    frame.settings = {SettingsFrame.INITIAL_WINDOW_SIZE: 70_000}
    return frame


def _empty_data(client: Http2Client) -> DataFrame:
    return DataFrame(1, b"")


FLOODS: dict[str, Any] = {
    "ping": lambda client: [PingFrame(0, b"12345678")] * 100,
    "settings": lambda client: [_settings()] * 100,
    "priority": lambda client: [PriorityFrame(1, depends_on=0)] * 100,
    "unknown": lambda client: [ExtensionFrame(type=0xFA, stream_id=0, body=b"")] * 100,
    "window updates": lambda client: [WindowUpdateFrame(0, 1)] * 100,
    "resets of nothing": lambda client: [RstStreamFrame(1, error_code=8)] * 100,
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_frames_that_ask_for_nothing_ends_the_connection(stage: Any, pair: Pair, kind: str) -> None:
    """[T18] [F-24]"""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s:

            async def one_request(client: Http2Client) -> None:
                assert (await client.get("/items/1")).status == 200

            client = await flooded(s, pair, FLOODS[kind], one_request)
            assert client.goaways[0][0] == CALM
            ledger = await s.at_rest(1)
            assert ledger.served_primary == 1

    asyncio.run(scenario())


def test_empty_data_frames_end_the_connection(stage: Any, pair: Pair) -> None:
    """[T18] [F-24]"""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s:

            async def upload(client: Http2Client) -> None:
                client.ask("/items/1", method="POST", end=False)

            client = await flooded(s, pair, lambda client: [_empty_data(client)] * 100, upload)
            assert client.goaways[0][0] == CALM
            assert (await s.at_rest(1)).refused == {"malformed": 1}

    asyncio.run(scenario())


@pytest.mark.parametrize("empty", [True, False], ids=["empty", "full"])
def test_a_head_without_an_end_ends_the_connection(stage: Any, pair: Pair, empty: bool) -> None:
    """[T18] [F-24] CONTINUATION for ever: less than a mebibyte is kept."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s:
            async with Http2Client(s.port, pair.client("h2")) as client:
                client.raw(head(client, 1, flags=()))
                piece = b"" if empty else b"\x00\x03x-a\x7f\x81\x7f" + b"a" * 256 + b"\x00" * 16_000
                try:
                    for _ in range(100):
                        client.raw(ContinuationFrame(1, piece[:16_384]))
                        await client.writer.drain()
                except OSError:
                    pass
                await client.ended()
                assert client.goaways[0][0] in (CALM, int(ErrorCodes.PROTOCOL_ERROR))
            assert sum((await s.at_rest(1)).refused.values()) == 1
            assert s.primary.asked == []

    asyncio.run(scenario())


def test_a_head_that_unpacks_to_more_than_its_bound_is_refused_once(stage: Any, pair: Pair) -> None:
    """[T18] [F-24] An HPACK bomb: a few bytes that name one long header again and again."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s:
            async with Http2Client(s.port, pair.client("h2")) as client:
                once = client.h2.encoder.encode([*PSEUDO, (b"x-bomb", b"b" * 4000)])
                again = client.h2.encoder.encode([(b"x-bomb", b"b" * 4000)])
                assert len(again) <= 2
                frame = head(client, 1)
                frame.data = once + again * 4000
                client.raw(frame)
                await client.ended()
                assert client.goaways[0][0] == CALM
            assert (await s.at_rest(1)).refused == {"header_limit": 1}

    asyncio.run(scenario())


def test_a_head_that_is_not_completed_in_time_is_ended(stage: Any, pair: Pair, monkeypatch: Any) -> None:
    """[T18] [F-24] Slowloris over HTTP/2."""
    monkeypatch.setattr("proxy.deadlines.Watch.__init__.__defaults__", (0.5, 10.0, 300.0, 60.0, 620.0))

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s:
            async with Http2Client(s.port, pair.client("h2")) as client:
                client.raw(head(client, 1, flags=()))
                await client.ended()
            assert (await s.at_rest(1)).refused == {"header_limit": 1}

    asyncio.run(scenario())


def test_what_is_no_http2_is_ended_and_counted(stage: Any, pair: Pair) -> None:
    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s:
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port, ssl=pair.client("h2"))
            writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.wait_for(reader.read(-1), 10)
            writer.close()
            assert (await s.at_rest(1)).refused == {"malformed": 1}

    asyncio.run(scenario())


def test_a_client_that_gives_up_some_of_very_many_requests_is_no_attacker(stage: Any, pair: Pair) -> None:
    """A load balancer gives up what its own clients give up: a tenth of its requests, as long as it takes the others' answers."""

    async def scenario() -> None:
        sections = over_http2(pair, mirror={"queue": 5}, shadow="absent")
        async with stage(**sections) as s, Http2Client(s.port, pair.client("h2")) as client:
            for _ in range(MOST_RESETS // 10 + 5):
                kept = [client.ask("/items/1") for _ in range(20)]
                for stream in [client.ask("/items/2") for _ in range(10)]:
                    client.h2.reset_stream(stream, 8)
                client.flush()
                for stream in kept:
                    assert (await client.answer(stream)).status == 200
            assert client.goaways == []

    asyncio.run(scenario())


def test_what_we_remember_of_headers_is_bounded_whatever_a_client_offers(stage: Any, pair: Pair, monkeypatch: Any) -> None:
    """[T18] A table of four gigabytes for answers' headers would be filled by their dates alone, and searched for each."""
    made: list[ClientFrames] = []
    real = ClientFrames.begin

    def noted(self: ClientFrames) -> None:
        made.append(self)
        real(self)

    monkeypatch.setattr(ClientFrames, "begin", noted)

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            frame = SettingsFrame(0)
            frame.settings = {SettingsFrame.HEADER_TABLE_SIZE: 2**31}
            client.raw(frame)
            client.h2.decoder.max_allowed_table_size = 2**31
            for i in range(50):
                s.primary.says(b"/items/1", b"HTTP/1.1 200 OK\r\nX-A: %d%s\r\nContent-Length: 0\r\n\r\n" % (i, b"a" * 1000))
                assert (await client.get("/items/1")).status == 200
            assert made[0].encoder.header_table_size == 4096
            assert len(made[0].encoder.header_table.dynamic_entries) < 10

    asyncio.run(scenario())


def test_with_no_room_for_more_backend_connections_each_client_still_has_one(stage: Any, pair: Pair, monkeypatch: Any) -> None:
    """[T18] [F-23] The rest is told 503, on its own stream."""
    monkeypatch.setattr("proxy.listener.room_for_clients", lambda: 1)

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            go_on = asyncio.Event()

            async def later(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await go_on.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                return True

            s.primary.scripts[b"/later"] = later
            first, second = client.ask("/later"), client.ask("/later")
            refused = await client.answer(second)
            assert (refused.status, refused.values(b"retry-after")) == (503, [b"1"])
            go_on.set()
            assert (await client.answer(first)).body == b"ok"
            assert (await client.get("/items/1")).status == 200
            async with Http2Client(s.port, pair.client("h2")) as other:
                await other.ended()
                assert other.goaways == [(0, 0)]
            ledger = await s.at_rest(4)
            assert (ledger.served_primary, ledger.refused) == (2, {"overload": 2})

    asyncio.run(scenario())
