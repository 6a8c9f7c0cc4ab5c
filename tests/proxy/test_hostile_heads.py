"""What is refused before any backend hears of it, and that nothing behind the first look is more lenient."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from mitmproxy.net.http.http1 import read_request_head
from mitmproxy.net.http.validate import validate_headers

from proxy.answers import own_answer
from proxy.plain_head import request_head
from proxy.raw_head import MAX_FIELDS, MAX_HEAD, fault_of_beginning, fault_of_head, leading_empty_lines
from traffic.outcome import Refused

GET = b"GET /items/1 HTTP/1.1\r\n"
HOST = b"Host: a\r\n"


def fields(count: int) -> bytes:
    return b"".join(b"X-%d: 1\r\n" % number for number in range(count))


MALFORMED = {
    "no Host": GET + b"\r\n",
    "two Hosts": GET + HOST + b"Host: b\r\n\r\n",
    "the same Host twice": GET + HOST + b"host: a\r\n\r\n",
    "a folded Host": GET + HOST + b" b\r\n\r\n",
    "user in Host": GET + b"Host: u@a\r\n\r\n",
    "path in Host": GET + b"Host: a/b\r\n\r\n",
    "list in Host": GET + b"Host: a, b\r\n\r\n",
    "blank in Host": GET + b"Host: a b\r\n\r\n",
    "port that is none": GET + b"Host: a:b\r\n\r\n",
    "CR in a value": GET + HOST + b"X: a\rb\r\n\r\n",
    "LF in a value": GET + HOST + b"X: a\nY: b\r\n\r\n",
    "NUL in a value": GET + HOST + b"X: a\x00b\r\n\r\n",
    "ESC in a value": GET + HOST + b"X: \x1b[0m\r\n\r\n",
    "DEL in a value": GET + HOST + b"X: \x7f\r\n\r\n",
    "folded value": GET + HOST + b"X: a\r\n\tb\r\n\r\n",
    "folded first line": GET + b" X: a\r\n" + HOST + b"\r\n",
    "blank before a colon": GET + HOST + b"X : a\r\n\r\n",
    "no colon": GET + HOST + b"X\r\n\r\n",
    "empty name": GET + HOST + b": a\r\n\r\n",
    "name that is no token": GET + HOST + b"X(Y): a\r\n\r\n",
    "line feeds alone": (GET + HOST + b"\r\n").replace(b"\r\n", b"\n"),
    "CR alone as an end": GET + HOST + b"X: a\r\r\n\r\n",
    "fragment": b"GET /items/1#x HTTP/1.1\r\n" + HOST + b"\r\n",
    "two blanks": b"GET  /items/1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "tab for a blank": b"GET\t/items/1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "target that is a word": b"GET items HTTP/1.1\r\n" + HOST + b"\r\n",
    "authority alone": b"GET a:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "asterisk for a read": b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
    "other scheme": b"GET ftp://a/b HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    "CONNECT with a path": b"CONNECT /items/1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "small letters": b"get /items/1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /items/1\r\n" + HOST + b"\r\n",
    "HTTP/1.2": b"GET /items/1 HTTP/1.2\r\n" + HOST + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "length twice": GET + HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "length with a sign": GET + HOST + b"Content-Length: +1\r\n\r\na",
    "length in hex": GET + HOST + b"Content-Length: 0x1\r\n\r\na",
    "padded length": GET + HOST + b"Content-Length: 01\r\n\r\na",
    "list of lengths": GET + HOST + b"Content-Length: 1, 1\r\n\r\na",
    "length that overflows": GET + HOST + b"Content-Length: 18446744073709551617\r\n\r\na",
    "coding and length": GET + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    "coding in HTTP/1.0": b"POST /items/1 HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding twice": GET + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "other coding": GET + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "identity": GET + HOST + b"Transfer-Encoding: identity\r\n\r\n",
    "empty coding": GET + HOST + b"Transfer-Encoding:\r\n\r\n",
    "Host for one hop": GET + HOST + b"Connection: close, Host\r\n\r\n",
    "length for one hop": GET + HOST + b"Connection: Content-Length\r\nContent-Length: 1\r\n\r\na",
    "origin for one hop": GET + HOST + b"Connection: keep-alive, X-Forwarded-For\r\n\r\n",
}


def test_each_is_refused_counted_and_reaches_no_backend(stage: Any) -> None:
    """[T1] [T2] [B11] [B13] [T20] [T23] Our own short answer, the end of the connection, one malformed request in the ledger."""

    async def scenario() -> None:
        async with stage() as s:
            for number, (name, raw) in enumerate(MALFORMED.items(), 1):
                answer = await s.ask(raw=raw + b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n")
                assert answer.raw == own_answer(400), name
                assert (await s.at_rest(number)).refused == {"malformed": number}, name
            assert s.primary.connections == s.candidate.connections == 0
            assert s.shadow.exchanges == []
            assert (await s.ask("/items/1")).status == 200

    asyncio.run(scenario())


TOO_LARGE = {
    "too many fields": GET + HOST + fields(MAX_FIELDS) + b"\r\n",
    "too many fields without an end": GET + HOST + fields(MAX_FIELDS + 1),
    "a long field": GET + HOST + b"X: " + b"x" * MAX_HEAD + b"\r\n\r\n",
    "a long field without an end": GET + HOST + b"X: " + b"x" * MAX_HEAD,
    "a long target": b"GET /" + b"x" * MAX_HEAD,
}


def test_a_head_beyond_its_bounds_is_a_431(stage: Any) -> None:
    """[T18] [F-24] [B13] More than 64 KiB or 200 fields, complete or not."""

    async def scenario() -> None:
        async with stage() as s:
            for number, (name, raw) in enumerate(TOO_LARGE.items(), 1):
                assert (await s.ask(raw=raw)).raw == own_answer(431), name
                assert (await s.at_rest(number)).refused == {"header_limit": number}, name
            assert s.primary.connections == 0
            most = GET + HOST + b"Connection: close\r\n" + fields(MAX_FIELDS - 2) + b"\r\n"
            assert (await s.ask(raw=most)).status == 200

    asyncio.run(scenario())


HONEST = [
    GET + HOST + b"\r\n",
    GET + b"Host:\r\n\r\n",
    GET + b"HOST: [::1]:8080\r\n\r\n",
    GET + b"Host: my_service.internal:80\r\n\r\n",
    b"GET /items/1 HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET http://shop.test/items/1?a HTTP/1.1\r\n" + HOST + b"\r\n",
    b"M-SEARCH /items/\xc3\xa4?[]{}|\\^` HTTP/1.1\r\n" + HOST + b"X: \xff\t\xe4\r\n\r\n",
    b"POST /items/1 HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: Chunked \r\n\r\n",
    b"POST /items/1 HTTP/1.1\r\n" + HOST + b"Content-Length:\t12345 \r\n\r\n",
    GET + HOST + b"Connection: Upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n",
    GET + HOST + fields(MAX_FIELDS - 1) + b"\r\n",
]


@pytest.mark.parametrize("head", HONEST)
def test_an_honest_head_passes(head: bytes) -> None:
    assert fault_of_head(head) is None
    for end in range(1, len(head), 7):
        assert fault_of_beginning(head[:end]) is None


def test_empty_lines_are_skipped_as_lines() -> None:
    assert leading_empty_lines(b"\r\n\r\nGET /") == 4
    assert leading_empty_lines(b"\r\n\nGET /") == 2
    assert fault_of_beginning(b"\nGET /") is fault_of_beginning(b"\r\rGET /") is Refused.MALFORMED


_PIECES = [
    b"GET",
    b"POST",
    b"OPTIONS",
    b" ",
    b"/",
    b"*",
    b"a",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"\r\n",
    b"\n",
    b"\r",
    b":",
    b": ",
    b"Host",
    b"Content-Length",
]
_PIECES += [
    b"Transfer-Encoding",
    b"Connection",
    b"chunked",
    b"5",
    b"0",
    b"http://",
    b"\t",
    b"\x00",
    b"\xff",
    b"close",
    b"Upgrade",
    b",",
    b"X-Y",
    b"#",
    b"?",
]
LINE = st.sampled_from(
    [
        HOST,
        b"X: y\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\n",
        b"Connection: keep-alive\r\n",
        b"Transfer-Encoding: chunked\r\n",
    ]
)
ANY = st.lists(st.sampled_from(_PIECES), max_size=16).map(b"".join)
NEAR = st.tuples(
    st.sampled_from([GET, b"POST /a HTTP/1.0\r\n", b"PUT /b?c HTTP/1.1\r\n"]), st.lists(LINE | ANY, max_size=5)
).map(lambda made: made[0] + b"".join(made[1]) + b"\r\n")


@given(NEAR | ANY)
@examples(max_examples=400, deadline=None)
def test_what_passes_the_first_look_passes_every_other_one(raw: bytes) -> None:
    """[R-SEC-1] The plain path and mitmproxy's own parser and checks are never stricter or read another request."""
    raw = raw.removesuffix(b"\r\n") + b"\r\n\r\n"
    head = raw[: raw.index(b"\r\n\r\n") + 4]
    plain = request_head(head)
    if fault_of_head(head) is not None:
        assert plain is None
        return
    if b" http" in head[:20].lower() and b"://" in head.partition(b"\r\n")[0]:
        return  # what stands before the path of an absolute target is mitmproxy's to judge
    request = read_request_head(head[:-4].split(b"\r\n"))
    validate_headers(request)
    if plain is not None:
        assert (plain.method, plain.target) == (request.data.method, request.data.path)
        assert plain.headers == request.data.headers.fields


def test_no_byte_makes_the_plain_path_take_what_the_first_look_refuses() -> None:
    """[R-SEC-1] Each byte in each place of a head."""
    taken = [head for byte in range(256) for head in heads_with(bytes([byte])) if request_head(head) is not None]
    assert len(taken) > 400
    assert [head for head in taken if fault_of_head(head) is not None] == []


def heads_with(odd: bytes) -> list[bytes]:
    return [
        b"GE" + odd + b"T /a HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /a" + odd + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /a HTTP/1." + odd + b"\r\n" + HOST + b"\r\n",
        GET + b"Host: a" + odd + b"\r\n\r\n",
        GET + HOST + b"X" + odd + b"Y: 1\r\n\r\n",
        GET + HOST + b"X: " + odd + b"\r\n\r\n",
        GET + HOST + b"Content-Length: " + odd + b"5\r\n\r\n",
        GET + HOST + b"Content-Length: 5" + odd + b"\r\n\r\n",
        GET + HOST + b"Connection: " + odd + b"keep-alive\r\n\r\n",
    ]
