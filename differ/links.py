"""Links: the backends' own addresses fold into one, the order of a query is no part of it, named pairs may be dropped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from rules.model import Bases
from traffic.message import Request, first_header

MAX_LINK = 8_192
_ABSOLUTE = re.compile(r"https?://[^\s\"<>\\]+", re.IGNORECASE)
_HEADER_LINK = re.compile(r"<([^>]*)>([^,<]*)")
OWN = "\0own"


@dataclass(frozen=True, slots=True)
class Addresses:
    """The backends' own addresses, longest first, and the origin the client asked (empty when it is not known)."""

    bases: tuple[str, ...] = ()
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A link in comparable form. `base` is OWN for the backends' own addresses and empty for a relative link."""

    base: str
    path: str
    query: tuple[str, ...] | None
    fragment: str


def link(text: object, own: Addresses, drop: tuple[tuple[str, str], ...], *, relative: bool = False) -> Link | None:
    """The link that `text` is; None when it is none. `drop` is left out of the queries of our own links only.

    `relative` also takes links without a host, and makes the own address, the asked origin and none the same (redirect targets
    resolve against what was asked). Elsewhere the origin stays what it is: a backend's inner address in its place is a difference.
    """
    if not isinstance(text, str) or len(text) > MAX_LINK:
        return None
    if not _ABSOLUTE.fullmatch(text):
        if not relative or not text.startswith(("/", "?")) or text.startswith("//"):
            return None
        return _parts("" if relative else OWN, text, drop)
    for base in own.bases:
        if text.startswith(base) and text[len(base) : len(base) + 1] in ("", "/", "?", "#"):
            return _parts("" if relative else OWN, text[len(base) :], drop)
    if own.origin and text.startswith(own.origin) and text[len(own.origin) : len(own.origin) + 1] in ("", "/", "?", "#"):
        return _parts("" if relative else own.origin, text[len(own.origin) :], drop)
    host_end = min((at for at in (text.find(mark, 8) for mark in "/?#") if at >= 0), default=len(text))
    return _parts(text[:host_end], text[host_end:], ())


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
    scheme = first_header(request.headers, b"x-forwarded-proto")
    origin = ""
    if host and scheme in (b"http", b"https"):
        origin = f"{scheme.decode('ascii')}://{host.decode('latin-1')}"
    return Addresses(tuple(sorted({*bases.primary, *bases.candidate}, key=len, reverse=True)), origin)


def link_header(value: str, own: Addresses, drop: tuple[tuple[str, str], ...]) -> tuple[object, ...] | None:
    """A Link header (RFC 8288) as a sorted tuple of targets and parameters; None when it is none."""
    found = _HEADER_LINK.findall(value)
    if not found or len(value) > MAX_LINK:
        return None
    made = []
    for target, parameters in found:
        folded = link(target, own, drop, relative=True)
        terms = tuple(sorted(part.strip().replace('"', "") for part in parameters.split(";") if part.strip()))
        made.append((repr(folded) if folded is not None else target, terms))
    return tuple(sorted(made))


def same_resource(text: object) -> str | None:
    """RFC 3986 normal form, for `normalise as url`: case of scheme and host, default port, empty path, percent-encoding."""
    if not isinstance(text, str) or not 3 < len(text) <= MAX_LINK:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname:
        return None
    default = {"http": 80, "https": 443, "ftp": 21, "ws": 80, "wss": 443}.get(parts.scheme.lower())
    host = parts.hostname.lower() + (f":{port}" if port is not None and port != default else "")
    user = parts.netloc.rpartition("@")[0]
    query = "&".join(sorted(parts.query.split("&"))) if parts.query else ""
    try:
        path, query, fragment = (_percent(part) for part in (parts.path or "/", query, parts.fragment))
    except UnicodeEncodeError:
        return None
    return f"{parts.scheme.lower()}://{user}@{host}{path}?{query}#{fragment}"


_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")


def _percent(text: str) -> str:
    unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

    def plain(found: re.Match[str]) -> str:
        character = chr(int(found[1], 16))
        return character if character in unreserved else f"%{found[1].upper()}"

    return quote(_ESCAPE.sub(plain, text), safe="%:/?#[]@!$&'()*+,;=~-._")
