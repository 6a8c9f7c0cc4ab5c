"""What a request's and an answer's head must look like before it passes on. Fidelity first: all else stays byte for byte."""

from __future__ import annotations

import re

from traffic.message import Headers

_UNSAFE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # a tab is allowed in a value; CR and LF also reject folded lines
_UPGRADE = (b"upgrade", b"http2-settings")
_HIDING = re.compile(rb"h2|http/|tls")
_VERSIONS = (b"HTTP/1.0", b"HTTP/1.1")
MAX_HEADERS = 200
_FRAMING = frozenset(
    (b"transfer-encoding", b"content-length", b"host", b"connection", b"keep-alive", b"te", b"trailer", b"upgrade", b"expect")
)
_OF_REQUESTS = frozenset(
    (b"forwarded", b"x-real-ip", b"authorization", b"proxy-authorization", b"cookie", b"content-type", b"content-encoding")
)
"""RFC 9110 6.5.1: what frames, routes, authenticates or describes a message has no place behind it."""


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
    """No upgrade to another HTTP or to TLS, which would hide what follows from us, nor one of a request with a body: httptools takes
    such a body for the other protocol's."""
    named = {name.lower(): value.strip().lower() for name, value in headers}
    asked = b",".join(value.lower() for name, value in headers if name.lower() == b"upgrade")
    if not asked or not (_HIDING.search(asked) or b"transfer-encoding" in named or named.get(b"content-length", b"0") != b"0"):
        return headers
    kept = ((name, _without_upgrade(value) if name.lower() == b"connection" else value) for name, value in headers)
    return tuple(pair for pair in kept if pair[0].lower() not in _UPGRADE and (pair[1] or pair[0].lower() != b"connection"))


def _without_upgrade(options: bytes) -> bytes:
    kept = (option.strip() for option in options.split(b",") if option.strip().lower() not in _UPGRADE)
    return b", ".join(option for option in kept if option)


def passing_trailers(trailers: Headers, from_client: bool) -> Headers | None:
    """The trailers that may pass. One that would change its message is taken from an answer; a request with one is refused (None):
    servers that make trailers headers would let it past everything that was decided and stamped at the head."""
    kept = tuple(pair for pair in trailers if not _changes_message(pair[0].lower().replace(b"_", b"-"), from_client))
    return None if from_client and len(kept) < len(trailers) else kept


def _changes_message(name: bytes, from_client: bool) -> bool:
    if name in _FRAMING or name.startswith(b"x-paritygate-"):
        return True
    return from_client and (name in _OF_REQUESTS or name.startswith(b"x-forwarded-"))


def mended_answer(headers: Headers, closing: bool) -> Headers:
    """An answer's headers; `closing` tells the client to come back on another connection."""
    if closing:
        headers = (*(p for p in headers if p[0].lower() not in (b"connection", b"keep-alive")), (b"Connection", b"close"))
    return headers
