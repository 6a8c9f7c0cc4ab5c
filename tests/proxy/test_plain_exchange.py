"""The plain path is invisible: whatever happens at whatever moment, clients, backends and books see what mitmproxy's layers give."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from h11._readers import ContentLengthReader
from mitmproxy.proxy.layers.http import HttpClient

from proxy import connections, internals
from traffic.ledger import ledger_document

GET = b"GET %b HTTP/1.1\r\nHost: shop.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

ANSWERS: dict[str, tuple[bytes, ...]] = {
    "a length": (OK,),
    "no body": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",),
    "a status without body": (b"HTTP/1.1 204 No Content\r\n\r\n",),
    "204 with a length": (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: x\r\n\r\n",),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",),
    "chunked in pieces": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nok\r", b"\n0\r\n\r\n"),
    "informational first": (b"HTTP/1.1 102 Processing\r\n\r\n" + OK,),
    "a head in pieces": (OK[:20], OK[20:]),
    "a body in pieces": (OK[:-1], OK[-1:]),
    "a head, then its body": (OK[:-2], b"o", b"k"),
    "odd but legal fields": (
        b"HTTP/1.1 200 OK\r\ncontent-LENGTH:2\r\nX:\r\nX: \xff y \r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nok",
    ),
    "an odd reason": (b"HTTP/1.1 200 All  right!\r\nContent-Length: 2\r\n\r\nok",),
    "an error": (b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno",),
}
ENDINGS: dict[str, tuple[bytes, ...]] = {
    "an end by closing": (b"HTTP/1.1 200 OK\r\n\r\nok",),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",),
    "closing announced": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",),
    "too short": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",),
    "too short in pieces": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", b"more"),
    "no answer": (b"",),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-",),
    "garbage": (b"\x00\x01\x02 garbage\r\n\r\n",),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",),
    "an upgrade nobody asked for": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",),
}
SURPLUS = {"more than it said": (OK + b"surplus",), "more than it said, later": (OK[:-1], OK[-1:] + b"surplus")}

_BLANKS = re.compile(rb":[ \t]*([^\r\n]*?)[ \t]*\r\n")
Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


def script(pieces: tuple[bytes, ...], keep: bool) -> Any:
    async def answer(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)  # so that it arrives as a piece of its own
        return keep

    return answer


async def one_answer(reader: asyncio.StreamReader, size: int) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(size)


@dataclass
class Case:
    """What a backend answers to `/tried` (then it keeps the connection, or not), and what the client does."""

    pieces: tuple[bytes, ...]
    keep: bool
    client: Client


async def seen_by_all(stage: Any, wait: Any, plain: bool, monkeypatch: Any, cases: dict[str, Case]) -> dict[str, Any]:
    """Per case: what the client received, what the backend was asked, what was counted, what was handed over, and how many streams
    mitmproxy's layers made after the first request of the client's connection."""
    monkeypatch.setattr(connections, "PLAIN", plain)
    made = []
    original = internals.LiveHttpLayer.new_stream

    def counting(self: Any, stream_id: int) -> Any:
        made.append(stream_id)
        return original(self, stream_id)

    monkeypatch.setattr(internals.LiveHttpLayer, "new_stream", counting)
    found = {}
    async with stage() as s:
        s.primary.says(b"/first", OK)
        for name, case in cases.items():
            s.primary.scripts[b"/tried"] = script(case.pieces, case.keep)
            asked, handed = len(s.primary.asked), len(s.shadow.exchanges)
            before = ledger_document(s.ledger())
            received, streams = await one_client(s.port, case.client, made)
            await wait(lambda: s.ledger().open == 0)
            after = ledger_document(s.ledger())
            await wait(lambda after=after: len(s.shadow.exchanges) == after["pending"], "the exchanges arrive")
            found[name] = (
                received,
                [(a.line, a.headers, a.body) for a in s.primary.asked[asked:]],
                {key: value for key, value in flat(after).items() if value != flat(before)[key]},
                [(e.route, e.request, e.live.status, e.live.headers, e.live.body) for e in s.shadow.exchanges[handed:]],
                streams,
            )
    shutil.rmtree(s.settings.state_dir)  # the next one counts for itself
    return found


async def one_client(port: int, client: Client, made: list[int]) -> tuple[bytes, int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(10):
            writer.write(GET % b"/first")  # opens the backend's connection, through the layers
            received = await one_answer(reader, 2)
            before = len(made)
            return received + await client(reader, writer), len(made) - before
    finally:
        writer.close()


def flat(ledger: dict[str, Any]) -> dict[str, Any]:
    return {f"{k}.{r}": n for k, v in ledger.items() if isinstance(v, dict) for r, n in v.items()} | {
        k: v for k, v in ledger.items() if not isinstance(v, dict)
    }


async def compared(stage: Any, wait: Any, monkeypatch: Any, cases: dict[str, Case]) -> dict[str, int]:
    """Asserts that both ways look the same to everybody; how many streams the layers made with the plain path on, per case."""
    plain = await seen_by_all(stage, wait, True, monkeypatch, cases)
    layers = await seen_by_all(stage, wait, False, monkeypatch, cases)
    for name in cases:
        # The plain path passes an answer's head as it came; the layers set one blank behind each colon and none at a line's end.
        received, *rest, streams = plain[name]
        assert (name, _BLANKS.sub(rb": \1\r\n", received), *rest) == (name, *layers[name][:-1])
        assert streams <= layers[name][-1]
    return {name: plain[name][-1] for name in cases}


async def ask_then_ask_again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The tried request, then one that shows whether the connection is still in step; everything until it closes."""
    writer.write(GET % b"/tried")
    await asyncio.sleep(0.1)
    writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % b"/first")
    return await reader.read(-1)


