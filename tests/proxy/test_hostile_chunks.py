"""The chunked coding is read in one way on every h11: a wrong end of a chunk (CVE-2025-43859) passes in neither direction."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from h11 import EndOfMessage, RemoteProtocolError
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from proxy import hygiene
from proxy.answers import own_answer
from proxy.chunked import MAX_LINE, MAX_TRAILERS, ChunkedBody

CODED = b"POST /items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def read(stream: bytes, cut: int, padded: bool = False) -> tuple[bytes, Any, bytes]:
    """What was read of `stream`, given in pieces of `cut` bytes: the body, how it ended, and what is left over."""
    buffer, coding, body = bytearray(), ChunkedBody(padded), b""
    for start in range(0, len(stream), cut):
        buffer += stream[start : start + cut]
        try:
            while (event := coding.take(buffer)) is not None:
                if isinstance(event, EndOfMessage):
                    return body, coding.trailers, bytes(buffer) + stream[start + cut :]
                body += event.data
        except RemoteProtocolError:
            return body, "fault", b""
    return body, "more", bytes(buffer)


def coded(bodies: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(body), body) for body in bodies if body)


@given(st.lists(st.binary(max_size=60), max_size=6), st.integers(1, 40), st.binary(max_size=9))
@examples(max_examples=150, deadline=None)
def test_what_was_coded_is_read_however_it_is_cut(bodies: list[bytes], cut: int, behind: bytes) -> None:
    stream = coded(bodies) + b"0\r\n\r\n" + behind
    assert read(stream, cut) == (b"".join(bodies), (), behind)
    stream = coded(bodies) + b"0\r\nX-Sum: 1\r\nY:\r\n\r\n" + behind
    assert read(stream, cut) == (b"".join(bodies), ((b"X-Sum", b"1"), (b"Y", b"")), behind)


BROKEN = [
    *(
        b"3\r\nabc" + end + b"0\r\n\r\n"
        for end in (b"", b"\n", b"\r", b"XX", b"\n\r", b"\r\r\n", b"  ", b"\r\n\r\n", b"\rX", b"0\r")
    ),
    *(
        size + b"\r\nabc\r\n0\r\n\r\n"
        for size in (b"+3", b"-3", b"0x3", b" 3", b"3 ", b"", b"3\x00", b"3;\x00", b"3;a\rb", b"3;\x7f", b"3_", b"g")
    ),
    *(
        b"3\nabc\r\n0\r\n\r\n",
        b"3;\nabc\r\n0\r\n\r\n",
        b"\r\n0\r\n\r\n",
        b"0" * 15 + b"3\r\nabc\r\n",
        b"f" * 16 + b"\r\nabc\r\n",
    ),
    *(
        b"3;" + b"a" * MAX_LINE + b"\r\nabc\r\n",
        b"3;" + b"a" * MAX_LINE,
        b"0\r\nX: " + b"a" * MAX_TRAILERS,
        b"0\r\nX: 1\nY: 2\r\n\r\n",
    ),
    *(
        b"0\r\nX : 1\r\n\r\n",
        b"0\r\n X: 1\r\n\r\n",
        b"0\r\nX\r\n\r\n",
        b"0\r\nX: \x00\r\n\r\n",
        b"0\r\nX: 1\r\n folded\r\n\r\n",
        b"0\r\n\rX\r\n\r\n",
    ),
]


@pytest.mark.parametrize("stream", BROKEN)
def test_what_is_no_chunked_coding_is_a_fault_however_it_is_cut(stream: bytes) -> None:
    """[T1] Nothing that another reader would take for something else is taken."""
    assert {read(stream, cut)[1] for cut in (1, 2, 3, 7, len(stream))} == {"fault"}


def test_only_answers_may_have_blanks_behind_a_size() -> None:
    assert read(b"3  \r\nabc\r\n0 \r\n\r\n", 1, padded=True) == (b"abc", (), b"")
    assert read(b"3  \r\nabc\r\n0 \r\n\r\n", 1)[1] == "fault"


def test_many_tiny_chunks_become_one_piece() -> None:
    """[T18] A body of one-byte chunks does not cost an event for each byte."""
    buffer = bytearray(b"1\r\na\r\n" * 10_000)
    event = ChunkedBody(padded=False).take(buffer)
    assert event is not None
    assert not isinstance(event, EndOfMessage)
    assert event.data == b"a" * 10_000
    assert buffer == b""


def test_a_request_with_broken_chunks_is_refused_and_its_connection_closed(stage: Any) -> None:
    """[T1] [B13] [T20] The primary sees no end of it, the client an own 400, the ledger one malformed request each."""

    async def scenario() -> None:
        async with stage() as s:
            for number, stream in enumerate(BROKEN, 1):
                answer = await s.ask(raw=CODED + stream + b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n")
                assert answer.raw == own_answer(400), stream
                assert (await s.at_rest(number)).refused == {"malformed": number}, stream
            assert [asked for asked in s.primary.asked if asked.target != b"/items/1" or asked.body] == []

    asyncio.run(scenario())


@pytest.mark.parametrize("ending", [b"XX", b"\n", b"\r\r"])
def test_an_answer_with_a_wrong_chunk_end_stays_cut_and_is_counted(stage: Any, ending: bytes) -> None:
    """[T1] What came before passes; what another reader would take for a second answer does not."""

    async def scenario() -> None:
        async with stage() as s:
            s.primary.says(b"/items/1", ANSWER + b"3\r\nabc" + ending + b"3\r\nevil\r\n0\r\n\r\n")
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(10):
                assert await reader.read(-1) == ANSWER + b"3\r\nabc\r\n"
            writer.close()
            ledger = await s.at_rest(1)
            assert ledger.refused == {"upstream_unreachable": 1}
            assert ledger.skipped == {"incomplete": 1}

    asyncio.run(scenario())


def test_a_trailer_that_would_change_its_request_refuses_it(stage: Any) -> None:
    """[T1] [T4] [T5] Servers that make headers of trailers would let it past everything that was decided at the head."""
    names = (
        b"Content-Length",
        b"transfer-encoding",
        b"Host",
        b"X-Forwarded-For",
        b"x_forwarded_for",
        b"Cookie",
        b"X-Paritygate-X",
    )

    async def scenario() -> None:
        async with stage() as s:
            for number, name in enumerate(names, 1):
                answer = await s.ask(raw=CODED + b"3\r\nabc\r\n0\r\n%b: 1\r\n\r\n" % name)
                assert answer.status == 400, name
                assert (await s.at_rest(number)).refused == {"malformed": number}, name

    asyncio.run(scenario())


def test_an_answers_trailers_lose_what_would_frame_another() -> None:
    trailers = ((b"X-Sum", b"1"), (b"Content-Length", b"5"), (b"TRANSFER-ENCODING", b"chunked"), (b"Set-Cookie", b"a=b"))
    assert hygiene.passing_trailers(trailers, from_client=False) == ((b"X-Sum", b"1"), (b"Set-Cookie", b"a=b"))
    assert hygiene.passing_trailers(trailers, from_client=True) is None
    assert hygiene.passing_trailers(((b"X-Sum", b"1"),), from_client=True) == ((b"X-Sum", b"1"),)
