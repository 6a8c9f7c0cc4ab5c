"""An answer's head as a client of the backend would read it: odd but unambiguous forms pass, and what clients would disagree on does not.

Backends are less careful than RFC 9112 asks for, and their clients have put up with it. So this reads what can be read in one way
only, and says with ValueError what cannot.
"""

from __future__ import annotations

import re

from traffic.message import Headers

UNTIL_CLOSE = -1
"""As a length: the body ends with its connection."""

_STATUS_LINE = re.compile(rb"(HTTP/[0-9]\.[0-9])[\t ]+([0-9]{3})(?:[\t ]([^\x00\r\n]*))?[\t ]*")
_NO_NAME = re.compile(rb"[\x00-\x20\x7f]")
_NO_VALUE = re.compile(rb"[\x00\r\n]")
_LENGTH = re.compile(rb"[0-9]{1,18}")


def read_head(lines: list[bytes]) -> tuple[bytes, int, bytes, Headers]:
    """Version, status, reason and fields of a head's lines (without their ends). A folded value gets blanks for its folds, a blank
    before a colon goes, and so do control characters that would end a line elsewhere (RFC 9112 5, RFC 9110 5.5). Raises ValueError.
    """
    found = _STATUS_LINE.fullmatch(lines[0])
    if found is None:
        raise ValueError("no status line")
    fields: list[tuple[bytes, bytes]] = []
    for line in lines[1:]:
        if line[:1] in (b" ", b"\t"):
            if not fields:
                raise ValueError("a folded line before the first field")
            name, before = fields[-1]
            fields[-1] = (name, before + b" " + _NO_VALUE.sub(b" ", line.strip()))
            continue
        name, colon, value = line.partition(b":")
        name = name.rstrip(b"\t ")
        if not colon or not name or _NO_NAME.search(name.replace(b" ", b"")):
            raise ValueError("a line that is no field")
        fields.append((name, _NO_VALUE.sub(b" ", value.strip(b"\t "))))
    return found[1], int(found[2]), found[3] or b"", tuple(fields)


def framed(fields: Headers) -> tuple[Headers, bool]:
    """The fields with one framing only, and whether its connections must end with this answer. Equal lengths become one; of a
    length beside a transfer coding the coding holds (RFC 9112 6.3). Raises ValueError where there is no telling."""
    names = [name.lower() for name, _ in fields]
    lengths = names.count(b"content-length")
    if lengths and _codings(fields):
        return tuple(pair for pair, name in zip(fields, names, strict=True) if name != b"content-length"), True
    if not lengths:
        return fields, False
    found = [value for (_, value), name in zip(fields, names, strict=True) if name == b"content-length"]
    if lengths == 1 and _LENGTH.fullmatch(found[0]):
        return fields, False
    length = _one_length(b",".join(found))
    first = names.index(b"content-length")
    kept = (
        (name, length if i == first else value)
        for i, (name, value) in enumerate(fields)
        if i == first or names[i] != b"content-length"
    )
    return tuple(kept), False


def body_length(method: bytes, status: int, fields: Headers) -> int | None:
    """Bytes of the body that follows: None when it is chunked, UNTIL_CLOSE when its connection's end is its own. Methods are
    case-sensitive: `head` is not HEAD. Raises ValueError."""
    if method == b"HEAD" or status < 200 or status in (204, 304):
        return 0
    codings = _codings(fields)
    if codings:
        if b"chunked" in b",".join(codings[:-1]) or (b"chunked" in codings[-1] and codings[-1] != b"chunked"):
            raise ValueError("chunked is not the last transfer coding")
        return None if codings[-1] == b"chunked" else UNTIL_CLOSE
    for name, value in fields:
        if name.lower() == b"content-length":
            return int(_one_length(value))
    return UNTIL_CLOSE


def says_close(version: bytes, fields: Headers) -> bool:
    """Whether the connection ends with the message that has these fields, in any spelling (RFC 9112 9.3)."""
    options = [o.strip(b"\t ").lower() for n, v in fields if n.lower() == b"connection" for o in v.split(b",")]
    return b"close" in options or (version in (b"HTTP/1.0", b"HTTP/0.9") and b"keep-alive" not in options)


def _codings(fields: Headers) -> list[bytes]:
    found = [c.strip(b"\t ").lower() for n, v in fields if n.lower() == b"transfer-encoding" for c in v.split(b",")]
    return [coding for coding in found if coding not in (b"", b"identity")]


def _one_length(value: bytes) -> bytes:
    lengths = [length.strip(b"\t ") for length in value.split(b",")]
    if any(_LENGTH.fullmatch(length) is None for length in lengths) or len({int(length) for length in lengths}) > 1:
        raise ValueError("a length that is none")
    return lengths[0]
