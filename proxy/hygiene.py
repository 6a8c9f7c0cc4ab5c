"""What a request's and an answer's head must look like before it passes on. Fidelity first: all else stays byte for byte."""

from __future__ import annotations

import re

from traffic.message import Headers

_UNSAFE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # a tab is allowed in a value; CR and LF also reject folded lines
_PERSISTENCE = re.compile(rb"close|keep-alive", re.IGNORECASE)
_VERSIONS = (b"HTTP/1.0", b"HTTP/1.1")
MAX_HEADERS = 200


def fault_of(method: bytes, target: bytes, version: bytes, headers: Headers) -> str | None:
    """Why this request must not pass (backends would disagree on it), or None. The text holds nothing the client sent."""
    if version not in _VERSIONS:
        return "HTTP version"
    if not target.startswith(b"/") and not (target == b"*" and method == b"OPTIONS"):
        return "request target"
    if _UNSAFE.search(target) or b" " in target:
        return "request target"
    if len(headers) > MAX_HEADERS:
        return "number of headers"
    hosts = 0
    for name, value in headers:
        if _UNSAFE.search(value) or _UNSAFE.search(name):
            return "control character in a header"
        hosts += name.lower() == b"host"
    if hosts > 1:
        return "more than one Host"
    return None


def without_control_headers(headers: Headers) -> Headers:
    """The headers without `X-Paritygate-*`, in either spelling: these are ours alone."""
    if not any(name[:1] in b"xX" for name, _ in headers):
        return headers
    return tuple(pair for pair in headers if not pair[0].lower().replace(b"_", b"-").startswith(b"x-paritygate-"))


def mended_request(headers: Headers) -> Headers:
    """`Connection: Close` in lower case (mitmproxy reads no other), and no upgrade to an HTTP/2 that we could not carry."""
    h2c = any(name.lower() == b"upgrade" and value.strip().lower() == b"h2c" for name, value in headers)
    unwanted = (b"upgrade", b"http2-settings", b"connection") if h2c else ()
    return tuple(_mended(pair) for pair in headers if not (h2c and pair[0].lower() in unwanted))


def mended_answer(headers: Headers, closing: bool) -> Headers:
    """The same for an answer; `closing` tells the client to come back on another connection."""
    if closing:
        headers = (*(p for p in headers if p[0].lower() not in (b"connection", b"keep-alive")), (b"Connection", b"close"))
    return tuple(_mended(pair) for pair in headers)


def _mended(pair: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = pair
    if len(name) == 10 and name.lower() == b"connection" and not value.islower() and _PERSISTENCE.search(value):
        return name, value.lower()
    return pair
