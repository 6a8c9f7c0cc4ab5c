"""A client behind the proxy gets, byte for byte, what the primary says, with mirroring on."""

from __future__ import annotations

import asyncio
import gzip
import resource
from typing import Any

import pytest

GZIPPED = gzip.compress(b'{"items": [1, 2, 3]}' * 20, mtime=0)
HEADERS = b"X-Zeta: 1\r\nset-cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\nx-mIxEd-CaSe: Yes\r\nX-Zeta: 2\r\nX-Latin: caf\xe9\r\n"
ANSWERS = {
    "plain": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "headers in order, case and number": b"HTTP/1.1 200 OK\r\n" + HEADERS + b"Content-Length: 2\r\n\r\nok",
    "an own reason phrase": b"HTTP/1.1 299 Rather Good\r\nContent-Length: 0\r\n\r\n",
    "no reason phrase": b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
    "not modified": b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 999\r\n\r\n',
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIPPED) + GZIPPED,
    "a range": b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\ncde",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/x\r\nContent-Length: 0\r\n\r\n",
    "not found": b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    "server error": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops",
    "binary": b"HTTP/1.1 200 OK\r\nContent-Length: 256\r\n\r\n" + bytes(range(256)),
    "empty value": b"HTTP/1.1 200 OK\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n",
    "connection in capitals": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=5\r\n\r\nok",
}
UNTIL_CLOSED = {
    "until the end of the connection": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nas long as it lasts",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nServer: WSGIServer/0.2\r\nContent-Length: 3\r\n\r\nold",
}


def spaced(raw: bytes) -> bytes:
    return raw.replace(b"X-Empty:\r\n", b"X-Empty: \r\n")  # a space after the colon is the one thing mitmproxy adds


