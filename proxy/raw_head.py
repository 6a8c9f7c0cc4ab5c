"""A request's head, judged as bytes before anything is made of it: what servers read in more than one way goes no further.

One linear pass over the whole head (possessive repetitions: nothing is tried twice), so a lenient parser behind it never sees
what it would be lenient about: bare CR or LF, folded lines, a blank before a colon, control characters, odd versions and targets.
"""

from __future__ import annotations

import re

from traffic.outcome import Refused

MAX_HEAD = 64 * 1024
"""Bytes of a head, its empty line included."""
MAX_FIELDS = 200
"""Fields of a head."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
# Methods are case-sensitive, and mitmproxy, waitress and httptools disagree on those with small letters. Only origin-form, and
# absolute-form of which the path remains; `*` belongs to OPTIONS, and what CONNECT asks for is nothing a reverse proxy has.
# A `#` is in no target; bytes over 7F are in none either, but servers agree on them or say 400.
_HEAD = re.compile(
    rb"(?:(?!CONNECT )[!#$%&'*+.^_`|~0-9A-Z-]++ (?:/|[Hh][Tt][Tt][Pp][Ss]?://)[\x21\x22\x24-\x7e\x80-\xff]*+|OPTIONS \*)"
    rb" HTTP/1\.[01]\r\n(?>(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*)\r\n"
)
_NO_REQUEST = re.compile(rb"\r[^\n]|[^\r!#$%&'*+.^_`|~0-9A-Z-]")
_EMPTY_LINES = re.compile(rb"(?>(?:\r\n)+)")
_FRAMING = re.compile(rb"\n(host|connection|content-length|transfer-encoding):[\t ]*+([^\r]*+)")
_HOST = re.compile(rb"(?:\[[0-9a-f:.]++(?:%[0-9a-z._~%-]++)?\]|[a-z0-9._~!$&'()*+;=%-]*+)(?>(?::[0-9]*+)?)")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")
_PERSISTENCE = (b"keep-alive", b"close")
_NOT_FOR_ONE_HOP = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"content-type",
        b"content-encoding",
        b"authorization",
        b"cookie",
        b"forwarded",
        b"x-real-ip",
    )
)


def leading_empty_lines(data: bytes | bytearray) -> int:
    """How many bytes of empty lines stand before a request."""
    found = _EMPTY_LINES.match(data)
    return found.end() if found is not None else 0


def fault_of_head(head: bytes) -> Refused | None:
    """Why this complete head (its empty line included) must not pass, or None. Never raises."""
    if len(head) > MAX_HEAD or head.count(b"\n") > MAX_FIELDS + 2:
        return Refused.HEADER_LIMIT
    if _HEAD.fullmatch(head) is None:
        return Refused.MALFORMED
    lowered = head.lower()
    seen: dict[bytes, bytes] = {}
    for name, value in _FRAMING.findall(lowered):
        if name == b"connection":
            if value not in _PERSISTENCE and _names_end_to_end(value):
                return Refused.MALFORMED
        elif name in seen:  # twice the same value is a request of which a part was written by someone else
            return Refused.MALFORMED
        else:
            seen[name] = value.rstrip(b"\t ")
    return Refused.MALFORMED if _contradicts(seen, old=b" http/1.0\r\n" in lowered[: lowered.index(b"\n") + 1]) else None


def fault_of_beginning(beginning: bytes | bytearray) -> Refused | None:
    """The same for a head that is not complete yet: what can be said already."""
    if len(beginning) > MAX_HEAD or beginning.count(b"\n") > MAX_FIELDS + 1:
        return Refused.HEADER_LIMIT
    if beginning.count(b"\n") != beginning.count(b"\r\n") or _NO_REQUEST.match(beginning):  # it may never end as we wait for
        return Refused.MALFORMED
    return None


def _contradicts(seen: dict[bytes, bytes], old: bool) -> bool:
    host = seen.get(b"host")
    if host is None:
        if not old:  # RFC 9112 3.2
            return True
    elif _HOST.fullmatch(host) is None:
        return True
    length, coding = seen.get(b"content-length"), seen.get(b"transfer-encoding")
    if coding is not None:
        return old or length is not None or coding != b"chunked"
    return length is not None and _LENGTH.fullmatch(length) is None


def _names_end_to_end(options: bytes) -> bool:
    """Whether `Connection` would make a next hop take away what is meant for the backend: a way around what we have stamped."""
    for option in options.split(b","):
        name = option.strip(b"\t ").replace(b"_", b"-")
        if name in _NOT_FOR_ONE_HOP or name.startswith((b"x-forwarded-", b"x-paritygate-")):
            return True
    return False
