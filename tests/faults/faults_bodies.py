"""Complete answers with bodies that are made to break whoever reads them."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable

import brotli
import zstandard


def _json(body: bytes, coding: str = "") -> bytes:
    extra = f"Content-Encoding: {coding}\r\n" if coding else ""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@functools.cache
def _bomb() -> bytes:
    """100 MiB in about 100 kB."""
    return _json(gzip.compress(b"\0" * 100 * 1024 * 1024, compresslevel=6), "gzip")


@functools.cache
def _double_bomb() -> bytes:
    return _json(gzip.compress(gzip.compress(b"\0" * 100 * 1024 * 1024, compresslevel=6)), "gzip, gzip")


HOSTILE: dict[str, Callable[[], bytes]] = {
    "gzbomb": _bomb,
    "gzbomb2": _double_bomb,
    "brbomb": functools.cache(lambda: _json(brotli.compress(b"\0" * 100 * 1024 * 1024, quality=1), "br")),
    "zstdbomb": functools.cache(lambda: _json(zstandard.compress(b"\0" * 100 * 1024 * 1024), "zstd")),
    "deepjson": lambda: _json(b"[" * 100_000 + b"]" * 100_000),
    "bigint": lambda: _json(b'{"id": ' + b"9" * 6_000 + b"}"),
    "nan": lambda: _json(b'{"id": NaN, "more": [Infinity, -Infinity, 1e999]}'),
    "dupkeys": lambda: _json(b'{"id": 1, "id": 2, "id": 3}'),
    "surrogate": lambda: _json(b'{"id": "\\ud800", "\\udfff": "\\u0000"}'),
}

ODD: tuple[bytes, ...] = (
    b"HTTP/1.1 200 OK\r\nX-Twice: a\r\nServer: old\r\nX-Twice: b\r\ncontent-TYPE: application/json\r\nContent-Length: 12\r\n\r\n"
    b'{"a": [1.0]}',
    b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n7\r\nabcdefg\r\n0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nContent-Type: text/html\r\n\r\nnope",
    b"HTTP/1.1 204 No Content\r\nX-Empty: \r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\nContent-Type: application/json\r\n\r\nnot-gzip!",
    b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n",
)
"""Answers of an odd but legal primary, by the last digit of an id."""
