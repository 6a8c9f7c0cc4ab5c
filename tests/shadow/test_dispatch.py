"""One copy against real backends on loopback, well-behaved and not."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time

import pytest
from shadow_backends import Act, Backend, Seen, always, answer, backend, hang
from shadow_dispatch import HOST, KEY, failure, sent, way

from shadow.copy_request import marker_value
from shadow.dispatch import Dispatched
from traffic.message import Failure, Request, Response
from traffic.outcome import Skipped


def test_raw_target_and_headers_arrive_unchanged_with_nothing_added() -> None:
    """[R-MIR-1] [R-MIR-2] Raw bytes, in their order; the marker is all that is added."""
    headers = (HOST, (b"X-oDD", b"1"), (b"x-odd", b"\xe4"), (b"Accept-Encoding", b"gzip"))
    request = Request("GET", b"/a//b/../%7e%2F|{}?q=[1]&q=%20", headers)

    def check(server: Backend, made: Dispatched) -> None:
        (seen,) = server.seen
        assert seen.target == request.target
        assert seen.headers == [*headers, (b"X-Paritygate-Shadow", marker_value(KEY))]

    sent(always(answer()), request, check)


def test_body_of_a_write_arrives_with_its_length() -> None:
    def check(server: Backend, made: Dispatched) -> None:
        assert server.seen[0].body == b"\x00\xffbody"

    sent(always(answer(201)), Request("POST", b"/", (HOST,), b"\x00\xffbody"), check)


def test_answer_is_raw_headers_and_undecoded_body() -> None:
    body = gzip.compress(b"{}")
    made = sent(
        always(answer(200, body, [("Content-Encoding", "gzip"), ("X-A", "1"), ("x-a", "2")])), Request("GET", b"/", (HOST,))
    )
    assert isinstance(made.answer, Response)
    assert made.answer.body == body
    assert (b"X-A", b"1") in made.answer.headers
    assert (b"x-a", b"2") in made.answer.headers
    assert made.ms > 0


@pytest.mark.parametrize("location", ["http://127.0.0.1:1/elsewhere", "http://[bad", "/relative"])
def test_redirects_are_answers(location: str) -> None:
    """[T3] [T7] Nobody follows them, wherever they point: the redirect is what is compared."""

    def check(server: Backend, made: Dispatched) -> None:
        assert isinstance(made.answer, Response)
        assert made.answer.status == 302
        assert len(server.seen) == 1

    sent(always(answer(302, b"", [("Location", location)])), Request("GET", b"/", (HOST,)), check)


def test_cookies_of_one_answer_are_not_sent_with_the_next_copy() -> None:
    async def scenario() -> None:
        async with backend(always(answer(200, b"{}", [("Set-Cookie", "sessionid=of-somebody; Path=/")]))) as server:
            dispatch = way(server.url)
            for _ in range(2):
                await dispatch.send(Request("GET", b"/", (HOST,)), b"/")
            await dispatch.close()
            assert all(seen.header(b"cookie") is None for seen in server.seen)

    asyncio.run(scenario())


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """[T3] A proxy there would get live cookies."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert isinstance(sent(always(answer()), Request("GET", b"/", (HOST,))).answer, Response)


async def drip(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def informational_for_ever(seen: Seen, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("act", [drip, hang, informational_for_ever])
def test_deadline_is_total_and_not_per_read(act: Act) -> None:
    """[F-3] [F-4] [T8] A byte now and then buys no time."""
    begun = time.monotonic()
    assert failure(act, deadline_s=0.3) == "timeout"
    assert time.monotonic() - begun < 3


def test_body_over_the_limit_is_oversize() -> None:
    """[F-7] [T8] One byte more is enough."""
    assert failure(always(answer(200, b"x" * 1001)), max_body=1000) == "oversize"


def test_endless_chunks_are_oversize_and_bounded() -> None:
    """[F-7] [T8] No more is read than the limit allows."""

    async def endless(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await writer.drain()

    assert failure(endless, max_body=10_000) == "oversize"


def test_body_of_exactly_the_limit_is_taken() -> None:
    made = sent(always(answer(200, b"x" * 1000)), Request("GET", b"/", (HOST,)), max_body=1000)
    assert isinstance(made.answer, Response)


async def close_at_once(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def close_in_the_body(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    writer.close()


async def close_in_a_chunk(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
    await writer.drain()
    writer.close()


async def abort(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@pytest.mark.parametrize("act", [close_at_once, close_in_the_body, close_in_a_chunk, abort])
def test_connection_that_ends_early_is_reset(act: Act) -> None:
    """[F-5] Never a shorter answer."""
    assert failure(act) == "reset"


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"\x00" * 200_000,
    ],
)
def test_bytes_that_are_no_http_are_protocol(data: bytes) -> None:
    """[F-6] [T8] Told apart from a wrong answer."""
    assert failure(always(data)) == "protocol"


def test_nobody_listening_is_refused() -> None:
    """[F-1] Counted as such."""

    async def scenario() -> Dispatched:
        async with backend(always(answer())) as server:
            pass
        dispatch = way(server.url)
        return await dispatch.send(Request("GET", b"/", (HOST,)), b"/")

    made = asyncio.run(scenario())
    assert isinstance(made.answer, Failure)
    assert made.answer.reason == "refused"


def test_unsendable_is_skipped_and_nothing_is_sent() -> None:
    def check(server: Backend, made: Dispatched) -> None:
        assert (made.skipped, made.answer, server.seen) == (Skipped.UNSENDABLE, None, [])

    sent(always(answer()), Request("GET", b"/a b", (HOST,)), check)
    sent(always(answer()), Request("GET", b"/", (HOST, (b"X", b"a\x00b"))), check)


def test_open_breaker_sends_nothing() -> None:
    """[F-1] What it holds back is counted."""

    async def scenario() -> None:
        async with backend(close_at_once) as server:
            dispatch = way(server.url, limit=2)
            made = [await dispatch.send(Request("GET", b"/", (HOST,)), b"/") for _ in range(3)]
            assert [item.skipped for item in made] == [None, None, Skipped.BREAKER_OPEN]
            assert len(server.seen) == 2

    asyncio.run(scenario())


def test_head_has_no_body() -> None:
    made = sent(always(answer(200, b"x" * 50, head=True)), Request("HEAD", b"/", (HOST,)))
    assert isinstance(made.answer, Response)
    assert made.answer.body == b""


def test_connection_is_used_again() -> None:
    async def scenario() -> None:
        connections: set[object] = set()

        async def act(seen: Seen, writer: asyncio.StreamWriter) -> None:
            connections.add(writer)
            writer.write(answer())

        async with backend(act) as server:
            dispatch = way(server.url)
            for _ in range(5):
                await dispatch.send(Request("GET", b"/", (HOST,)), b"/")
            await dispatch.close()
        assert len(connections) == 1

    asyncio.run(scenario())


def test_no_url_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        sent(always(answer()), Request("GET", b"/?token=secret", (HOST,)))
    assert "secret" not in caplog.text
