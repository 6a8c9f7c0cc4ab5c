"""Multipart bodies (RFC 2046) as their parts: the boundary is framing, like a chunk's size, and says nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_PARTS = 1_000
MAX_HEADERS = 16 << 10
"""Bytes of one part's headers that are read."""
_BOUNDARY = re.compile(r";\s*boundary\s*=\s*(?:\"([^\"\\]{1,70})\"|([^\s;\",]{1,70}))\s*(?:;|\Z)", re.I)
_END = b"\r\n"


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its headers by lower-case name in the order of names, values as they stand, and its bytes."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


def boundary_of(content_type: str) -> str:
    """The boundary of a multipart media type, empty where there is none."""
    if not content_type.lstrip().lower().startswith("multipart/"):
        return ""
    found = _BOUNDARY.search(content_type)
    return (found[1] or found[2] or "").rstrip() if found else ""


def parts_of(body: bytes, content_type: str) -> tuple[Part, ...] | None:
    """The parts of a body in their order, what stands before and after them left out; None when it is no such body.

    A body without its closing boundary, with more than MAX_PARTS parts, or whose first boundary is missing is none.
    """
    boundary = boundary_of(content_type)
    if not boundary:
        return None
    mark = b"--" + boundary.encode("latin-1", "replace")
    pieces = (_END + body).split(_END + mark, MAX_PARTS + 2)
    if len(pieces) < 2 or len(pieces) > MAX_PARTS + 1:
        return None
    found: list[Part] = []
    for at, piece in enumerate(pieces[1:], 1):
        if piece.startswith(b"--"):
            closed = at == len(pieces) - 1 and not piece[2:].partition(_END)[0].strip(b" \t")
            return tuple(found) if closed else None
        part = _part(piece)
        if part is None:
            return None
        found.append(part)
    return None


def _part(piece: bytes) -> Part | None:
    """A part from its boundary's line on: blanks after the boundary, headers, an empty line, the bytes."""
    padding, newline, rest = piece.partition(_END)
    if not newline or padding.strip(b" \t"):
        return None
    if rest.startswith(_END):
        return Part((), rest[len(_END) :])
    head, gap, body = rest.partition(_END * 2)
    if not gap or len(head) > MAX_HEADERS:
        return None
    headers = []
    for line in head.split(_END):
        name, colon, value = line.partition(b":")
        if not colon or not name.strip() or line[:1] in (b" ", b"\t"):
            return None
        headers.append((name.strip().lower().decode("latin-1"), value.strip().decode("latin-1")))
    return Part(tuple(sorted(headers)), body)
