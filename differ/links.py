"""Links: the backends' own addresses fold into one, the order of a query is no part of it, named pairs may be dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit

from rules.model import Bases
from traffic.message import Request, first_header

MAX_LINK = 8_192
_ABSOLUTE = re.compile(r"https?://[^\s\"<>\\]+", re.IGNORECASE)
_HEADER_LINK = re.compile(
    r'[\s,]*+<([^>]*+)>((?>(?:\s*+;\s*+[^\s=;,"]++(?>(?:\s*+=\s*+(?:"(?>(?:[^"\\]|\\.)*)"|[^\s;,"]++))?))*))\s*+(?=,|\Z)'
)
_PARAMETER = re.compile(r';\s*+([^\s=;,"]++)(?>(?:\s*+=\s*+(?:"((?>(?:[^"\\]|\\.)*))"|([^\s;,"]++)))?)')
OWN = "\0own"
_AFTER = ("", "/", "?", "#")


@dataclass(frozen=True, slots=True)
class Addresses:
    """The backends' own addresses, longest first, and the origin the client asked (empty when it is not known)."""

    bases: tuple[str, ...] = ()
    origin: str = ""
    primary: tuple[str, ...] = ()
    candidate: tuple[str, ...] = ()

    @property
    def asked_directly(self) -> bool:
        """Whether the client may have asked a backend at its own address: then that address is no inner one to it."""
        return not self.origin or any(_under(base, self.origin) for base in self.bases)


@dataclass(frozen=True, slots=True)
class Link:
    """A link in comparable form. `base` is OWN for the backends' own addresses and empty for a relative link."""

    base: str
    path: str
    query: tuple[str, ...] | None
    fragment: str


def link(text: object, own: Addresses, drop: tuple[tuple[str, str], ...]) -> Link | None:
    """The link that `text` is; None when it is none. `drop` is left out of the queries of our own links only.

    The asked origin stays what it is: a backend's inner address in its place is a difference.
    """
    return _read(text, ((own.bases, OWN), ((own.origin,), own.origin)), drop)


def same_below(a: str, b: str, own: Addresses) -> bool:
    """Whether two texts are links to the same resource below the backends' own addresses, spelled alike but for the address."""
    for base in own.bases:
        if a.startswith(base):
            rest = a[len(base) :]
            return rest[:1] in _AFTER and any(base + rest == b for base in own.bases) and _ABSOLUTE.fullmatch(a) is not None
    return False


Order = tuple[tuple[tuple[str, ...], str], ...]
"""Addresses and what stands for them in a comparable link, the first that fits counts."""


def readings(own: Addresses) -> Iterator[tuple[Order, Order]]:
    """How to read the targets in the two answers' headers, the primary's first; targets are one where any reading is equal.

    A target resolves against what the client asked, so the asked origin and none are the same, and the backends' own addresses
    are one. An own address and none are the same only where the client may have asked at that address (`asked_directly`), and
    only in the answer of the backend it belongs to: elsewhere it sends clients to an address that they cannot reach.
    """
    inner, asked = (own.bases, OWN), ((own.origin,), "")
    yield (inner, asked), (inner, asked)
    yield (asked, inner), (asked, inner)
    if own.asked_directly:
        yield ((own.primary, ""), inner, asked), ((own.candidate, ""), inner, asked)


def target(text: str, order: Order, drop: tuple[tuple[str, str], ...] = ()) -> Link | None:
    """The target of a header under one reading, with or without a host; None when it is none."""
    return _read(text, order, drop, "")


def _read(text: object, order: Order, drop: tuple[tuple[str, str], ...], relative: str | None = None) -> Link | None:
    """`text` as a link; `relative` is the base of one without a host, which is no link where that is None."""
    if not isinstance(text, str) or len(text) > MAX_LINK:
        return None
    if not _ABSOLUTE.fullmatch(text):
        if relative is None or not text.startswith(("/", "?")) or text.startswith("//"):
            return None
        return _parts(relative, text, drop)
    for prefixes, base in order:
        for prefix in prefixes:
            if prefix and _under(text, prefix):
                return _parts(base, text[len(prefix) :], drop)
    host_end = min((at for at in (text.find(mark, 8) for mark in "/?#") if at >= 0), default=len(text))
    return _parts(text[:host_end], text[host_end:], ())