def test_answers_are_byte_identical(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            for keep, answers in ((True, ANSWERS), (False, UNTIL_CLOSED)):
                for number, (name, raw) in enumerate(answers.items()):
                    target = f"/a{keep:d}{number}"
                    s.primary.says(target.encode(), raw, keep)
                    assert (await s.ask(target)).raw == spaced(raw), name
            ledger = await s.at_rest(len(ANSWERS) + len(UNTIL_CLOSED))
            assert ledger.served_primary == ledger.pending == ledger.seen

    asyncio.run(scenario())


def test_many_requests_on_one_connection_keep_their_order(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            for i in range(50):
                writer.write(b"GET /items/%d HTTP/1.1\r\nHost: a\r\n\r\n" % i)
            for i in range(50):
                head = await reader.readuntil(b"\r\n\r\n")
                expected = b"primary /items/%d " % i
                assert b"Content-Length: %d" % len(expected) in head
                assert await reader.readexactly(len(expected)) == expected
            writer.close()
            await s.at_rest(50)
            assert s.primary.connections == 1

    asyncio.run(scenario())


def test_head_gets_the_length_and_no_body(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            answer = await s.ask("/items/1", method="HEAD")
            assert answer.body == b""
            assert answer.values(b"content-length") == [b"17"]
            await s.at_rest(1)
            assert "HEAD /items/{id}" in s.ledgers()

    asyncio.run(scenario())


def test_a_chunked_answer_keeps_its_body_and_framing(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
            s.primary.says(b"/c", raw)
            answer = await s.ask("/c")
            assert answer.body == b"hello world"
            assert answer.headers == [(b"Transfer-Encoding", b"chunked")]
            await s.at_rest(1)
            assert (await until_one(s)).live.body == b"hello world"

    async def until_one(s: Any) -> Any:
        while not s.shadow.exchanges:
            await asyncio.sleep(0.01)
        return s.shadow.exchanges[0]

    asyncio.run(scenario())


def test_trailers_reach_the_client(stage: Any) -> None:
    """[B4] Trailers of an answer pass."""

    async def scenario() -> None:
        async with stage() as s:
            s.primary.says(b"/t", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1a2b\r\n\r\n")
            answer = await s.ask("/t")
            assert (answer.body, answer.trailers) == (b"ok", b"X-Sum: 1a2b\r\n\r\n")
            assert (await s.at_rest(1)).served_primary == 1

    asyncio.run(scenario())


def test_request_trailers_hang_nobody(stage: Any) -> None:
    """[B4] Trailers of a request hang nobody; that they pass, the catalogue shows."""

    async def scenario() -> None:
        async with stage() as s:
            head = b"POST /items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            answer = await s.ask(raw=head + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")
            assert answer.body == b"primary /items/1 abc"
            assert (await s.at_rest(1)).served_primary == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("early", [b"103 Early Hints\r\nLink: </a.css>", b"102 Processing", b"100 Continue"])
def test_an_informational_answer_passes_and_does_not_hide_the_real_one(stage: Any, early: bytes) -> None:
    """[B5] RFC 9110 15.2: a proxy passes them on."""

    async def scenario() -> None:
        async with stage() as s:
            final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            both = b"HTTP/1.1 " + early + b"\r\n\r\n" + final
            s.primary.says(b"/e", both)
            assert (await s.ask("/e")).raw == both
            assert (await s.ask("/e")).raw == both
            assert (await s.at_rest(2)).served_primary == 2
            assert all(exchange.live.status == 200 for exchange in s.shadow.exchanges)

    asyncio.run(scenario())


def test_framing_headers_of_a_bodyless_answer_do_not_desynchronise_the_client(stage: Any) -> None:
    """[B8] No last chunk follows a 304 that names a transfer coding; a 204 must not name one."""

    async def scenario() -> None:
        async with stage() as s:
            s.primary.says(b"/304", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            s.primary.says(b"/204", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n")
            whole = b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            assert (await s.ask("/304")).raw == whole
            assert (await s.ask("/204")).raw == b"HTTP/1.1 204 No Content\r\n\r\n"

    asyncio.run(scenario())


def test_empty_lines_before_a_request_are_skipped(stage: Any) -> None:
    """[B6] Empty lines before a request line are skipped."""

    async def scenario() -> None:
        async with stage() as s:
            answer = await s.ask(raw=b"\r\n\r\nGET /items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert answer.status == 200

    asyncio.run(scenario())


def test_expect_100_continue_is_answered_by_the_backend(stage: Any) -> None:
    """[B7] The expectation reaches the backend, and its 100 the client."""

    async def scenario() -> None:
        async with stage() as s:

            async def goes_on(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
                assert asked.values(b"expect") == [b"100-continue"]
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(3)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + body.upper())
                await writer.drain()
                return False

            goes_on.reads_itself = True  # type: ignore[attr-defined]
            s.primary.scripts[b"/items/1"] = goes_on
            head = (
                b"POST /items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
            )
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(head)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
            writer.write(b"abc")
            assert (await reader.read(-1)).endswith(b"\r\n\r\nABC")
            writer.close()
            await s.at_rest(1)

    asyncio.run(scenario())


def test_the_first_event_of_a_stream_is_not_held_back(stage: Any, wait: Any) -> None:
    """[B1] [F-21] An answer passes as it comes."""

    async def scenario() -> None:
        async with stage() as s:
            more = asyncio.Event()

            async def events(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
                await more.wait()
                writer.write(b"data: 2\n\n")
                return False

            s.primary.scripts[b"/events"] = events
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(5):
                await reader.readuntil(b"data: 1\n\n")
            assert s.ledger().open == 1
            more.set()
            assert await reader.read(-1) == b"data: 2\n\n"
            writer.close()
            assert (await s.at_rest(1)).skipped == {"streaming": 1}

    asyncio.run(scenario())


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_a_large_download_passes_whole_and_in_constant_memory(stage: Any) -> None:
    """[B2] [F-21] 100 MiB in one answer."""

    async def scenario() -> None:
        async with stage() as s:
            piece = bytes(range(256)) * 256

            async def large(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(piece) * 1600))
                for _ in range(1600):
                    writer.write(piece)
                    await writer.drain()
                return False

            s.primary.scripts[b"/large"] = large
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            before = peak_mib()
            writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(1600):  # 100 MiB
                assert await reader.readexactly(len(piece)) == piece
            writer.close()
            assert peak_mib() - before < 40
            assert (await s.at_rest(1)).skipped == {"too_large": 1}

    asyncio.run(scenario())


def test_a_large_upload_passes_whole_and_in_constant_memory(stage: Any) -> None:
    """[B2] [F-21] 25 MiB in one request."""

    async def scenario() -> None:
        async with stage() as s:
            piece = bytes(range(256)) * 256
            got = 0

            async def swallow(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
                nonlocal got
                while got < len(piece) * 400:
                    got += len(await reader.read(65536))
                writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
                return False

            swallow.reads_itself = True  # type: ignore[attr-defined]
            s.primary.scripts[b"/up"] = swallow
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            before = peak_mib()
            writer.write(b"PUT /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (len(piece) * 400))
            for _ in range(400):  # 25 MiB
                writer.write(piece)
                await writer.drain()
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 201")
            writer.close()
            assert got == len(piece) * 400
            assert peak_mib() - before < 20
            assert (await s.at_rest(1)).skipped == {"unsafe_method": 1}

    asyncio.run(scenario())


def test_an_early_refusal_of_an_upload_reaches_the_client(stage: Any) -> None:
    """[B7] The client sees a 413 without having sent its body."""

    async def scenario() -> None:
        async with stage() as s:

            async def refuse(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
                return False

            refuse.reads_itself = True  # type: ignore[attr-defined]
            s.primary.scripts[b"/up"] = refuse
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"PUT /up HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n" + b"x" * 1000)
            async with asyncio.timeout(5):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413")
            writer.close()
            await s.at_rest(1)

    asyncio.run(scenario())


def test_a_cut_answer_stays_a_cut_answer(stage: Any) -> None:
    """[B3] [F-11] The primary dies in the middle of a body: the client sees the same beginning and then the end, not a made-up 502."""

    async def scenario() -> None:
        async with stage() as s:
            s.primary.says(b"/cut", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", keep=False)
            assert (await s.ask("/cut")).raw == b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
            ledger = await s.at_rest(1)
            assert ledger.refused == {"upstream_unreachable": 1}
            assert ledger.skipped == {"incomplete": 1}

    asyncio.run(scenario())


def test_an_upgraded_connection_passes_bytes_both_ways(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:

            async def echo(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                while data := await reader.read(100):
                    writer.write(data.upper())
                return False

            s.primary.scripts[b"/ws"] = echo
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(
                b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head == b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            for _ in range(3):
                writer.write(b"abc")
                assert await reader.readexactly(3) == b"ABC"
            writer.close()
            assert (await s.at_rest(1)).skipped == {"upgraded": 1}

    asyncio.run(scenario())


@pytest.mark.parametrize("apart", [False, True], ids=["head and body at once", "body after its head"])
def test_a_mirrored_body_is_copied_whole_on_a_lasting_connection(stage: Any, wait: Any, apart: bool) -> None:
    """[R-MIR-1] Held or streamed, on the plain path or not: the copy has the body that the backend got."""

    async def scenario() -> None:
        async with stage(route=[{"match": "POST /items/{id}", "mirror": "writes"}]) as s:
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            for number in range(3):  # the plain path begins with the second: it takes a backend connection that is there
                body = b'{"n": %d}' % number
                head = b"POST /items/%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (number, len(body))
                writer.write(head if apart else head + body)
                await writer.drain()
                if apart:
                    await asyncio.sleep(0.02)
                    writer.write(body)
                await reader.readuntil(b"primary /items/%d " % number + body)
            writer.close()
            await wait(lambda: len(s.shadow.exchanges) == 3)
            assert [exchange.request.body for exchange in s.shadow.exchanges] == [b'{"n": %d}' % n for n in range(3)]
            assert [asked.body for asked in s.primary.asked] == [b'{"n": %d}' % n for n in range(3)]

    asyncio.run(scenario())
