"""Watches the routes that serve clients from the candidate and says when one must go back to the primary."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gate.detector import Detector, Repeats, alarm_threshold, hard_trip
from gate.policy import Policy
from shadow.comparison import Compared
from traffic.message import Failure, Response, Side
from traffic.outcome import Verdict

SERVING_S = 3600.0
MAX_ROUTES = 10_000


@dataclass(frozen=True, slots=True)
class Trip:
    """Why a route must go back; `hard` where a single event was enough."""

    reason: str
    hard: bool


@dataclass(slots=True)
class _Served:
    detector: Detector
    build: str
    live_at: float
    since: float
    comparisons: int = 0


class RollbackWatch:
    """One detector per route, from the first answer that a client got from the candidate. `now` is Unix time."""

    def __init__(self, policy: Policy, now: Callable[[], float]) -> None:
        self._q0, self._floor, self._now = 1.0 - policy.p0, policy.detector_floor, now
        self._routes: OrderedDict[str, _Served] = OrderedDict()
        self._repeats = Repeats(policy.dedupe_s)
        self._units = Repeats(policy.unit_window_s)

    def observe(self, made: Compared, unit: str | None) -> Trip | None:
        """Takes one comparison in; the trip, once per alarm, else None."""
        route, now = made.exchange.route, self._now()
        served = self._routes.get(route)
        if made.exchange.live_side is Side.CANDIDATE:
            if served is None:
                served = self._routes[route] = _Served(Detector.start(self._q0), made.build, now, now)
                if len(self._routes) > MAX_ROUTES:
                    self._routes.popitem(last=False)
            served.live_at = now
        if served is None:
            return None
        if now - served.live_at > SERVING_S:  # nobody is served by the candidate any more
            del self._routes[route]
            return None
        if served.build != made.build:
            served.detector, served.build, served.since, served.comparisons = Detector.start(self._q0), made.build, now, 0
        return self._judge(made, unit, served, now)

    def _judge(self, made: Compared, unit: str | None, served: _Served, now: float) -> Trip | None:
        bad = isinstance(made.candidate, Failure) or made.judgement.verdict is Verdict.MISMATCH
        if bad and isinstance(made.primary, Response):
            status = made.candidate.status if isinstance(made.candidate, Response) else None
            reason = hard_trip(made.primary.status, status)
            if reason is not None:
                return Trip(reason, hard=True)
        if bad:
            atoms = sorted({difference.atom.cluster_id for difference in made.judgement.differences})
            if not self._repeats.first(made.exchange.client, " ".join(atoms), now):
                return None
        elif (
            made.judgement.verdict not in (Verdict.MATCH, Verdict.TOLERATED)
            or unit is None
            or not self._units.first(made.exchange.client, unit, now)
        ):
            return None
        served.comparisons += 1
        served.detector = served.detector.update(bad)
        per_day = served.comparisons / max(now - served.since, 3600.0) * 86400.0
        if not served.detector.alarm(alarm_threshold(per_day, self._floor)):
            return None
        served.detector = Detector.start(self._q0)
        return Trip(f"the rate of mismatches rose above the agreed {self._q0:.4%} (e-SR detector)", hard=False)