async def ask_to_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(GET % b"/tried")
    return await reader.read(-1)


PLAIN = (
    "a length",
    "no body",
    "a status without body",
    "204 with a length",
    "304 with a length",
    "a body in pieces",
    "odd but legal fields",
)


def test_answers_look_the_same(stage: Any, wait: Any, monkeypatch: Any) -> None:
    cases = {name: Case(pieces, True, ask_then_ask_again) for name, pieces in ANSWERS.items()}
    streams = asyncio.run(compared(stage, wait, monkeypatch, cases))
    assert {name: streams[name] for name in PLAIN} == dict.fromkeys(PLAIN, 1), (
        "only the last request, which says that it closes, needs the layers"
    )


def test_answers_that_end_the_connection_look_the_same(stage: Any, wait: Any, monkeypatch: Any) -> None:
    cases = {name: Case(pieces, False, ask_to_the_end) for name, pieces in ENDINGS.items()}
    asyncio.run(compared(stage, wait, monkeypatch, cases))


def test_what_follows_an_answer_unasked_never_becomes_the_next_one(stage: Any, wait: Any, monkeypatch: Any) -> None:
    cases = {name: Case(pieces, True, ask_then_ask_again) for name, pieces in SURPLUS.items()}
    asyncio.run(compared(stage, wait, monkeypatch, cases))


def test_head_requests_look_the_same(stage: Any, wait: Any, monkeypatch: Any) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"HEAD /tried HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(GET % b"/first")
        return head + await one_answer(reader, 2)

    answer = (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",)
    assert asyncio.run(compared(stage, wait, monkeypatch, {"": Case(answer, True, client)})) == {"": 0}


def test_small_bodies_look_the_same(stage: Any, wait: Any, monkeypatch: Any) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"POST /tried HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 4\r\n\r\nbody")
        first = await one_answer(reader, 2)
        writer.write(b"POST /tried HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 4\r\n\r\nbo")
        await asyncio.sleep(0.05)
        writer.write(b"dy")
        return first + await one_answer(reader, 2)

    streams = asyncio.run(compared(stage, wait, monkeypatch, {"": Case((OK,), True, client)}))
    assert streams == {"": 1}, "a body that comes in pieces is for the layers"


