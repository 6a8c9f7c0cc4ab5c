"""The shape of a request: its kind, by names and types and never by values (gate reference 2c)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from traffic.message import Request, first_header

VERSION = "2"
"""Names the meaning of a shape; the catalogue of shapes begins anew with another one."""
SHAPE_BODY_CAP = 65_536
MAX_TEXT = 200
"""Characters of a description."""
_PAGING = frozenset({"page", "limit", "offset", "cursor", "page_size", "per_page"})


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of request. `digest` is 16 hex digits, `status_class` the first digit of the primary's status, 0 without an answer.

    `text` describes it: names that clients chose, so it has to be redacted before it is kept.
    """

    digest: str
    status_class: int
    text: str


def shape_of(request: Request, route: str, primary_status: int | None) -> Shape:
    """The shape of a request of `route`. Bodies over 64 KiB count by their content type only."""
    names: dict[str, int] = {}
    for pair in request.query.split(b"&") if request.query else []:
        name = pair.partition(b"=")[0].decode("latin-1")
        names[name] = names.get(name, 0) + 1
    content_type = (first_header(request.headers, b"content-type") or b"").partition(b";")[0].strip().lower().decode("latin-1")
    known = any(name.lower() in (b"authorization", b"cookie") for name, _ in request.headers)
    paged = any(name in _PAGING for name in names)
    status_class = 0 if primary_status is None else primary_status // 100
    repeated = sorted((name, min(count, 2)) for name, count in names.items())
    body = _body_shape(request.body) if "json" in content_type else None
    parts = [VERSION, request.method, route, status_class, repeated, content_type, body, known, paged]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
    return Shape(digest, status_class, _described(status_class, repeated, content_type, body, known))


def _described(status_class: int, names: list[tuple[str, int]], content_type: str, body: object, known: bool) -> str:
    """`2xx ?page&tag+ application/json{name,price} known client`; `+` marks a name that stands twice or more."""
    parts = [f"{status_class}xx" if status_class else "no answer"]
    if names:
        parts.append("?" + "&".join(f"{name}+" if count > 1 else name for name, count in names))
    if content_type:
        parts.append(content_type + ("{" + ",".join(body) + "}" if isinstance(body, dict) else ""))
    parts.append("known client" if known else "unknown client")
    return " ".join(parts)[:MAX_TEXT]


def _body_shape(body: bytes) -> object:
    if not body or len(body) > SHAPE_BODY_CAP:
        return "empty" if not body else "large"
    try:
        return _type_of(json.loads(body), 2)
    except (ValueError, RecursionError):
        return "invalid"


def _type_of(value: object, depth: int) -> object:
    if isinstance(value, dict):
        if depth == 0:
            return "object"
        return {str(key): _type_of(entry, depth - 1) for key, entry in sorted(value.items())[:64]}
    if isinstance(value, list):
        return ["array", min(len(value), 2), _type_of(value[0], depth - 1) if value and depth else None]
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "boolean"
    return "number" if isinstance(value, int | float) else "string"
