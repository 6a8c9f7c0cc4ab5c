"""Chunks: sizes, extensions, ends and trailers that one reader takes and another does not."""

from __future__ import annotations

from collections.abc import Iterator

from smuggling_payload import HIDDEN, Named, chunked, head, shown, table

_CODED = b"Transfer-Encoding: chunked"
SIZES = [
    *table(
        r"5|05|00000005|000000000000005|0000000000000005|+5|-5|0x5|0X5| 5|\t5|5 |5\t|5  |5\x00|\x005|5\x0b|5\x0c|5\xa0",
        r"5\r|5\n|\n5|5,|5.0|5h|5_|5 5|5-|g||-1|5e0|0b101|\x225\x22|\xef\xbc\x95|10000000000000005|100000005",
        r"ffffffffffffffff|8000000000000005|7fffffffffffffff|FFFFFFFFFFFFFFFFF5|5;|5;a|5;a=b|5;a=\x22b\x22",
        r"5;a=\x22b;c\x22|5 ;a=b|5; a=b|5;a =b|5;;|5;=b|5;a=\x22\r\n\x22|5;a=\x22\n0\r\n\r\n\x22|5;\n|5;a\n|5;\r|5;\ra",
        r"5;a\rb|5;\x00|5;\x7f|5;\x0b|5;\xff|5;a\r\n |;5|;|5:a|5\\|5#|5?|5/|5\x85|5\xc2\xa0",
    ),
    b"0" * 30 + b"5",
    b"5;" + b"a" * 900,
    b"5;" + b"a" * 2000,
    b"5;" + b"a=b;" * 3000,
]
LASTS = [
    *table(
        r"0|00|000000|0x0|-0|+0|0 |0\t|\t0| 0|0;|0;a=b|0;a\n|0\n|0\r|0\x00|0,|0.0|0h||O|0 0|0;\x00|0\x0b|-|0_0",
    ),
    b"0" * 20,
    b"0;" + b"a" * 2000,
]
ENDS = [
    *table(
        r"|\n|\r|XX|\r\r\n|\n\r|\n\n|\r\r|\x00\x00|  |0\r|\r\n\r\n|\t\r\n| \r\n|X\r\n|\rX|X\n|\r\nX|\x0b\x0c|\r\n ",
        r"\xff\xfe|0\n|\r0|\r\n\n|\n\r\n",
    ),
]
FINALS = [
    *table(
        r"0\r\n|0\r\n\r|0\r\n\n|0\n\n|0\n\r\n|0\r\n\rX|0\r\rX|0\r\nX|0\r\n \r\n|0\r\n\t\r\n|0\r\n\x00\r\n",
        r"0\r\n\r\n\r\n|0\r\n\r\n\r\n\r\n|0\r\n\r\nX|0\r\n\r\n\n|0\r\n\r\n\r|0\r\n\r\n |0|0\r|\r\n0\r\n\r\n",
        r"0\r\n0\r\n\r\n|0\r\n5\r\nabcde\r\n0\r\n\r\n",
    ),
]
TRAILERS = [
    *table(
        r"X-Sum: 1|X-Sum:1|X-Sum : 1| X-Sum: 1|X-Sum: 1\r\n folded|X-Sum: 1\nY: 2|X-Sum: 1\rY: 2|X-Sum|: 1|X: \x00",
        r"X: \x7f|Content-Length: 5|Content-Length: 0|Transfer-Encoding: chunked|Transfer-Encoding: identity",
        r"Host: other.test|Connection: close|Trailer: X|TE: trailers|Upgrade: websocket|Expect: 100-continue",
        r"X-Forwarded-For: 1.2.3.4|X_Forwarded_For: 1.2.3.4|Forwarded: for=1.2.3.4|Authorization: Basic eDp5",
        r"Cookie: a=b|X-Paritygate-Shadow: v1;1;0|Content-Type: text/html|Content_Length: 5|content-length: 5|X\x00: 1",
        r"(X): 1|X\xff: 1|X: 1\n\nGET /hidden-q_____z HTTP/1.1|X: 1\r\n\rGET /hidden-q_____z HTTP/1.1",
        r"0\r\n\r\nGET /hidden-q_____z HTTP/1.1",
    ),
    b"X: " + b"a" * 20_000,
    b"\r\n".join(b"X-%d: 1" % n for n in range(500)),
]


def chunks() -> Iterator[Named]:
    """Each size for the first and for a later chunk, each last one, each end behind a chunk's data, each trailer."""
    coded = head(_CODED)
    for size in SIZES:
        name = shown(size)
        yield f"size {name}", coded + size + b"\r\nabcde\r\n" + chunked() + HIDDEN
        yield f"later size {name}", coded + b"2\r\nxy\r\n" + size + b"\r\nabcde\r\n" + chunked() + HIDDEN
        yield f"size {name} that hides", coded + size + b"\r\n" + HIDDEN + b"\r\n" + chunked()
    for last in LASTS:
        yield f"last {shown(last)}", coded + b"2\r\nxy\r\n" + last + b"\r\n\r\n" + HIDDEN
        yield f"only {shown(last)}", coded + last + b"\r\n\r\n" + HIDDEN
    for end in ENDS:
        name = shown(end)
        yield f"end {name}", coded + b"5\r\nabcde" + end + chunked() + HIDDEN
        yield f"end {name}, then a chunk", coded + b"5\r\nabcde" + end + b"2\r\nxy\r\n" + chunked() + HIDDEN
        yield f"end {name} that hides", coded + b"5\r\nabcde" + end + b"2\r\n" + HIDDEN
    for final in FINALS:
        yield f"final {shown(final)}", coded + b"2\r\nxy\r\n" + final + HIDDEN
    for trailer in TRAILERS:
        yield f"trailer {shown(trailer)}", coded + b"2\r\nxy\r\n0\r\n" + trailer + b"\r\n\r\n" + HIDDEN
        yield f"announced trailer {shown(trailer)}", head(b"Trailer: X", _CODED) + b"0\r\n" + trailer + b"\r\n\r\n" + HIDDEN