def test_pipelined_requests_look_the_same(stage: Any, wait: Any, monkeypatch: Any) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(GET % b"/tried" + GET % b"/first")
        answers = await one_answer(reader, 2) + await one_answer(reader, 2)
        writer.write(GET % b"/tried")
        await asyncio.sleep(0.01)
        writer.write(GET % b"/first")  # while the first is under way
        return answers + await one_answer(reader, 2) + await one_answer(reader, 2)

    asyncio.run(compared(stage, wait, monkeypatch, {"": Case((OK[:-1], OK[-1:]), True, client)}))


def test_clients_that_leave_are_counted_the_same(stage: Any, wait: Any, monkeypatch: Any) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(GET % b"/tried")
        await asyncio.sleep(0.03)
        writer.transport.abort()
        return b""

    waits = {"in mid-body": (OK[:-1], b"", b"", b"", OK[-1:]), "before the answer": (b"", b"", b"", b"", OK)}
    cases = {name: Case(pieces, True, client) for name, pieces in waits.items()}
    asyncio.run(compared(stage, wait, monkeypatch, cases))


def test_a_connection_the_backend_has_closed_meanwhile_costs_nothing(stage: Any, wait: Any, monkeypatch: Any) -> None:
    """[T19] The backend closes when it reads the second request of a connection; the request is safe and asked again."""

    async def both(plain: bool) -> Any:
        asked = 0

        async def closes(request: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            nonlocal asked
            asked += 1
            if asked == 1:
                return False
            writer.write(OK)
            return True

        monkeypatch.setattr(connections, "PLAIN", plain)
        async with stage() as s:
            s.primary.says(b"/first", OK)
            s.primary.scripts[b"/tried"] = closes
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(GET % b"/first")
            await one_answer(reader, 2)
            writer.write(GET % b"/tried")
            answer = await one_answer(reader, 2)
            writer.close()
            ledger = ledger_document(await s.at_rest(2))
        shutil.rmtree(s.settings.state_dir)
        return answer, asked, ledger

    assert asyncio.run(both(True)) == asyncio.run(both(False))


def test_a_large_answer_to_a_slow_reader_waits_for_it(stage: Any, wait: Any) -> None:
    """[B2] The plain path obeys the client's pace too: what is not read stays with the backend."""
    size = 64 * 1024 * 1024
    written = 0

    async def large(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        piece = b"x" * 65536
        for _ in range(size // len(piece)):
            writer.write(piece)
            await writer.drain()
            written += len(piece)
        return True

    async def scenario() -> None:
        async with stage() as s:
            s.primary.says(b"/first", OK)
            s.primary.scripts[b"/large"] = large
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port, limit=65536)
            writer.write(GET % b"/first")
            await one_answer(reader, 2)
            writer.write(GET % b"/large")
            await reader.readuntil(b"\r\n\r\n")
            held = -1
            while held != written:  # until nothing moves any more
                held = written
                await asyncio.sleep(0.3)
            assert held < size // 2
            got = 0
            while got < size:
                got += len(await reader.read(1 << 20))
            writer.close()
            await s.at_rest(2)

    asyncio.run(scenario())


def test_what_the_plain_path_relies_on_is_there() -> None:
    """`leave` writes into these; a mitmproxy or h11 that names them otherwise must not be used before this is read again."""
    reader = ContentLengthReader(5)
    assert (reader._length, reader._remaining) == (5, 5)
    assert "child_layer" in HttpClient.__annotations__
    for name in ("stream_id", "request", "response", "request_done", "response_done", "read_body", "read_headers"):
        assert hasattr(internals.LiveClient, name)
    assert callable(internals.LiveServer.wait)
    for name in ("state_done", "state_wait_for_response_headers", "state_stream_response_body"):
        assert callable(getattr(internals.LiveStream, name))
