"""What the copy of a request looks like on the wire: the client's own headers, minus one hop's, plus the signed marker."""

from __future__ import annotations

import hashlib
import hmac
import re

from traffic.message import Headers, Request, header_values

MARKER = b"X-Paritygate-Shadow"
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
        b"transfer-encoding",
        b"upgrade",
        b"content-length",  # said again below, since the bridge may change the length
        b"expect",  # the body is complete: waiting for 100 Continue would only cost a deadline
    }
)
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")
_TARGET = re.compile(rb"/[\x21-\x7e]*")
_METHOD = re.compile(r"[A-Z][A-Z0-9_-]*")


def marker_value(key: bytes, hop: int = 1) -> bytes:
    """The value of `X-Paritygate-Shadow`: `v1;<hop>;<mac>`, by which backends and proxies of ours know a copy."""
    text = f"v1;{hop}"
    mac = hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()[:32]
    return f"{text};{mac}".encode("ascii")


def sendable(request: Request, target: bytes) -> bool:
    """Whether the HTTP client can put this method and target on the wire unchanged."""
    return _TARGET.fullmatch(target) is not None and _METHOD.fullmatch(request.method) is not None


def copy_headers(request: Request, marker: bytes, host: bytes, span: str) -> Headers:
    """The raw header list of the copy. `span` is 16 hex digits; `host` is used only where the client sent none."""
    named = {part.strip().lower() for line in header_values(request.headers, b"connection") for part in line.split(b",")}
    dropped = _HOP_BY_HOP | named
    dropped -= {b"host"}
    kept: list[tuple[bytes, bytes]] = []
    sized = bool(request.body)
    for name, value in request.headers:
        lowered = name.lower()
        if lowered == b"content-length":
            sized = True
        if lowered in dropped or lowered.startswith(_OURS):
            continue
        if lowered == b"traceparent":
            found = _TRACEPARENT.fullmatch(value.strip())
            if found:
                value = b"-".join((found.group(1), found.group(2), span.encode("ascii"), found.group(3)))
        kept.append((name, value))
    if not any(name.lower() == b"host" for name, _ in kept):
        kept.insert(0, (b"Host", host))
    if sized or request.method in ("POST", "PUT", "PATCH"):
        kept.append((b"Content-Length", str(len(request.body)).encode("ascii")))
    kept.append((MARKER, marker))
    return tuple(kept)
