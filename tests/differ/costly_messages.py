"""Costly messages: pages, texts, headers, cookies, content codings."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from typing import Any

import brotli
import zstandard

from tests.differ.costly import Pair, Sized, raw
from traffic.message import Headers, Response

CODINGS = ("gzip", "deflate", "br", "zstd")


def gzip_bomb(size: int) -> bytes:
    """A gzip stream of `size` zero bytes in about a thousandth of that, built without holding it: deflate blocks repeat."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    chunk = bytes(1 << 20)
    return b"".join([*(compressor.compress(chunk) for _ in range(size >> 20)), compressor.flush()])


def bomb(coding: str, size: int) -> bytes:
    """`size` equal bytes under one coding."""
    if coding == "gzip":
        return gzip_bomb(size)
    chunk = b"0" * (1 << 20)
    compressor: Any = {
        "deflate": lambda: zlib.compressobj(9),
        "br": lambda: brotli.Compressor(quality=4),
        "zstd": lambda: zstandard.ZstdCompressor(level=3).compressobj(),
    }[coding]()
    step = compressor.process if coding == "br" else compressor.compress
    last = compressor.finish if coding == "br" else compressor.flush
    return b"".join([*(step(chunk) for _ in range(size >> 20)), last()])


def coded(body: bytes, *codings: str) -> Response:
    """A response whose body has these codings."""
    return raw(body, headers=((b"Content-Encoding", ", ".join(codings).encode()),))


