"""Which requests can be put on the wire, byte for byte, and the few that cannot."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from shadow_backends import always, answer, backend
from shadow_dispatch import HOST, KEY, way

from shadow.copy_request import marker_value
from shadow.dispatch import Dispatched
from shadow.wire_request import wire_request
from traffic.message import Request
from traffic.outcome import Skipped

MARKER = b"X-Paritygate-Shadow: " + marker_value(KEY)


def sent(request: Request) -> tuple[bytes | None, Dispatched]:
    """The whole head as it arrived, and what came of it."""

    async def scenario() -> tuple[bytes | None, Dispatched]:
        async with backend(always(answer())) as server:
            dispatch = way(server.url)
            made = await dispatch.send(request, request.target)
            await dispatch.close()
            return (server.seen[0].head if server.seen else None), made

    return asyncio.run(scenario())


@pytest.mark.parametrize("method", ["GET", "get", "gEt", "PROPFIND", "M-SEARCH", "!#$%&'*+-.^_`|~09Az", "X" * 300])
def test_every_token_is_a_method(method: str) -> None:
    """[R-MIR-1] httpx itself would send it in capitals."""
    head, _ = sent(Request(method, b"/a", (HOST,)))
    assert head == method.encode() + b" /a HTTP/1.1\r\nHost: shop.example\r\n" + MARKER + b"\r\n\r\n"


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"//",
        b"/a//../b",
        b"/%zz%",
        b"/a?b#c",
        b'/"<>\\^`{|}',
        b"/\xe4\x80\xff?\xc3\xa4",
        b"/" + b"x" * 8000,
        b"/@x:1/http://y/",
    ],
)
def test_every_path_without_blanks_and_control_characters_is_a_target(target: bytes) -> None:
    """[R-MIR-1]"""
    head, _ = sent(Request("GET", target, (HOST,)))
    assert head is not None
    assert head.startswith(b"GET " + target + b" HTTP/1.1\r\n")


def test_asterisk_is_a_target_of_options() -> None:
    """[R-MIR-1]"""
    head, _ = sent(Request("OPTIONS", b"*", (HOST,)))
    assert head is not None
    assert head.startswith(b"OPTIONS * HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "pair",
    [
        (b"X", b""),
        (b"X", b"\xe4\x80\xff"),
        (b"X", b"a\tb"),
        (b"X", b"\x01\x02\x7f"),
        (b"X", b" lead and trail "),
        (b"X", b"x" * 60_000),
        (b"!#$%&'*+-.^_`|~09Az", b"1"),
        (b"x" * 1000, b"1"),
    ],
)
def test_every_value_without_line_ends_and_zero_bytes_is_a_header(pair: tuple[bytes, bytes]) -> None:
    """[R-MIR-1]"""
    head, _ = sent(Request("GET", b"/", (HOST, pair, pair)))
    line = pair[0] + b": " + pair[1] + b"\r\n"
    assert head == b"GET / HTTP/1.1\r\nHost: shop.example\r\n" + line + line + MARKER + b"\r\n\r\n"


UNSENDABLE = {
    "method with a blank": Request("G ET", b"/", (HOST,)),
    "no method": Request("", b"/", (HOST,)),
    "method that is no ASCII": Request("G\xe4T", b"/", (HOST,)),
    "method with a line end": Request("GET /\r\nX: ", b"/", (HOST,)),
    "no target": Request("GET", b"", (HOST,)),
    "absolute target": Request("GET", b"http://evil.example/", (HOST,)),
    "authority": Request("CONNECT", b"evil.example:443", (HOST,)),
    "asterisk of another method": Request("GET", b"*", (HOST,)),
    "target with a blank": Request("GET", b"/a b", (HOST,)),
    "target with a line end": Request("GET", b"/ HTTP/1.1\r\nX: y\r\n\r\nGET /", (HOST,)),
    "target with a tab": Request("GET", b"/\t", (HOST,)),
    "target with a zero byte": Request("GET", b"/\x00", (HOST,)),
    "target with DEL": Request("GET", b"/\x7f", (HOST,)),
    "value with a line end": Request("GET", b"/", (HOST, (b"X", b"a\r\nEvil: 1"))),
    "value with LF": Request("GET", b"/", (HOST, (b"X", b"a\nEvil: 1"))),
    "value with CR": Request("GET", b"/", (HOST, (b"X", b"a\rEvil: 1"))),
    "folded value": Request("GET", b"/", (HOST, (b"X", b"a\r\n b"))),
    "value with a zero byte": Request("GET", b"/", (HOST, (b"X", b"\x00"))),
    "no name": Request("GET", b"/", (HOST, (b"", b"1"))),
    "name with a blank": Request("GET", b"/", (HOST, (b"X Y", b"1"))),
    "name with a blank at its end": Request("GET", b"/", (HOST, (b"Transfer-Encoding ", b"chunked"))),
    "name with a colon": Request("GET", b"/", (HOST, (b"X:Y", b"1"))),
    "name with a line end": Request("GET", b"/", (HOST, (b"X: 1\r\nY", b"1"))),
    "name that is no ASCII": Request("GET", b"/", (HOST, (b"X\xe4", b"1"))),
    "transfer coding": Request("POST", b"/", (HOST, (b"Transfer-Encoding", b"gzip, chunked")), b"x"),
    "two transfer codings": Request(
        "POST", b"/", (HOST, (b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked"))
    ),
}


@pytest.mark.parametrize("name", UNSENDABLE)
def test_what_no_line_can_hold_is_unsendable_and_nothing_of_it_is_sent(name: str) -> None:
    """[R-MIR-1] [T1] [T3] The whole list: each would be another request, or two."""
    head, made = sent(UNSENDABLE[name])
    assert (head, made.skipped, made.answer) == (None, Skipped.UNSENDABLE, None)


def test_unsendable_copies_say_nothing_about_the_backend() -> None:
    """They open no breaker, and close none."""

    async def scenario() -> None:
        async with backend(always(answer())) as server:
            dispatch = way(server.url, limit=3)
            for _ in range(10):
                await dispatch.send(Request("GET", b"/a b", (HOST,)), b"/a b")
            assert isinstance((await dispatch.send(Request("GET", b"/", (HOST,)), b"/")).ms, float)
            await dispatch.close()
            assert len(server.seen) == 1

    asyncio.run(scenario())


def test_body_follows_the_blank_line_as_it_is() -> None:
    body = bytes(range(256))
    assert wire_request("POST", b"/", [(b"Content-Length", b"256")], body) == (
        b"POST / HTTP/1.1\r\nContent-Length: 256\r\n\r\n" + body
    )
    with pytest.raises(httpx.LocalProtocolError):
        wire_request("POST", b"/", [(b"A", b"1"), (b"B", b"2\r\nC: 3")], b"")
