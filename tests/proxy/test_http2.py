"""HTTP/2 towards clients: each request is the HTTP/1.1 request it would have been, to the backend, to the copy and to the books."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from h2.errors import ErrorCodes
from http2_client import NEEDS_H2, Http2Client, over_http2

from proxy.memory_ceiling import resident_bytes
from tests.certificates import Pair
from traffic.message import Side

pytestmark = NEEDS_H2


def test_a_request_reaches_backend_and_copy_as_the_http1_request_it_means(stage: Any, pair: Pair, wait: Any) -> None:
    """Host is what the client calls us, cookie crumbs are one line, the client's TLS is told, the copy has what the primary has."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            headers = [(b"cookie", b"a=1"), (b"x-y", b"1"), (b"x-y", b"2"), (b"cookie", b"b=2"), (b"te", b"trailers")]
            answer = await client.get("/items/1?q=%20a", headers=headers)
            assert answer.headers == [(b":status", b"200"), (b"x-side", b"primary"), (b"content-length", b"24")]
            assert answer.body == b"primary /items/1?q=%20a "
            (asked,) = s.primary.asked
            assert asked.line == b"GET /items/1?q=%20a HTTP/1.1"
            assert asked.headers == [
                (b"host", b"shop.test"),
                (b"cookie", b"a=1; b=2"),
                (b"x-y", b"1"),
                (b"x-y", b"2"),
                (b"te", b"trailers"),
                (b"X-Forwarded-For", b"127.0.0.1"),
                (b"X-Forwarded-Proto", b"https"),
            ]
            exchange = await wait(lambda: s.shadow.exchanges and s.shadow.exchanges[0])
            assert list(exchange.request.headers) == asked.headers
            assert (exchange.request.method, exchange.request.target) == ("GET", b"/items/1?q=%20a")
            assert (exchange.live.status, exchange.live.body) == (200, b"primary /items/1?q=%20a ")
            assert (await s.at_rest(1)).served_primary == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("known", [True, False], ids=["content-length", "unknown length"])
def test_a_body_arrives_and_is_copied(stage: Any, pair: Pair, wait: Any, known: bool) -> None:
    async def scenario() -> None:
        sections = over_http2(pair, route=[{"match": "POST /items/{id}", "mirror": "writes"}])
        async with stage(**sections) as s, Http2Client(s.port, pair.client("h2")) as client:
            headers = [(b"content-length", b"5")] if known else []
            answer = await client.get("/items/1", method="POST", headers=headers, body=b"hello")
            assert answer.body == b"primary /items/1 hello"
            assert s.primary.asked[0].body == b"hello"
            framing = s.primary.asked[0].values(b"content-length"), s.primary.asked[0].values(b"transfer-encoding")
            assert framing == (([b"5"], []) if known else ([], [b"chunked"]))
            exchange = await wait(lambda: s.shadow.exchanges and s.shadow.exchanges[0])
            assert exchange.request.body == b"hello"

    asyncio.run(scenario())


