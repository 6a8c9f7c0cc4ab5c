"""Watches routes that serve nobody from the candidate: mismatches that come in bursts begin the evidence anew (gate reference 2d).

Over a week a quarter of an hour at 5 % is half of what 0.1 % allows: such a route is fine on average, and would fail its clients in that
quarter. The detector that rolls back what serves hears it; in shadow there is nothing to roll back but the claim.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gate.detector import Detector, Repeats, alarm_threshold
from gate.policies import ByRoute
from shadow.comparison import Compared
from traffic.message import Failure, Side
from traffic.outcome import Verdict

MAX_ROUTES = 10_000
_GOOD = (Verdict.MATCH, Verdict.TOLERATED)


@dataclass(slots=True)
class _Shadowed:
    epoch: str
    detector: Detector
    since: float
    comparisons: int = 0


class BurstWatch:
    """One detector per route and epoch. `now` is monotonic seconds. Of MAX_ROUTES routes the one heard of least recently is forgotten."""

    def __init__(self, policies: ByRoute, now: Callable[[], float]) -> None:
        self._policies, self._now = policies, now
        self._routes: OrderedDict[str, _Shadowed] = OrderedDict()
        self._repeats, self._harmed = Repeats(policies.usual.dedupe_s), Repeats(policies.usual.dedupe_s)
        self._units = Repeats(policies.usual.unit_window_s)

    def observe(self, made: Compared, unit: str | None) -> bool:
        """Takes one comparison in; True when the epoch's evidence should begin anew. Evidence of served clients is another's matter."""
        exchange, now = made.exchange, self._now()
        if exchange.live_side is Side.CANDIDATE:
            self._routes.pop(exchange.route, None)
            return False
        bad = isinstance(made.candidate, Failure) or made.judgement.verdict is Verdict.MISMATCH
        if bad:
            atoms = " ".join(sorted({difference.atom.cluster_id for difference in made.judgement.differences}))
            if not self._repeats.first(exchange.client, f"{exchange.route} {atoms}", now):
                return False
            self._harmed.first(exchange.client, f"{exchange.route} {made.epoch}", now)
        elif (
            made.judgement.verdict not in _GOOD
            or unit is None
            or self._harmed.seen(
                exchange.client, f"{exchange.route} {made.epoch}", now
            )  # as its repeats, while they do not count
            or not self._units.first(exchange.client, unit, now)
        ):
            return False
        watched = self._watched(exchange.route, made.epoch, now)
        watched.comparisons += 1
        watched.detector = watched.detector.update(bad)
        per_day = watched.comparisons / max(now - watched.since, 3_600.0) * 86_400.0
        if not watched.detector.alarm(alarm_threshold(per_day, self._policies.of(exchange.route).detector_floor)):
            return False
        watched.detector = Detector.start(self._q0(exchange.route))
        return True

    def _q0(self, route: str) -> float:
        return 1.0 - self._policies.of(route).p0

    def _watched(self, route: str, epoch: str, now: float) -> _Shadowed:
        found = self._routes.get(route)
        if found is None or found.epoch != epoch:
            found = self._routes[route] = _Shadowed(epoch, Detector.start(self._q0(route)), now)
        self._routes.move_to_end(route)
        if len(self._routes) > MAX_ROUTES:
            self._routes.popitem(last=False)
        return found
