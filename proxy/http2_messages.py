"""HTTP/2's messages in the words of HTTP/1.1, and back. A request becomes the HTTP/1.1 request that backends get, and is judged as
one: no request can come in over HTTP/2 that would have been refused over HTTP/1.1."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

from mitmproxy import http

from proxy.answers import own_answer
from proxy.raw_head import fault_of_head
from traffic.message import Headers
from traffic.outcome import Refused

_OF_ONE_CONNECTION = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"http2-settings")
)
_SCHEMES = (b"https", b"http")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_NO_VALUE = re.compile(rb"[\x00\r\n]")
_CHUNKED = (b"transfer-encoding", b"chunked")


def request_of(headers: Iterable[tuple[bytes, bytes]], ended: bool) -> http.Request | Refused:
    """The request that backends get, or why none does. `headers` are what h2 has validated; `ended`: there is no body.

    Host is what the client calls us, cookies are one line again, and a body of unknown length is chunked. Names stay in lower case.
    """
    pseudo: dict[bytes, bytes] = {}
    fields: list[tuple[bytes, bytes]] = []
    cookies: list[bytes] = []
    place = length = None
    for name, value in headers:
        if name[:1] == b":":
            pseudo[name] = value
        elif name == b"cookie":
            place = len(fields) if place is None else place
            cookies.append(value)
        elif name != b"host" or b":authority" not in pseudo:  # h2 has made sure that the two are equal
            fields.append((name, value))
            length = value if name == b"content-length" else length
    if place is not None:
        fields.insert(place, (b"cookie", b"; ".join(cookies)))
    if b":authority" in pseudo:
        fields.insert(0, (b"host", pseudo[b":authority"]))
    if length is None and not ended:
        fields.append(_CHUNKED)
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if not path.startswith(b"/") and (method, path) != (b"OPTIONS", b"*"):
        return Refused.MALFORMED
    if pseudo.get(b":scheme") not in _SCHEMES or (ended and length not in (None, b"0")):
        return Refused.MALFORMED
    head = b"".join([method, b" ", path, b" HTTP/1.1\r\n", *[b"%b: %b\r\n" % pair for pair in fields], b"\r\n"])
    fault = fault_of_head(head)
    if fault is not None:
        return fault
    now = time.time()
    return http.Request("", 0, method, b"", b"", path, b"HTTP/1.1", tuple(fields), None, None, now, None)


def answer_fields(status: int, headers: Headers) -> list[tuple[bytes, bytes]]:
    """A backend's head as HTTP/2 has it: names in lower case, without what concerns the backend's own connection, and without fields
    for which a client must refuse the whole answer (RFC 9113 8.2.1) though over HTTP/1.1 it would take them."""
    named = set(_OF_ONE_CONNECTION)
    for name, value in headers:
        if len(name) == 10 and name.lower() == b"connection":
            named.update(option.strip().lower() for option in value.split(b","))
    kept = [(name.lower(), value.strip(b" \t")) for name, value in headers if name.lower() not in named]
    passing = [(name, value) for name, value in kept if _NAME.fullmatch(name) and not _NO_VALUE.search(value)]
    return [(b":status", b"%d" % status), *passing]


def trailer_fields(trailers: Headers) -> list[tuple[bytes, bytes]]:
    """A backend's trailers as HTTP/2 has them."""
    return answer_fields(0, trailers)[1:]


def informational(raw: bytes) -> tuple[int, Headers]:
    """Status and headers of an informational answer's head, as its backend has sent it."""
    line, *lines = raw.split(b"\r\n")
    pairs = [line.partition(b":") for line in lines if b":" in line]
    return int(line.split(b" ")[1]), tuple((name, value) for name, _, value in pairs)


def own_answer_fields(status: int, head_only: bool) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The proxy's own answer, the same as over HTTP/1.1: its head and its body."""
    head, _, body = own_answer(status, head_only).partition(b"\r\n\r\n")
    lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    return answer_fields(status, tuple((name, value) for name, _, value in lines)), body