def test_many_requests_at_once_take_no_longer_than_one(stage: Any, pair: Pair) -> None:
    """[T18] 50 requests of a second each over one connection: mitmproxy's five backend connections would make it ten seconds."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:

            async def slow(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await asyncio.sleep(1.0)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                return True

            s.primary.scripts[b"/items/1"] = slow
            begun = time.monotonic()
            streams = [client.ask("/items/1") for _ in range(50)]
            answers = [await client.answer(stream) for stream in streams]
            assert time.monotonic() - begun < 6.0
            assert {bytes(answer.body) for answer in answers} == {b"ok"}
            assert s.primary.connections == 50
            assert (await s.at_rest(50)).pending == 50

    asyncio.run(scenario())


def test_backend_connections_are_used_again_and_few_are_kept(stage: Any, pair: Pair, wait: Any) -> None:
    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            for i in range(20):
                await client.get(f"/items/{i}")
            assert s.primary.connections == 1
            for stream in [client.ask(f"/items/{i}") for i in range(30)]:
                await client.answer(stream)
            made = s.primary.connections
            assert made <= 30
            await wait(lambda: len(s.primary._writers) <= 4, "only a few idle connections are kept")
            assert (await s.at_rest(50)).served_primary == 50
            assert len(client.goaways) == 0

    asyncio.run(scenario())


BODYLESS = [
    ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"200", [b"5"]),
    ("GET", b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n", b"204", []),
    ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 5\r\n\r\n', b"304", [b"5"]),
    ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"200", [b"0"]),
]


@pytest.mark.parametrize(("method", "raw", "status", "length"), BODYLESS)
def test_an_answer_without_a_body_ends_with_its_head(
    stage: Any, pair: Pair, method: str, raw: bytes, status: bytes, length: list[bytes]
) -> None:
    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            s.primary.says(b"/items/1", raw)
            for _ in range(2):
                answer = await client.get("/items/1", method=method)
                assert (answer.headers[0], answer.values(b"content-length")) == ((b":status", status), length)
                assert (answer.body, answer.ended, answer.reset) == (b"", True, None)
            assert s.primary.connections == 1
            assert (await s.at_rest(2)).served_primary == 2

    asyncio.run(scenario())


def test_what_concerns_the_backends_own_connection_stays_there(stage: Any, pair: Pair) -> None:
    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            head = (
                b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nSet-Cookie: A=1\r\n"
            )
            s.primary.says(
                b"/items/1", head + b"set-cookie: B=2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"
            )
            answer = await client.get("/items/1")
            assert answer.headers == [(b":status", b"200"), (b"set-cookie", b"A=1"), (b"set-cookie", b"B=2")]
            assert (answer.body, answer.trailers) == (b"ok", [(b"x-sum", b"7")])

    asyncio.run(scenario())


def test_early_hints_and_an_expected_100_come_through(stage: Any, pair: Pair) -> None:
    """[B5] [B7] Informational answers are passed on, and the answer behind them."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            s.primary.says(b"/items/1", hints + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            answer = await client.get("/items/1")
            assert answer.informational == [[(b":status", b"103"), (b"link", b"</a>")]]
            assert (answer.status, answer.body) == (200, b"ok")

            async def expected(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(5)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)
                return True

            expected.reads_itself = True  # type: ignore[attr-defined]
            s.primary.scripts[b"/items/2"] = expected
            headers = [(b"expect", b"100-continue"), (b"content-length", b"5")]
            stream = client.ask("/items/2", method="POST", headers=headers, end=False)
            await client.until(lambda: client.told[stream].informational)
            client.h2.send_data(stream, b"hello", end_stream=True)
            client.flush()
            assert (await client.answer(stream)).body == b"hello"

    asyncio.run(scenario())


def test_the_first_event_of_a_stream_is_not_held_back(stage: Any, pair: Pair) -> None:
    """[B1] [R-TRA-1] Server-sent events arrive as they are sent, while other requests are answered."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            go_on = asyncio.Event()

            async def events(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
                await go_on.wait()
                writer.write(b"data: 2\n\n")
                return False

            s.primary.scripts[b"/events"] = events
            stream = client.ask("/events")
            await client.until(lambda: client.told[stream].body == b"data: 1\n\n")
            assert (await client.get("/items/1")).status == 200
            go_on.set()
            assert (await client.answer(stream)).body == b"data: 1\n\ndata: 2\n\n"
            assert (await s.at_rest(2)).skipped == {"streaming": 1}

    asyncio.run(scenario())


def test_our_own_answers_end_one_stream_and_not_the_connection(stage: Any, pair: Pair) -> None:
    """[B3] [T20] 502 without a backend's answer, 431 and 400 without a backend; brandless, and the same as over HTTP/1.1."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            s.primary.says(b"/cut", b"", keep=False)
            s.primary.says(b"/half", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", keep=False)
            answer = await client.get("/cut")
            assert answer.headers == [
                (b":status", b"502"),
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"16"),
                (b"cache-control", b"no-store"),
            ]
            assert (answer.body, answer.ended) == (b"502 Bad Gateway\n", True)
            head_only = await client.get("/cut", method="HEAD")
            assert (head_only.status, head_only.body) == (502, b"")
            half = await client.get("/half")
            assert (half.status, half.ended, half.reset) == (200, False, ErrorCodes.INTERNAL_ERROR)
            assert (await client.get("/items/1", headers=[(b"x-a", b"a" * 70_000)])).status == 431
            assert (await client.get("/items/1", headers=[(b"x-a", b"a")] * 210)).status == 431
            assert (await client.get("/a b")).body == b"400 Bad Request\n"
            assert (await client.get("/items/1")).status == 200
            ledger = await s.at_rest(7)
            assert ledger.refused == {"upstream_unreachable": 3, "header_limit": 2, "malformed": 1}
            assert len(s.primary.asked) == 4

    asyncio.run(scenario())


