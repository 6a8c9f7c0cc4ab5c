"""How much is missing of the floors that gate.coverage_guards asks for, with the share of the traffic it can come from."""

from __future__ import annotations

from dataclasses import dataclass

from gate.coverage_guards import CLASS_PARITY, FLOOR_ALPHA, SHAPE_PARITY, by_class
from gate.discovery import is_covered
from gate.facts import Evidence
from gate.parity import clean_needed
from gate.policy import Policy

MOST_REQUESTS = 10**9


@dataclass(frozen=True, slots=True)
class Lack:
    """`units` clean ones more of what is `share` of the traffic."""

    name: str
    units: int
    share: float


def lacking_shapes(evidence: Evidence, policy: Policy) -> list[Lack]:
    """The frequent kinds of requests of which too little was compared."""
    requests = evidence.coverage.requests
    found = []
    for shape in evidence.coverage.shapes:
        units = _short(shape.n, shape.k, policy.per_shape, SHAPE_PARITY)
        if units and shape.seen >= policy.shape_share * requests:
            found.append(Lack(shape.text or shape.shape, units, shape.seen / requests))
    return found


def lacking_classes(evidence: Evidence, policy: Policy) -> list[Lack]:
    """The classes of statuses of which too little was compared."""
    requests = evidence.coverage.requests
    found = []
    for number, (seen, n, k) in sorted(by_class(evidence.coverage.shapes).items()):
        units = _short(n, k, policy.per_status_class if seen >= policy.class_share * requests else 1, CLASS_PARITY)
        if units:
            found.append(Lack(f"{number}xx", units, seen / requests))
    return found


def requests_until_covered(evidence: Evidence, policy: Policy) -> int | None:
    """Further requests without a new kind until the unseen share is proven small; 0 when it is, None where it never would be."""
    seen = evidence.coverage
    if is_covered(seen.discovered, seen.requests, policy.unseen, policy.coverage_delta, untold=seen.other):
        return 0
    short, enough = 0, 1
    while not is_covered(seen.discovered, seen.requests + enough, policy.unseen, policy.coverage_delta, untold=seen.other):
        short, enough = enough, enough * 2
        if enough > MOST_REQUESTS:
            return None
    while enough - short > 1:
        middle = (short + enough) // 2
        if is_covered(seen.discovered, seen.requests + middle, policy.unseen, policy.coverage_delta, untold=seen.other):
            enough = middle
        else:
            short = middle
    return enough


def _short(n: int, k: int, floor: int, parity: float) -> int:
    clean = clean_needed(min(k, n), n, parity, FLOOR_ALPHA) if k else 0
    return max(0, floor - n, clean)
