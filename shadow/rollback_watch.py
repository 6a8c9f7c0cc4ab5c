"""Watches the routes that serve clients from the candidate and says when one must go back to the primary."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from gate.detector import Detector, Repeats, alarm_threshold, hard_trip
from gate.policies import ByRoute
from shadow.comparison import Compared
from traffic.message import Failure, Response, Side
from traffic.outcome import Verdict

SERVING_S = 3600.0
MAX_ROUTES = 10_000
MAX_BUILDS = 8
"""Builds of one route that are told apart."""
DISTINCT_CLIENTS = 3
"""So many clients must have met mismatches before an alarm, where so many ask at all: one client alone rolls no route back (T21)."""


@dataclass(frozen=True, slots=True)
class Trip:
    """Why a route must go back; `hard` where a single event was enough."""

    reason: str
    hard: bool


@dataclass(slots=True)
class _Build:
    """What one build showed on one route."""

    detector: Detector
    since: float
    seen_at: float
    comparisons: int = 0
    mismatches: int = 0
    first_mismatch: int = 0
    """The number of the comparison that was the first mismatch since the last alarm."""
    asking: set[str] = field(default_factory=set)
    harmed: set[str] = field(default_factory=set)
    """Clients that were compared, and those of them that met a mismatch since the last alarm; no more than matter are kept."""

    def note(self, client: str, bad: bool) -> None:
        """Takes one comparison in."""
        self.comparisons += 1
        self.mismatches += bad
        if bad and self.mismatches == 1:
            self.first_mismatch = self.comparisons
        for known in (self.asking, self.harmed) if bad else (self.asking,):
            if len(known) < DISTINCT_CLIENTS:
                known.add(client)
        self.detector = self.detector.update(bad)

    def alarm(self, now: float, floor: float) -> bool:
        """Whether the detector says so, and not for what one client of several makes of it."""
        per_day = self.comparisons / max(now - self.since, 3600.0) * 86400.0
        return len(self.harmed) == len(self.asking) and self.detector.alarm(alarm_threshold(per_day, floor))


@dataclass(slots=True)
class _Served:
    live_at: float
    builds: dict[str | None, _Build] = field(default_factory=dict)

    def build(self, name: str, q0: float, now: float) -> _Build:
        """The count of a build. While MAX_BUILDS answer at once, those beyond share one count: none goes unwatched."""
        key: str | None = name
        if name not in self.builds and len(self.builds) >= MAX_BUILDS:
            gone = [other for other, build in self.builds.items() if now - build.seen_at > SERVING_S]
            for other in gone:
                del self.builds[other]
            key = name if gone else None
        build = self.builds.get(key)
        if build is None:
            build = self.builds[key] = _Build(Detector.start(q0), now, now)
        build.seen_at = now
        return build


class RollbackWatch:
    """One detector per route and build, from the first answer that a client got from the candidate. `now` is monotonic seconds.

    One noisy client alone trips nothing but a hard trip: its repeats are not counted, and others must be harmed as well. While a client's
    repeats are not counted, its matches are not either: they would make the detector deaf wherever clients are few.

    Builds that answer in turns, as in a rolling deployment, are watched side by side: neither resets the other.
    """

    def __init__(self, policies: ByRoute, now: Callable[[], float]) -> None:
        self._policies, self._now = policies, now
        self._routes: OrderedDict[str, _Served] = OrderedDict()
        self._repeats = Repeats(policies.usual.dedupe_s)
        self._harmed = Repeats(policies.usual.dedupe_s)
        self._units = Repeats(policies.usual.unit_window_s)

    def observe(self, made: Compared, unit: str | None) -> Trip | None:
        """Takes one comparison in; the trip, once per alarm, else None."""
        route, now = made.exchange.route, self._now()
        served = self._routes.get(route)
        if made.exchange.live_side is Side.CANDIDATE:
            if served is None:
                served = self._routes[route] = _Served(now)
                if len(self._routes) > MAX_ROUTES:
                    self._routes.popitem(last=False)
            served.live_at = now
        if served is None:
            return None
        if now - served.live_at > SERVING_S:  # nobody is served by the candidate any more
            del self._routes[route]
            return None
        return self._judge(made, unit, served.build(made.build, self._q0(route), now), now)

    def _q0(self, route: str) -> float:
        return 1.0 - self._policies.of(route).p0

    def _judge(self, made: Compared, unit: str | None, build: _Build, now: float) -> Trip | None:
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
            self._harmed.first(made.exchange.client, f"{made.exchange.route} {made.build}", now)
        elif (
            made.judgement.verdict not in (Verdict.MATCH, Verdict.TOLERATED)
            or unit is None
            or self._harmed.seen(made.exchange.client, f"{made.exchange.route} {made.build}", now)
            or not self._units.first(made.exchange.client, unit, now)
        ):
            return None
        build.note(made.exchange.client, bad)
        if not build.alarm(now, self._policies.of(made.exchange.route).detector_floor):
            return None
        counts = f"{build.mismatches} mismatches in {build.comparisons - build.first_mismatch + 1} comparisons since the first"
        build.detector, build.mismatches, build.harmed = Detector.start(self._q0(made.exchange.route)), 0, set()
        return Trip(
            f"the rate of mismatches rose above the agreed {self._q0(made.exchange.route):.4%} (e-SR detector, {counts})",
            hard=False,
        )