def _under(text: str, prefix: str) -> bool:
    return text.startswith(prefix) and text[len(prefix) : len(prefix) + 1] in _AFTER


def _parts(base: str, rest: str, drop: tuple[tuple[str, str], ...]) -> Link:
    rest, hash_mark, fragment = rest.partition("#")
    path, question, query = rest.partition("?")
    if not question:
        return Link(base, path, None, hash_mark + fragment)
    pairs = query.split("&")
    kept = sorted(pair for pair in pairs if tuple(pair.partition("=")[::2]) not in drop)
    return Link(base, path, None if not kept and len(pairs) > len(kept) else tuple(kept), hash_mark + fragment)


def addresses(bases: Bases, request: Request) -> Addresses:
    """Both sides' addresses (either side may name either backend), and what the client asked.

    The origin counts only where both its parts are known, as they are behind the proxy: a redirect from https to http is no match.
    """
    host = first_header(request.headers, b"host")
    scheme = (first_header(request.headers, b"x-forwarded-proto") or b"").partition(b",")[0].strip().lower()
    origin = ""
    if host and scheme in (b"http", b"https"):
        origin = f"{scheme.decode('ascii')}://{host.decode('latin-1')}"
    return Addresses(
        _longest_first(bases.primary + bases.candidate), origin, *map(_longest_first, (bases.primary, bases.candidate))
    )


@lru_cache(maxsize=64)
def _longest_first(bases: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(bases), key=lambda base: (-len(base), base)))


def link_header(value: str, order: Order) -> tuple[object, ...] | None:
    """A Link header (RFC 8288) under one reading as a sorted tuple of targets and parameters; None when it is none."""
    if len(value) > MAX_LINK:
        return None
    made, at = [], 0
    while found := _HEADER_LINK.match(value, at):
        folded = target(found[1], order)
        # of one parameter given twice the first counts: the sort keeps their order
        terms = sorted(((name.lower(), quoted or plain) for name, quoted, plain in _PARAMETER.findall(found[2])), key=_first)
        made.append((repr(folded) if folded is not None else found[1], tuple(terms)))
        at = found.end()
    return tuple(sorted(made)) if made and not value[at:].strip(" \t,") else None


def _first(pair: tuple[str, str]) -> str:
    return pair[0]


def same_resource(text: object) -> str | None:
    """RFC 3986 normal form, for `normalise as url`: case of scheme and host, default port, empty path, percent-encoding."""
    if not isinstance(text, str) or not 3 < len(text) <= MAX_LINK or _STRIPPED.search(text):
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname:
        return None
    default = {"http": 80, "https": 443, "ftp": 21, "ws": 80, "wss": 443}.get(parts.scheme.lower())
    name = f"[{parts.hostname.lower()}]" if ":" in parts.hostname else parts.hostname.lower()
    host = name + (f":{port}" if port is not None and port != default else "")
    user = parts.netloc.rpartition("@")[0]
    query = "&".join(sorted(parts.query.split("&"))) if parts.query else ""
    try:
        path, query, fragment = (_percent(part) for part in (parts.path or "/", query, parts.fragment))
    except UnicodeEncodeError:
        return None
    marks = text.partition("#")
    return f"{parts.scheme.lower()}://{user}@{host}{path}{'?' if '?' in marks[0] else ''}{query}{marks[1]}{fragment}"


_STRIPPED = re.compile(r"[\x00-\x1f]|^\s|\s\Z")
"""What urlsplit takes away without a word; a value that has it is no URL."""
_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")


def _percent(text: str) -> str:
    unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

    def plain(found: re.Match[str]) -> str:
        character = chr(int(found[1], 16))
        return character if character in unreserved else f"%{found[1].upper()}"

    return quote(_ESCAPE.sub(plain, text), safe="%:/?#[]@!$&'()*+,;=~-._")
