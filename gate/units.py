"""Units of evidence: one client's one canonical request in one window is one trial, judged by the worst that happened in it.

Counting every request instead claims parity wrongly in up to 98 % of runs, because bursts of one client are all right or all wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from traffic.message import Request, first_header
from traffic.outcome import CandidateError, Verdict

_GOOD = frozenset({str(Verdict.MATCH), str(Verdict.TOLERATED)})
_BAD = frozenset({str(Verdict.MISMATCH), "candidate_error", *(f"candidate_error:{reason}" for reason in CandidateError)})


_LENGTH = 32


def unit_key(shape: str, client: str, canonical: str) -> str:
    """32 hex digits for (client bucket, canonical request, shape), which `unit_parts` tells apart again.

    `shape` is the 16 digits of gate.shapes. The window is not part of it. Two units of one shape have the same key once in 2**64.
    """
    return f"{_short(client)}{_short(canonical)}{shape}"


def unit_parts(unit: str) -> tuple[str, str, str]:
    """What stands for the client and for the canonical request in a unit's key, and the shape.

    A key of another length stands for a client and a request of its own, of no shape.
    """
    if len(unit) != _LENGTH:
        return unit, unit, ""
    return unit[:8], unit[8:16], unit[16:]


def unit_of(request: Request, shape: str, client: str) -> str:
    """The unit's key straight from an exchange; `client` is `traffic.client.client_key`'s."""
    return unit_key(shape, client, canonical_request(request))


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


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
