"""Units of evidence: one client's one canonical request in one window is one trial, judged by the worst that happened in it.

Counting every request instead claims parity wrongly in up to 98 % of runs, because bursts of one client are all right or all wrong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from traffic.message import Request, first_header
from traffic.outcome import CandidateError, Verdict

SHAPE_BODY_CAP = 65_536
_PAGING = frozenset({"page", "limit", "offset", "cursor", "page_size", "per_page"})
_GOOD = frozenset({str(Verdict.MATCH), str(Verdict.TOLERATED)})
_BAD = frozenset({str(Verdict.MISMATCH), "candidate_error", *(f"candidate_error:{reason}" for reason in CandidateError)})


def unit_key(shape: str, client: str, canonical: str) -> str:
    """32 hex digits for (shape, client bucket, canonical request). The window is not part of it."""
    return _digest([shape, client, canonical])


def unit_of(request: Request, route: str, primary_status: int | None, client: str) -> str:
    """The unit's key straight from an exchange; `client` is `traffic.client.client_key`'s."""
    return unit_key(shape_of(request, route, primary_status), client, canonical_request(request))


def canonical_request(request: Request) -> str:
    """Equal for requests that ask the same: method, raw path, query pairs in any order, content type and body."""
    pairs = sorted(request.query.split(b"&")) if request.query else []
    content_type = first_header(request.headers, b"content-type") or b""
    parts = [request.method.encode("utf-8", "surrogatepass"), request.path, content_type, *pairs]
    outer = hashlib.sha256()
    for part in (*parts, request.body):
        outer.update(len(part).to_bytes(8, "big"))
        outer.update(part)
    return outer.hexdigest()[:32]


def shape_of(request: Request, route: str, primary_status: int | None) -> str:
    """16 hex digits for the kind of request: names and types, never values. Bodies over 64 KiB count by their content type only."""
    names: dict[str, int] = {}
    for pair in request.query.split(b"&") if request.query else []:
        name = pair.partition(b"=")[0].decode("latin-1")
        names[name] = names.get(name, 0) + 1
    content_type = (first_header(request.headers, b"content-type") or b"").partition(b";")[0].strip().lower().decode("latin-1")
    known = any(name.lower() in (b"authorization", b"cookie") for name, _ in request.headers)
    return _digest(
        [
            request.method,
            route,
            None if primary_status is None else primary_status // 100,
            sorted((name, min(count, 2)) for name, count in names.items()),
            content_type,
            _body_shape(request.body) if "json" in content_type else None,
            known,
            any(name in _PAGING for name in names),
        ]
    )[:16]


def unit_outcome(outcomes: Iterable[str]) -> tuple[int, int]:
    """What a closed unit adds to (n, k): (1, 1) if anything in it was wrong, (1, 0) if all was well, (0, 0) if nothing was evidence.

    Outcomes are verdicts, or `candidate_error` with or without `:reason`. Order and repetition do not matter.
    """
    seen = set(outcomes)
    if seen & _BAD:
        return 1, 1
    return (1, 0) if seen & _GOOD else (0, 0)


def window_of(at: float, window_s: float) -> int:
    """The number of the window that the moment `at` (Unix seconds) falls into."""
    return int(at // window_s)


def is_closed(window: int, window_s: float, now: float) -> bool:
    """Whether the window is over; what comes later for it changes nothing."""
    return now >= (window + 1) * window_s


def kept_open(keys: Iterable[str], most: int) -> set[str]:
    """The units that stay when there are too many: those with the lowest keys, which know nothing of verdicts."""
    return set(sorted(set(keys))[: max(0, most)])


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


def _digest(parts: list[object]) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]
