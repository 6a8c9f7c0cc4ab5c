"""How an answer's head is read: what every client reads in the same way passes, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from proxy.answer_head import UNTIL_CLOSE, body_length, framed, read_head, says_close

LENGTH, CODING = b"Content-Length", b"Transfer-Encoding"


@pytest.mark.parametrize(
    ("lines", "read"),
    [
        ([b"HTTP/1.1 200 OK"], (b"HTTP/1.1", 200, b"OK", ())),
        ([b"HTTP/1.1 200"], (b"HTTP/1.1", 200, b"", ())),
        ([b"HTTP/1.0 599 \xe4 b  c "], (b"HTTP/1.0", 599, b"\xe4 b  c ", ())),
        ([b"HTTP/1.1 200 OK", b"x-A:1", b"X-a : 2 ", b"X:"], (b"HTTP/1.1", 200, b"OK", ((b"x-A", b"1"), (b"X-a", b"2"), (b"X", b"")))),
        ([b"HTTP/1.1 200 OK", b"X: a", b"\t b", b" c"], (b"HTTP/1.1", 200, b"OK", ((b"X", b"a b c"),))),
        ([b"HTTP/1.1 200 OK", b"X: a\rb\x00c"], (b"HTTP/1.1", 200, b"OK", ((b"X", b"a b c"),))),
    ],
)  # fmt: skip
def test_a_head_is_read(lines: list[bytes], read: Any) -> None:
    assert read_head(lines) == read


@pytest.mark.parametrize(
    "lines",
    [
        [b"HTTP/1.1 20 OK"], [b"HTTP/1.1 2000 OK"], [b"HTTP/1.1 abc OK"], [b"HTTP/11 200 OK"], [b"http/1.1 200 OK"], [b"ICY 200 OK"],
        [b""], [b"HTTP/1.1 200 OK\rX: y"], [b"HTTP/1.1 200 OK", b" folded: at once"], [b"HTTP/1.1 200 OK", b"no colon"],
        [b"HTTP/1.1 200 OK", b": no name"], [b"HTTP/1.1 200 OK", b"X\x00: y"], [b"HTTP/1.1 200 OK", b"X\tY: z"],
    ],
)  # fmt: skip
def test_what_is_no_head_is_refused(lines: list[bytes]) -> None:
    """[B12] It becomes a 502."""
    with pytest.raises(ValueError, match=r"."):
        read_head(lines)


@pytest.mark.parametrize(
    ("fields", "kept", "last"),
    [
        ([(LENGTH, b"5")], [(LENGTH, b"5")], False),
        ([(LENGTH, b"005")], [(LENGTH, b"005")], False),
        ([(LENGTH, b"5"), (b"X", b"y"), (b"content-length", b"5")], [(LENGTH, b"5"), (b"X", b"y")], False),
        ([(LENGTH, b"5, 5 ,5")], [(LENGTH, b"5")], False),
        ([(LENGTH, b"9"), (CODING, b"chunked")], [(CODING, b"chunked")], True),
        ([(LENGTH, b"9"), (CODING, b"identity")], [(LENGTH, b"9"), (CODING, b"identity")], False),
    ],
)
def test_one_framing_is_left(fields: Any, kept: Any, last: bool) -> None:
    """[B12] Equal lengths become one; beside a transfer coding no length holds, and no connection is used again after it."""
    assert framed(tuple(fields)) == (tuple(kept), last)


@pytest.mark.parametrize("value", [b"", b"5, 6", b"+5", b"-1", b"5 5", b"0x5", b"5,", b"9" * 19, b"\xb2"])
def test_a_length_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="length"):
        framed(((LENGTH, value), (LENGTH, value)))


@pytest.mark.parametrize(
    ("method", "status", "fields", "length"),
    [
        (b"GET", 200, [(LENGTH, b"7")], 7),
        (b"GET", 200, [], UNTIL_CLOSE),
        (b"HEAD", 200, [(LENGTH, b"7")], 0),
        (b"head", 200, [(LENGTH, b"7")], 7),
        (b"GET", 204, [(LENGTH, b"7")], 0),
        (b"GET", 304, [(CODING, b"chunked")], 0),
        (b"GET", 200, [(CODING, b"Chunked")], None),
        (b"GET", 200, [(CODING, b"gzip , chunked")], None),
        (b"GET", 200, [(CODING, b"gzip"), (CODING, b"chunked")], None),
        (b"GET", 200, [(CODING, b"gzip")], UNTIL_CLOSE),
        (b"GET", 200, [(CODING, b"identity"), (LENGTH, b"7")], 7),
    ],
)
def test_the_length_of_a_body(method: bytes, status: int, fields: Any, length: int | None) -> None:
    assert body_length(method, status, tuple(fields)) == length


@pytest.mark.parametrize("coding", [b"chunked, gzip", b"chunked, chunked", b"xchunked", b"chunked;a=b"])
def test_a_transfer_coding_that_clients_read_differently_is_refused(coding: bytes) -> None:
    with pytest.raises(ValueError, match="chunked"):
        body_length(b"GET", 200, ((CODING, coding),))


@pytest.mark.parametrize(
    ("version", "value", "closes"),
    [
        (b"HTTP/1.1", None, False), (b"HTTP/1.0", None, True), (b"HTTP/1.1", b"CLOSE", True), (b"HTTP/1.1", b"x, Close", True),
        (b"HTTP/1.0", b"Keep-Alive", False), (b"HTTP/1.1", b"closed", False), (b"HTTP/1.0", b"keep-alive, close", True),
    ],
)  # fmt: skip
def test_who_says_close(version: bytes, value: bytes | None, closes: bool) -> None:
    """[B9] In any spelling, and among other options."""
    assert says_close(version, () if value is None else ((b"connection", value),)) is closes


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=8))
@examples(max_examples=200, deadline=None)
def test_no_bytes_break_the_reading(lines: list[bytes]) -> None:
    """Whatever a backend says, it is a head or a ValueError; what is passed on ends no line."""
    try:
        _, status, reason, fields = read_head([line.replace(b"\n", b"") for line in lines])
        framed(fields)
    except ValueError:
        return
    assert 0 <= status <= 999
    assert not any(mark in part for part in (reason, *(x for pair in fields for x in pair)) for mark in (b"\r", b"\n", b"\x00"))