def _page(unit: str, size: int, tail: str = "") -> Pair:
    text = unit * (size // len(unit))
    return Pair(raw(text.encode(), "text/html"), raw((text + tail + "<p>x").encode(), "text/html"))


def _headers(size: int, name: str, value: str) -> Headers:
    return tuple((f"{name}{at}".encode(), f"{value}{at}".encode()) for at in range(size))


def _one_header(name: str, value: str, other: str) -> Pair:
    return Pair(raw(b"{}", headers=((name.encode(), value.encode()),)), raw(b"{}", headers=((name.encode(), other.encode()),)))


def _cookies(size: int, value: str, *, one_name: bool = False) -> Headers:
    return tuple(
        (b"Set-Cookie", f"{'a' if one_name else f'c{at}'}={value}{at}; Path=/; Max-Age=60".encode()) for at in range(size)
    )


CASES: dict[str, Sized] = {
    "text of 8 MiB": (lambda n: Pair(raw(b"ab\n" * (n // 3), "text/plain"), raw(b"ac\n" * (n // 3), "text/plain")), 8 << 20),
    "bytes of 8 MiB": (lambda n: Pair(raw(b"a" * n, "image/png"), raw(b"b" * n, "image/png")), 8 << 20),
    "a form of 10,000 fields": (
        lambda n: Pair(
            raw(b"&".join(b"a%d=1" % at for at in range(n)), "application/x-www-form-urlencoded"),
            raw(b"&".join(b"a%d=2" % at for at in range(n)), "application/x-www-form-urlencoded"),
        ),
        9_999,
    ),
    **{
        f"page of {unit[:12]!r}": (lambda n, unit=unit: _page(unit, n), 1 << 20)
        for unit in (
            "<p>a</p>\n",
            "<a ",
            '<a "',
            "<!--",
            "<![CDATA[",
            "<script>",
            "</",
            "<a b='\"",
            "<" * 8,
            "&amp;",
            "&#99999999999;",
            "<div>",
            "</div>",
            " \n ",
            "<a " + 'b="1" ' * 20 + ">",
            "<textarea>",
            "<title>x",
            "<!doctype '",
            "<?xml ",
            "\0",
            "&",
            "=",
            "<b>x ",
            "<script></script ",
            "a ",
            "<span> </span>",
            "<input name=csrfmiddlewaretoken value=a>",
            "<a b=1 b=2 c=3 d=4>",
        )
    },
    "page with one long tag": (
        lambda n: Pair(
            raw(b"<a " + b" ".join(b"a%d=1" % at for at in range(n)) + b">", "text/html"),
            raw(b"<a " + b" ".join(b"a%d=2" % at for at in range(n)) + b">", "text/html"),
        ),
        100_000,
    ),
    "10,000 headers": (
        lambda n: Pair(raw(b"{}", headers=_headers(n, "x-", "a")), raw(b"{}", headers=_headers(n, "x-", "b"))),
        10_000,
    ),
    "10,000 headers under 500 header rules": (
        lambda n: Pair(
            raw(b"{}", headers=_headers(n, "x-", "a")),
            raw(b"{}", headers=_headers(n, "x-", "b")),
            tuple({"target": f"header:x-{at}", "action": "present_only"} for at in range(500)),
        ),
        10_000,
    ),
    "one header on 10,000 lines": (
        lambda n: Pair(raw(b"{}", headers=((b"Vary", b"a"),) * n), raw(b"{}", headers=((b"Vary", b"b"),) * n)),
        10_000,
    ),
    "a long Vary": (
        lambda n: _one_header("Vary", ",".join(f"a{at}" for at in range(n)), ",".join(f"b{at}" for at in range(n))),
        100_000,
    ),
    "a Cache-Control of quotes": (lambda n: _one_header("Cache-Control", '"' * n, '"' * n + "a"), 1_000_001),
    "a Cache-Control of open quotes": (lambda n: _one_header("Cache-Control", 'a="b,' * n, 'a="c,' * n), 200_000),
    "a Cache-Control of blanks": (lambda n: _one_header("Cache-Control", "a" + " " * n + "b", "a" + " " * n + "c"), 200_000),
    "a Cache-Control of blanks and signs": (
        lambda n: _one_header("Cache-Control", "a ," * n + " " * n, " " * n + "= " * n),
        100_000,
    ),
    "a long Content-Type": (
        lambda n: _one_header("Content-Type", "text/html;" + "a=b;" * n, "text/html;" + "a=c;" * n),
        100_000,
    ),
    "a long Content-Disposition": (lambda n: _one_header("Content-Disposition", "*" + " " * n, "* " * n), 100_000),
    "a Content-Disposition of stars": (lambda n: _one_header("Content-Disposition", "*=a" * n, "*=" + "a" * n), 100_000),
    "a long Link": (lambda n: _one_header("Link", "<a>" + ";a" * n, "<a>" + ";b" * n), 4_000),
    "a Link of brackets": (lambda n: _one_header("Link", "<" * n, "<" * n + ">"), 100_000),
    "a long Location": (lambda n: _one_header("Location", "http://a/?" + "&" * n, "http://a/?" + "&" * n + "b"), 8_000),
    "a Location of a mebibyte": (lambda n: _one_header("Location", "http://" + "a" * n, "/" + "a" * n), 1 << 20),
    "a long date header": (lambda n: _one_header("Last-Modified", "Fri, " * n, "Fri " * n), 200_000),
    "a long ETag under every header action": (
        lambda n: Pair(
            *_one_header("ETag", "a1" * n, "b1" * n)[:2],
            (
                {"target": "header:etag", "action": "regex", "pattern": "(a*)*b"},
                {"target": "header:etag", "action": "tolerance", "abs": 1, "tol_s": 1},
                {"target": "header:etag", "action": "normalise", "as": "html"},
                {"target": "header:etag", "action": "normalise", "as": "url"},
                {"target": "header:etag", "action": "normalise", "as": "json"},
            ),
        ),
        500_000,
    ),
    "10,000 cookies": (lambda n: Pair(raw(b"{}", headers=_cookies(n, "a")), raw(b"{}", headers=_cookies(n, "b"))), 10_000),
    "10,000 cookies under cookie rules": (
        lambda n: Pair(
            raw(b"{}", headers=_cookies(n, "a")),
            raw(b"{}", headers=_cookies(n, "b")),
            tuple({"target": f"cookie:c{at}", "action": "type_only"} for at in range(500)),
        ),
        10_000,
    ),
    "one cookie 10,000 times": (
        lambda n: Pair(
            raw(b"{}", headers=_cookies(n, "a", one_name=True)), raw(b"{}", headers=_cookies(n, "b", one_name=True))
        ),
        10_000,
    ),
    "a cookie of 100,000 attributes": (
        lambda n: Pair(
            raw(b"{}", headers=((b"Set-Cookie", b"a=1;" + b";".join(b"a%d=1" % at for at in range(n))),)),
            raw(b"{}", headers=((b"Set-Cookie", b"a=1;" + b";".join(b"a%d=2" % at for at in range(n))),)),
        ),
        100_000,
    ),
    **{
        f"bomb {coding}": (lambda n, coding=coding: Pair(raw(b"{}"), coded(bomb(coding, n), coding)), 1 << 30)
        for coding in CODINGS
    },
    "bomb gzip in gzip": (lambda n: Pair(raw(b"{}"), coded(gzip.compress(bomb("gzip", n)), "gzip", "gzip")), 1 << 30),
    "bomb gzip in br": (lambda n: Pair(raw(b"{}"), coded(brotli.compress(bomb("gzip", n), quality=4), "gzip", "br")), 1 << 30),
    "bomb gzip of empty members": (lambda n: Pair(raw(b"{}"), coded(gzip.compress(b"", mtime=0) * n, "gzip")), 50_000),
    "bomb gzip of small members": (lambda n: Pair(raw(b"{}"), coded(gzip.compress(b"a", mtime=0) * n, "gzip")), 50_000),
    "bomb zstd of empty frames": (
        lambda n: Pair(raw(b"{}"), coded(zstandard.ZstdCompressor().compress(b"") * n, "zstd")),
        100_000,
    ),
    "bomb zstd of small frames": (
        lambda n: Pair(raw(b"{}"), coded(zstandard.ZstdCompressor().compress(b"a") * n, "zstd")),
        100_000,
    ),
    "8 MiB of br": (
        lambda n: Pair(raw(b"{}"), coded(brotli.compress(random.Random(1).randbytes(n), quality=1), "br")),
        4 << 20,
    ),
    "8 MiB of zstd": (
        lambda n: Pair(raw(b"{}"), coded(zstandard.ZstdCompressor().compress(random.Random(1).randbytes(n)), "zstd")),
        4 << 20,
    ),
    "8 MiB of gzip": (lambda n: Pair(raw(b"{}"), coded(gzip.compress(random.Random(1).randbytes(n), 1), "gzip")), 4 << 20),
    "refused fields, DRF and FastAPI": (
        lambda n: Pair(
            Response(400, ((b"Content-Type", b"application/json"),), json.dumps({f"f{at}": ["x"] for at in range(n)}).encode()),
            Response(
                422,
                ((b"Content-Type", b"application/json"),),
                json.dumps({"detail": [{"type": "missing", "loc": ["body", f"g{at}"]} for at in range(n)]}).encode(),
            ),
            (),
            ("drf-fastapi-errors",),
        ),
        990,
    ),
    **{
        f"multipart of {unit[:10]!r}": (
            lambda n, unit=unit: Pair(
                raw(unit * (n // len(unit)) + b"\r\n--b--\r\n", "multipart/mixed; boundary=b"),
                raw(unit * (n // len(unit)) + b"\r\n--b\r\n\r\nx\r\n--b--\r\n", "multipart/mixed; boundary=b"),
            ),
            4 << 20,
        )
        for unit in (b"\r\n--b\r\n\r\nx", b"\r\n--", b"\r\n--b", b"--b\r\nA: b\r\n", b"\r\n", b"x")
    },
    "lines of JSON": (
        lambda n: Pair(raw(b'{"a":1}\n' * n, "application/x-ndjson"), raw(b'{"a":2}\n' * n, "application/x-ndjson")),
        300_000,
    ),
    "a form of a million fields": (
        lambda n: Pair(
            raw(b"a=1&" * n, "application/x-www-form-urlencoded"), raw(b"a=2&" * n, "application/x-www-form-urlencoded")
        ),
        1_000_000,
    ),
    "refused fields in each other": (
        lambda n: Pair(
            Response(400, ((b"Content-Type", b"application/json"),), b'{"a":' * n + b'["x"]' + b"}" * n),
            Response(
                422, ((b"Content-Type", b"application/json"),), b'{"detail":[{"type":"x","loc":["body"%s]}]}' % (b',"a"' * n)
            ),
            (),
            ("drf-fastapi-errors",),
        ),
        190,
    ),
}
