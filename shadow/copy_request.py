"""What the copy of a request looks like on the wire: the client's own headers, minus one hop's, plus the signed marker."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

from traffic.message import Headers, Request

MARKER = b"X-Paritygate-Shadow"
_MARKER = MARKER.lower()
_OURS = b"x-paritygate-"
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"upgrade",
        b"expect",  # the body is complete: waiting for 100 Continue would only cost a deadline
    }
)
_NEVER_DROPPED = frozenset({b"host", b"content-length", b"transfer-encoding"})
_SPECIAL = _HOP_BY_HOP | {b"host", b"content-length", b"transfer-encoding", b"traceparent"}
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")


class Unsendable(Exception):
    """A body whose framing this client does not speak."""


class Looped(Exception):
    """The request is a copy of ours already: copying it again would run in a circle."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The headers of a copy, and its body with the transfer coding that they name."""

    headers: Headers
    body: bytes


def marker_value(key: bytes, hop: int = 1) -> bytes:
    """The value of `X-Paritygate-Shadow`: `v1;<hop>;<mac>`, by which backends and proxies of ours know a copy."""
    text = f"v1;{hop}"
    mac = hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()[:32]
    return f"{text};{mac}".encode("ascii")


def is_marker(value: bytes, key: bytes) -> bool:
    """Whether `value` was made with this key, for whatever hop."""
    version, _, rest = value.partition(b";")
    hop = rest.partition(b";")[0]
    if version != b"v1" or not hop.isdigit() or len(hop) > 4:
        return False
    return hmac.compare_digest(value, marker_value(key, int(hop)))


def is_whole(request: Request) -> bool:
    """Whether the body is as long as the client said."""
    for name, value in request.headers:
        if len(name) == 14 and name.lower() == b"content-length":
            return _says(value, len(request.body))
    return True


class CopyWriter:
    """Makes copies. `host` is used only where the client sent none; `new_span` gives 16 hex digits."""

    def __init__(self, key: bytes, host: bytes, new_span: Callable[[], str]) -> None:
        self._key, self._host, self._new_span = key, host, new_span
        self._marker = (MARKER, marker_value(key))

    def copy(self, request: Request) -> Copy:
        """The copy of `request`; everything that is not one hop's stays byte for byte and in its place. Raises Unsendable or Looped."""
        kept: list[tuple[bytes, bytes]] = []
        named: set[bytes] = set()
        has_host = sized = chunked = False
        size = len(request.body)
        for pair in request.headers:
            name, value = pair
            lowered = name.lower()
            if lowered not in _SPECIAL:
                if lowered[:1] == b"x" and lowered.replace(b"_", b"-").startswith(_OURS):
                    if lowered == _MARKER and is_marker(value, self._key):
                        raise Looped
                    continue
            elif lowered == b"host":
                has_host = True
            elif lowered == b"content-length":
                if sized:
                    continue
                sized = True
                if not _says(value, size):  # the bridge may have changed it
                    pair = (name, b"%d" % size)
            elif lowered == b"transfer-encoding":
                if chunked or value.strip().lower() != b"chunked":
                    raise Unsendable
                chunked = True
            elif lowered == b"traceparent":
                pair = (name, self._child(value))
            else:
                if lowered == b"connection":
                    named.update(part.strip().lower() for part in value.split(b","))
                continue
            kept.append(pair)
        named -= _NEVER_DROPPED
        if named - {b"keep-alive", b"close"}:
            kept = [pair for pair in kept if pair[0].lower() not in named]
        if chunked and sized:
            kept = [pair for pair in kept if pair[0].lower() != b"content-length"]
        if not has_host:
            kept.insert(0, (b"Host", self._host))
        if size and not sized and not chunked:
            kept.append((b"Content-Length", b"%d" % size))
        kept.append(self._marker)
        return Copy(tuple(kept), _chunks(request.body) if chunked else request.body)

    def _child(self, value: bytes) -> bytes:
        found = _TRACEPARENT.fullmatch(value.strip())
        if found is None:
            return value
        return b"-".join((found.group(1), found.group(2), self._new_span().encode("ascii"), found.group(3)))


def _says(value: bytes, size: int) -> bool:
    return value.isdigit() and len(value) < 20 and int(value) == size


def _chunks(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
