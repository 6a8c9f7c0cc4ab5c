"""The bytes of one request of HTTP/1.1. What would be read in two ways is refused; all else goes out as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

import httpx

_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"/[\x21-\x7e\x80-\xff]*")
_HEADERS = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\r\n\0]*\r\n)*")


def sendable(method: str, target: bytes) -> bool:
    """Whether a request line can hold this method and target: a token, and a path (or `*`) without blanks and control characters."""
    if _METHOD.fullmatch(method) is None:
        return False
    return _TARGET.fullmatch(target) is not None or (target == b"*" and method == "OPTIONS")


def wire_request(method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    """The request as it is sent. The headers say how `body` is framed. Raises httpx.LocalProtocolError."""
    if not sendable(method, target):
        raise httpx.LocalProtocolError("no request line can hold this method and target")
    lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    # A pair that holds a line end makes more lines than there are pairs, or one that is no header.
    if lines.count(b"\n") != len(headers) or _HEADERS.fullmatch(lines) is None:
        raise httpx.LocalProtocolError("no header line can hold one of these headers")
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method.encode("ascii"), target, lines, body)
