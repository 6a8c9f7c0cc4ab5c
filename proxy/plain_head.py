"""The heads that the plain path takes: the common forms and nothing else. Whatever is not matched here goes mitmproxy's way.

Each grammar is a strict subset of RFC 9112's, so that no two readers can disagree on what it takes. The patterns are linear:
no two neighbouring repetitions share a character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from traffic.message import Headers

MAX_HEADERS = 100
MAX_HEAD = 32 * 1024

_FIELDS = rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
_REQUEST = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]*) HTTP/1\.1\r\n" + _FIELDS
)
_RESPONSE = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)\r\n" + _FIELDS)
_HOST = re.compile(rb"[A-Za-z0-9.\-]+(?::[0-9]{1,5})?")
_NOT_IN_REQUEST = frozenset(
    (b"transfer-encoding", b"expect", b"upgrade", b"http2-settings", b"trailer", b"te", b"proxy-connection", b"keep-alive")
)
_NOT_IN_RESPONSE = frozenset((b"transfer-encoding", b"upgrade", b"trailer", b"proxy-connection"))


@dataclass(slots=True)
class RequestHead:
    """A request's head. `size` is the head's length in bytes, `length` the body's."""

    method: bytes
    target: bytes
    headers: Headers
    size: int
    length: int


@dataclass(slots=True)
class ResponseHead:
    """An answer's head. `size` is the head's length in bytes, `length` the declared one, None where there is none."""

    status: int
    reason: bytes
    headers: Headers
    size: int
    length: int | None


def request_head(data: bytes) -> RequestHead | None:
    """The head at the beginning of `data`, None unless it is complete and plain: HTTP/1.1, origin-form, one Host, no framing but a
    Content-Length, persistent, nothing to negotiate."""
    found = _REQUEST.match(data, 0, MAX_HEAD)
    if found is None:
        return None
    fields = _fields(found[3])
    names = [name.lower() for name, _ in fields]
    if len(fields) > MAX_HEADERS or not _NOT_IN_REQUEST.isdisjoint(names) or names.count(b"host") != 1:
        return None
    if not _HOST.fullmatch(fields[names.index(b"host")][1]) or not _persists(names, fields):
        return None
    length = _length(names, fields)
    if length is None:
        if b"content-length" in names:
            return None
        length = 0
    return RequestHead(found[1], found[2], fields, found.end(), length)


def response_head(data: bytes) -> ResponseHead | None:
    """The head at the beginning of `data`, None unless it is complete and plain: HTTP/1.1, final, persistent, framed by nothing but
    a Content-Length."""
    found = _RESPONSE.match(data, 0, MAX_HEAD)
    if found is None:
        return None
    fields = _fields(found[3])
    names = [name.lower() for name, _ in fields]
    if len(fields) > MAX_HEADERS or not _NOT_IN_RESPONSE.isdisjoint(names) or not _persists(names, fields):
        return None
    length = _length(names, fields)
    if length is None and b"content-length" in names:
        return None
    return ResponseHead(int(found[1]), found[2], fields, found.end(), length)


def _fields(block: bytes) -> Headers:
    pairs = [line.partition(b":") for line in block.split(b"\r\n")]
    del pairs[-1]
    return tuple([(name, value.strip(b" \t")) for name, _, value in pairs])


def _persists(names: list[bytes], fields: Headers) -> bool:
    if b"connection" not in names:
        return True
    return names.count(b"connection") == 1 and fields[names.index(b"connection")][1] in (b"keep-alive", b"Keep-Alive")


def _length(names: list[bytes], fields: Headers) -> int | None:
    if names.count(b"content-length") != 1:
        return None
    value = fields[names.index(b"content-length")][1]
    return int(value) if value.isdigit() and len(value) < 16 and (value == b"0" or value[0] != 48) else None
