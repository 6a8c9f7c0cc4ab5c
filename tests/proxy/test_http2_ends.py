"""How HTTP/2 requests and connections end: one stream at a time where that is possible, and nothing that is under way is dropped."""

from __future__ import annotations

import asyncio
from typing import Any

from h2.errors import ErrorCodes
from http2_client import NEEDS_H2, Http2Client, over_http2
from hyperframe.frame import GoAwayFrame

from tests.certificates import Pair

pytestmark = NEEDS_H2


def test_every_stream_of_a_client_that_is_gone_is_settled(stage: Any, pair: Pair, wait: Any) -> None:
    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s:

            async def never(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await reader.read(-1)
                return False

            s.primary.scripts[b"/never"] = never
            async with Http2Client(s.port, pair.client("h2")) as client:
                for _ in range(7):
                    client.ask("/never")
                await wait(lambda: s.ledger().open == 7 and len(s.primary.asked) == 7)
            assert (await s.at_rest(7)).refused == {"client_gone": 7}
            await wait(lambda: not s.primary._writers, "no backend connection is left")

    asyncio.run(scenario())


def test_a_request_that_is_given_up_leaves_the_others_alone(stage: Any, pair: Pair, wait: Any) -> None:
    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            gone = asyncio.Event()

            async def never(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await reader.read(-1)
                gone.set()
                return False

            s.primary.scripts[b"/never"] = never
            stream, other = client.ask("/never"), client.ask("/never")
            await wait(lambda: len(s.primary.asked) == 2)
            client.h2.reset_stream(stream, ErrorCodes.CANCEL)
            client.flush()
            await asyncio.wait_for(gone.wait(), 5)
            assert s.ledger().refused == {"client_gone": 1}
            assert (await client.get("/items/1")).status == 200
            assert client.told[other].reset is None
            assert s.ledger().open == 1

    asyncio.run(scenario())


def test_a_client_that_asks_no_more_still_gets_its_answers(stage: Any, pair: Pair) -> None:
    """A client's GOAWAY ends nothing that is under way; mitmproxy would drop it all."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            go_on = asyncio.Event()

            async def later(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await go_on.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                return True

            s.primary.scripts[b"/later"] = later
            streams = [client.ask("/later") for _ in range(3)]
            client.raw(GoAwayFrame(0, last_stream_id=0))
            assert (await client.get("/items/1")).status == 200
            go_on.set()
            assert [bytes((await client.answer(stream)).body) for stream in streams] == [b"ok"] * 3
            await client.ended()
            assert (await s.at_rest(4)).served_primary == 4

    asyncio.run(scenario())


def test_a_drain_answers_what_is_under_way_and_tells_the_client_to_go(stage: Any, pair: Pair, wait: Any) -> None:
    """[F-19] The requests under way are answered, and one that comes meanwhile; whoever goes on asking gets a GOAWAY at once."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            go_on = asyncio.Event()

            async def later(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await go_on.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                return True

            s.primary.scripts[b"/later"] = later
            streams = [client.ask("/later") for _ in range(5)]
            async with Http2Client(s.port, pair.client("h2")) as idle:
                assert (await idle.get("/items/1")).status == 200
                await wait(lambda: len(s.primary.asked) == 6)
                await s.admin("POST", "/drain")
                await idle.ended()
                assert idle.goaways == [(0, 1)]
            assert client.goaways == []
            streams.append(client.ask("/later"))
            await client.until(lambda: client.goaways)
            assert client.goaways == [(0, 2**31 - 1)]
            go_on.set()
            await client.ended()
            assert [bytes(client.told[stream].body) for stream in streams] == [b"ok"] * 6
            assert client.goaways[-1] == (0, streams[-1])
            await asyncio.wait([s.task], timeout=10)
            ledger = s.ledger()
            assert (ledger.seen, ledger.served_primary, ledger.refused) == (7, 7, {})

    asyncio.run(scenario())
