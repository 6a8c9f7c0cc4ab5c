"""Requests over HTTP/2 that backends could read in two ways: each is refused on its own stream, before any backend, and counted once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from http2_client import NEEDS_H2, Http2Client, over_http2

from proxy.http2_messages import answer_fields
from tests.certificates import Pair

pytestmark = NEEDS_H2

PSEUDO = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"shop.test"), (b":path", b"/items/1")]


def having(**changed: bytes | None) -> list[tuple[bytes, bytes]]:
    """The pseudo headers of a plain request, some of them others or away."""
    made = [(name, changed.get(name[1:].decode(), value)) for name, value in PSEUDO]
    return [(name, value) for name, value in made if value is not None]


SMUGGLED: dict[str, tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]]] = {
    "a line end in a value": (PSEUDO, [(b"x-a", b"1\r\nX-Evil: 1")]),
    "a bare LF in a value": (PSEUDO, [(b"x-a", b"1\nX-Evil: 1")]),
    "a NUL in a value": (PSEUDO, [(b"x-a", b"1\x00")]),
    "a control character in a value": (PSEUDO, [(b"x-a", b"1\x0b2")]),
    "a line end in a name": (PSEUDO, [(b"x-a: 1\r\nx-evil", b"1")]),
    "a colon in a name": (PSEUDO, [(b"x-a: x", b"1")]),
    "a blank in a name": (PSEUDO, [(b"x a", b"1")]),
    "no name": (PSEUDO, [(b"", b"1")]),
    "a name in capitals": (PSEUDO, [(b"X-A", b"1")]),
    "a name that is no token": (PSEUDO, [(b"x(a)", b"1")]),
    "blanks around a value": (PSEUDO, [(b"x-a", b" 1 ")]),
    "transfer-encoding": (PSEUDO, [(b"transfer-encoding", b"chunked")]),
    "connection": (PSEUDO, [(b"connection", b"close")]),
    "upgrade": (PSEUDO, [(b"upgrade", b"websocket")]),
    "te": (PSEUDO, [(b"te", b"gzip")]),
    "a length without a body": (PSEUDO, [(b"content-length", b"5")]),
    "two lengths": (PSEUDO, [(b"content-length", b"0"), (b"content-length", b"5")]),
    "a length that is none": (PSEUDO, [(b"content-length", b"+0")]),
    "a length with a blank": (PSEUDO, [(b"content-length", b"0_0")]),
    "two hosts": (having(authority=None), [(b"host", b"a"), (b"host", b"b")]),
    "another host": (PSEUDO, [(b"host", b"evil.test")]),
    "no host": (having(authority=None), []),
    "a host with a path": (having(authority=b"shop.test/evil"), []),
    "a host with a user": (having(authority=b"evil@shop.test"), []),
    "a request line in the method": (having(method=b"GET /evil HTTP/1.1"), []),
    "a method in small letters": (having(method=b"get"), []),
    "an empty method": (having(method=b""), []),
    "CONNECT": ([(b":method", b"CONNECT"), (b":authority", b"evil.test:80")], []),
    "an extended CONNECT": (
        [*having(method=b"CONNECT"), (b":protocol", b"websocket")],
        [],
    ),
    "a path with a request line": (having(path=b"/items/1 HTTP/1.1\r\nX: 1"), []),
    "a path with a blank": (having(path=b"/items/1 x"), []),
    "an absolute path": (having(path=b"http://evil.test/"), []),
    "CONNECT with a path": (having(method=b"CONNECT"), []),
    "a path without a slash": (having(path=b"items/1"), []),
    "a path with a fragment": (having(path=b"/items/1#x"), []),
    "an empty path": (having(path=b""), []),
    "no path": (having(path=None), []),
    "no scheme": (having(scheme=None), []),
    "a scheme that is an address": (having(scheme=b"http://evil.test/?"), []),
    "two paths": ([*PSEUDO, (b":path", b"/evil")], []),
    "a pseudo header behind a header": (PSEUDO, [(b"x-a", b"1"), (b":path", b"/evil")]),
    "an unknown pseudo header": ([*PSEUDO, (b":evil", b"1")], []),
    "an answer's pseudo header": ([*PSEUDO, (b":status", b"200")], []),
}


def test_what_backends_could_read_in_two_ways_reaches_none(stage: Any, pair: Pair) -> None:
    """[T1] [R-SEC-1] Each is answered with 400 on its own stream and counted once; requests beside it are answered."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            statuses = {}
            for name, (pseudo, headers) in SMUGGLED.items():
                statuses[name] = (await client.get(pseudo=pseudo, headers=headers)).status
            assert {name: status for name, status in statuses.items() if status != 400} == {}
            assert s.primary.asked == []
            assert (await client.get("/items/1")).status == 200
            ledger = await s.at_rest(len(SMUGGLED) + 1)
            assert ledger.refused == {"malformed": len(SMUGGLED)}

    asyncio.run(scenario())


def test_a_body_of_another_length_than_declared_ends_its_stream_and_its_backend_connection(
    stage: Any, pair: Pair, wait: Any
) -> None:
    """[T1] Nothing of it can be taken for the next request."""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            for length, body in ((b"3", b"hello"), (b"9", b"hello")):
                answer = await client.get("/items/1", method="POST", headers=[(b"content-length", length)], body=body)
                assert answer.status == 400
            assert (await client.get("/items/2")).body == b"primary /items/2 "
            ledger = await s.at_rest(3)
            assert ledger.refused == {"malformed": 2}
            assert [asked.target for asked in s.primary.asked if asked.body] == []

    asyncio.run(scenario())


@pytest.mark.parametrize("name", [b"content-length", b"host", b"x-forwarded-for", b"x-paritygate-side"])
def test_a_trailer_that_would_change_its_request_ends_it(stage: Any, pair: Pair, name: bytes) -> None:
    """[T1]"""

    async def scenario() -> None:
        async with stage(**over_http2(pair)) as s, Http2Client(s.port, pair.client("h2")) as client:
            stream = client.ask("/items/1", method="POST", body=b"hello", end=False)
            client.h2.send_headers(stream, [(name, b"1")], end_stream=True)
            client.flush()
            assert (await client.answer(stream)).status == 400
            good = client.ask("/items/2", method="POST", body=b"hello", end=False)
            client.h2.send_headers(good, [(b"x-sum", b"1")], end_stream=True)
            client.flush()
            assert (await client.answer(good)).status == 200
            assert (await s.at_rest(2)).refused == {"malformed": 1}

    asyncio.run(scenario())


def test_fields_that_http2_has_no_words_for_are_left_out_of_answers() -> None:
    """A client would have to refuse the whole answer for them."""
    headers = (
        (b"X-A", b" 1\t"),
        (b"X B", b"1"),
        (b"", b"1"),
        (b"X-C", b"a\x00b"),
        (b"X-D", b"a\rb"),
        (b"X-\xe9", b"1"),
        (b"X-E", b""),
    )
    assert answer_fields(200, headers) == [(b":status", b"200"), (b"x-a", b"1"), (b"x-e", b"")]
