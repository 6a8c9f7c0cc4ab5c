"""What every payload is made of: a request that may be read in two ways, a request hidden in it, and an honest one behind.

`q_____z` stands for the payload's id until `numbered` puts it in; each request carries it in its target and in `X-Id`, so that
whoever sees a request, in whatever reading, can tell where it came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

ID = re.compile(rb"q[0-9]{5}z")
HERE = b"q_____z"
HOST = b"Host: shop.test\r\n"
MARK = b"X-Id: q_____z\r\n"
HIDDEN = b"GET /hidden-q_____z HTTP/1.1\r\n" + HOST + MARK + b"\r\n"
"""The request that no backend may see unless the proxy has counted it."""
BEHIND = b"GET /behind-q_____z HTTP/1.1\r\n" + HOST + MARK + b"Connection: close\r\n\r\n"

Named = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes for one connection."""

    id: bytes
    name: str
    raw: bytes


def head(*lines: bytes, line: bytes = b"POST /open-q_____z HTTP/1.1", host: bytes = HOST) -> bytes:
    """A head: `lines` are written as they are, each with CRLF behind it."""
    return line + b"\r\n" + host + MARK + b"".join(each + b"\r\n" for each in lines) + b"\r\n"


def chunked(*bodies: bytes) -> bytes:
    """A body in the chunked coding."""
    return b"".join(b"%x\r\n%b\r\n" % (len(body), body) for body in bodies if body) + b"0\r\n\r\n"


def shown(raw: bytes, most: int = 40) -> str:
    """Bytes as a short name that can be printed."""
    return ascii(raw[:most].decode("latin-1"))[1:-1]


def table(*rows: str) -> list[bytes]:
    """The bytes between the `|` of each row, written with Python's escapes (`\\x7c` for a `|`)."""
    return [each.encode("latin-1").decode("unicode_escape").encode("latin-1") for row in rows for each in row.split("|")]


def numbered(named: Iterable[Named]) -> Iterator[Payload]:
    """The payloads with ids put in, and the honest request behind each."""
    for number, (name, raw) in enumerate(named):
        identifier = b"q%05dz" % number
        yield Payload(identifier, name, (raw + BEHIND).replace(HERE, identifier))
