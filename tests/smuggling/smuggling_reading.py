"""The one reading that is right: what a connection's bytes say by RFC 9112 and nothing more lenient.

Written apart from the proxy's own grammar on purpose: it judges what the proxy has sent.
"""

from __future__ import annotations

from dataclasses import dataclass

_TCHAR = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_VALUE = frozenset([9, *range(32, 127), *range(128, 256)])


class Ambiguous(Exception):
    """Bytes that some server might read in another way."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One request. `complete` is False where the connection ended in the middle of its body."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    complete: bool
    size: int

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]


def requests_in(stream: bytes) -> list[Reading]:
    """The requests of one connection. Raises Ambiguous; half a head at the end is ambiguous too."""
    found = []
    while stream:
        reading = _one(stream)
        found.append(reading)
        stream = stream[reading.size :]
    return found


def _one(stream: bytes) -> Reading:
    head, empty, rest = stream.partition(b"\r\n\r\n")
    if not empty:
        raise Ambiguous(f"a head without its end: {head[:200]!r}")
    line, *lines = head.split(b"\r\n")
    parts = line.split(b" ")
    if len(parts) != 3 or parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise Ambiguous(f"request line {line!r}")
    method, target, version = parts
    if not method or not _TCHAR.issuperset(method) or method != method.upper():
        raise Ambiguous(f"method {method!r}")
    if not target.startswith(b"/") and (target, method) != (b"*", b"OPTIONS"):
        raise Ambiguous(f"target {target!r}")
    if any(byte <= 32 or byte in (35, 127) for byte in target):
        raise Ambiguous(f"target {target!r}")
    headers = []
    for each in lines:
        name, colon, value = each.partition(b":")
        if not colon or not name or not _TCHAR.issuperset(name) or not _VALUE.issuperset(value):
            raise Ambiguous(f"field {each!r}")
        headers.append((name, value.strip(b" \t")))
    body, size, complete = _body(tuple(headers), version, rest)
    return Reading(method, target, tuple(headers), body, complete, len(head) + 4 + size)


def _body(headers: tuple[tuple[bytes, bytes], ...], version: bytes, rest: bytes) -> tuple[bytes, int, bool]:
    named = [name.lower() for name, _ in headers]
    if named.count(b"host") > 1 or (version == b"HTTP/1.1" and b"host" not in named):
        raise Ambiguous(f"{named.count(b'host')} Hosts")
    lengths = [value for name, value in headers if name.lower() == b"content-length"]
    codings = [value for name, value in headers if name.lower() == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1 or (codings and (version != b"HTTP/1.1" or codings[0].lower() != b"chunked")):
        raise Ambiguous(f"framed by {lengths} and {codings}")
    if codings:
        return _chunks(rest)
    if not lengths:
        return b"", 0, True
    if not lengths[0].isdigit() or (lengths[0] != b"0" and lengths[0].startswith(b"0")) or len(lengths[0]) > 18:
        raise Ambiguous(f"length {lengths[0]!r}")
    length = int(lengths[0])
    return rest[:length], min(length, len(rest)), len(rest) >= length


def _chunks(rest: bytes) -> tuple[bytes, int, bool]:
    body, at = b"", 0
    while True:
        end = rest.find(b"\r\n", at)
        if end < 0:
            if not set(rest[at:]) <= set(b"0123456789abcdef\r"):
                raise Ambiguous(f"chunk header {rest[at : at + 40]!r}")
            return body, len(rest), False
        size = rest[at:end]
        if not size or not set(size) <= set(b"0123456789abcdef") or len(size) > 15:
            raise Ambiguous(f"chunk header {size!r}")
        if int(size, 16) == 0:
            return _trailers(rest, end + 2, body)
        data = rest[end + 2 : end + 2 + int(size, 16)]
        at = end + 2 + int(size, 16) + 2
        if len(rest) < at:
            return body + data, len(rest), False
        if rest[at - 2 : at] != b"\r\n":
            raise Ambiguous(f"a chunk's end {rest[at - 2 : at]!r}")
        body += data


def _trailers(rest: bytes, at: int, body: bytes) -> tuple[bytes, int, bool]:
    if rest[at : at + 2] == b"\r\n":
        return body, at + 2, True
    end = rest.find(b"\r\n\r\n", at)
    if end < 0:
        return body, len(rest), False
    for line in rest[at:end].split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon or not name or not _TCHAR.issuperset(name) or not _VALUE.issuperset(value):
            raise Ambiguous(f"trailer {line!r}")
        if name.lower() in (b"content-length", b"transfer-encoding", b"host", b"x-forwarded-for"):
            raise Ambiguous(f"trailer {line!r}")
    return body, end + 4, True
