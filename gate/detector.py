"""The roll-back detector: an e-SR statistic over all comparisons since the last alarm, and the hard trips that need no statistics.

Cumulative evidence grows deaf with every comparison, so promotion uses `parity` and roll-back uses this, never one for both.
For a few raised rates q_j:  M_j <- L_j (M_j + 1),  L_j = q_j/q0 after a mismatch, (1-q_j)/(1-q0) after a match.  While the true rate
stays at or below q0 the mean of M after n comparisons is at most n, so a threshold A means one false alarm in A comparisons or rarer.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, replace

MULTIPLES = (3.0, 10.0, 30.0, 100.0)
CEILING = 0.5
FLOOR = 1e6
_LARGEST = 1e300


@dataclass(frozen=True, slots=True)
class Detector:
    """The statistic of one route and epoch. Start anew after an alarm or a new epoch, and at no other time."""

    q0: float
    rates: tuple[float, ...]
    m: tuple[float, ...]

    @classmethod
    def start(cls, q0: float) -> Detector:
        """Nothing seen yet; `q0` is the mismatch rate that is still fine, 0 < q0 < 1."""
        if not 0.0 < q0 < 1.0:
            raise ValueError(f"q0 = {q0} is not between 0 and 1 (both excluded)")
        rates = tuple(multiple * q0 for multiple in MULTIPLES if multiple * q0 < CEILING)
        rates += (CEILING,) if q0 < CEILING else ((1.0 + q0) / 2.0,)
        return cls(q0, rates, (0.0,) * len(rates))

    def update(self, mismatch: bool) -> Detector:
        """After one more comparison."""
        q0 = self.q0
        factors = (rate / q0 if mismatch else (1.0 - rate) / (1.0 - q0) for rate in self.rates)
        # Clamped: long after an alarm nobody took, the value must not become infinite and then NaN.
        return replace(self, m=tuple(min(f * (m + 1.0), _LARGEST) for f, m in zip(factors, self.m, strict=True)))

    def matched(self, count: int) -> Detector:
        """After `count` matches at once; the same as that many updates."""
        if count <= 0:
            return self
        values = []
        for rate, m in zip(self.rates, self.m, strict=True):
            log_f = math.log1p(-rate) - math.log1p(-self.q0)
            kept = math.exp(count * log_f)
            values.append(kept * m + math.exp(log_f) * math.expm1(count * log_f) / math.expm1(log_f))
        return replace(self, m=tuple(values))

    @property
    def level(self) -> float:
        """The mean of M over the rates."""
        return sum(value / len(self.m) for value in self.m)

    def alarm(self, threshold: float) -> bool:
        """Whether the route must be rolled back. `threshold` comes from `alarm_threshold`, it is not 1/alpha."""
        return self.level >= threshold


class Repeats:
    """Tells first mismatches from repeats, so that one noisy client alone cannot roll a route back.

    Remembers at most `limit` pairs, the oldest are forgotten first: under pressure the detector hears more, not less.
    """

    def __init__(self, window_s: float, limit: int = 10_000) -> None:
        self._window_s = window_s
        self._limit = limit
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()

    def seen(self, client: str, fingerprint: str, now: float) -> bool:
        """Whether this client has shown this mismatch within the window; notes nothing."""
        at = self._seen.get((client, fingerprint))
        return at is not None and 0.0 <= now - at < self._window_s

    def first(self, client: str, fingerprint: str, now: float) -> bool:
        """Whether this client has not shown this mismatch within the window. Repeats do not extend the window."""
        if self.seen(client, fingerprint, now):
            return False
        pair = (client, fingerprint)
        self._seen.pop(pair, None)
        self._seen[pair] = now
        while len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return True


def alarm_threshold(comparisons_per_day: float, floor: float = FLOOR) -> float:
    """A: on average at least 30 days of comparisons, and never fewer than `floor`, lie between two false alarms."""
    daily = comparisons_per_day if math.isfinite(comparisons_per_day) else 0.0
    return max(floor, 30.0 * daily)


def hard_trip(
    primary_status: int | None,
    candidate_status: int | None,
    *,
    other_principal: bool = False,
    wrote_in_shadow: bool = False,
    foreign_build: bool = False,
    session_differs: bool = False,
) -> str | None:
    """Why one single event is enough to roll back and lock, as a sentence; None when it is not.

    `session_differs` is for routes that log people in or out: another Set-Cookie, CSRF or session handling than the primary's.
    """
    if primary_status in (401, 403) and candidate_status is not None and 200 <= candidate_status < 300:
        return f"the candidate answered {candidate_status} where the primary refused with {primary_status}"
    if other_principal:
        return "the candidate answered with another person's data"
    if wrote_in_shadow:
        return "the candidate wrote while it was shadowed read-only"
    if foreign_build:
        return "the candidate served with a build other than the one that earned its weight"
    if session_differs:
        return "the candidate handles session or CSRF cookies differently on a route that signs people in or out"
    return None