def test_a_backend_that_switches_protocols_unasked_is_a_502(stage: Any, pair: Pair) -> None:
    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            s.primary.says(b"/items/1", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nGARBAGE")
            assert (await client.get("/items/1")).status == 502
            assert (await client.get("/items/2")).status == 200
            assert (await s.at_rest(2)).refused == {"upstream_unreachable": 1}

    asyncio.run(scenario())


def test_each_request_goes_to_the_side_its_route_was_given_to(stage: Any, pair: Pair, wait: Any) -> None:
    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            assert (await s.decide("GET /old", 10_000)).status_code == 200
            streams = [client.ask(path) for path in ("/old?x=1", "/items/1", "/old")]
            bodies = [bytes((await client.answer(stream)).body) for stream in streams]
            assert bodies == [b"candidate /new?x=1 ", b"primary /items/1 ", b"candidate /new "]
            ledger = await s.at_rest(3)
            assert (ledger.served_primary, ledger.served_candidate) == (1, 2)
            await wait(lambda: len(s.shadow.exchanges) == 3)
            assert sorted(e.live_side for e in s.shadow.exchanges) == [Side.CANDIDATE, Side.CANDIDATE, Side.PRIMARY]

    asyncio.run(scenario())


def test_http1_is_spoken_with_whoever_prefers_it(stage: Any, pair: Pair) -> None:
    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s:
            for context in (pair.client("http/1.1"), pair.client()):
                reader, writer = await asyncio.open_connection("127.0.0.1", s.port, ssl=context)
                writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert (await reader.read(-1)).endswith(b"primary /items/1 ")
                writer.close()
            assert (await s.at_rest(2)).served_primary == 2

    asyncio.run(scenario())


def test_a_client_of_a_library_has_its_many_answers(stage: Any, pair: Pair) -> None:
    """httpx over HTTP/2, as people use it."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s:
            async with httpx.AsyncClient(http2=True, verify=pair.client(), trust_env=False, timeout=20) as client:
                url = f"https://127.0.0.1:{s.port}"
                answers = await asyncio.gather(*(client.post(f"{url}/items/{i}", content=b"x" * i) for i in range(60)))
                for i, answer in enumerate(answers):
                    assert (answer.http_version, answer.status_code) == ("HTTP/2", 200)
                    assert answer.content == b"primary /items/%d " % i + b"x" * min(i, 50)
                assert s.primary.asked[0].values(b"host") == [b"127.0.0.1:%d" % s.port]
            assert (await s.at_rest(60)).served_primary == 60

    asyncio.run(scenario())


@pytest.mark.soak
def test_a_connection_that_lives_long_takes_no_more_memory(stage: Any, pair: Pair) -> None:
    """[T18] 20,000 requests on one connection: what they leave behind is bounded."""

    async def scenario() -> None:
        async with stage(shadow="absent", mirror={"queue": 10}, **over_http2(pair)) as s:
            async with Http2Client(s.port, pair.client("h2")) as client:

                async def ask(count: int) -> None:
                    for _ in range(count // 20):
                        streams = [client.ask("/items/1") for _ in range(20)]
                        for stream in streams:
                            assert (await client.answer(stream)).status == 200
                            del client.told[stream]

                await ask(4000)
                s.primary.asked.clear()
                before = resident_bytes()
                await ask(16_000)
                s.primary.asked.clear()
                assert resident_bytes() - before < 12 * 1024 * 1024
            assert (await s.at_rest(20_000)).served_primary == 20_000

    asyncio.run(scenario())
