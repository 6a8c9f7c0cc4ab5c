"""Keeps each route's latency claim: thresholds frozen per epoch, discordant pairs counted, a finding when it is broken."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from differ.facts import Atom
from gate.facts import Evidence, LatencyEvidence
from gate.latency import LatencyTracker, latency_verdict
from gate.policies import ByRoute
from shadow.comparison import Compared
from store.records import Finding, LatencyCounts
from traffic.message import Failure, Response

log = structlog.get_logger("paritygate.shadow")

MAX_CLAIMS = 10_000


@dataclass(slots=True)
class _Claim:
    tracker: LatencyTracker | None = None
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)


class LatencyWatch:
    """Per (route, epoch). `recall` starts reading a route's stored evidence, so that thresholds outlive a restart."""

    def __init__(self, policies: ByRoute, now: Callable[[], float], recall: Callable[[str], Awaitable[Evidence]]) -> None:
        self._policies, self._now, self._recall = policies, now, recall
        self._claims: OrderedDict[tuple[str, str], _Claim] = OrderedDict()

    def knows(self, route: str, epoch: str) -> bool:
        """Whether `prepare` was begun for this claim."""
        return (route, epoch) in self._claims

    async def prepare(self, route: str, epoch: str) -> None:
        """Makes the claim of a route's epoch known, with the thresholds the store froze for it, where it did. Never raises."""
        key = (route, epoch)
        if key in self._claims:
            return
        claim = self._claims[key] = _Claim()  # before the wait: others of this route go on, unobserved for the moment
        while len(self._claims) > MAX_CLAIMS:
            self._claims.popitem(last=False)
        frozen: tuple[LatencyEvidence, ...] = ()
        try:
            evidence = await self._recall(route)
            if evidence.epoch == epoch:
                frozen = evidence.latency
        except Exception as error:
            log.warning("stored latency thresholds cannot be read and are taken anew", route=route, error=str(error))
        claim.counts = {line.tau: (line.primary_slow_only, line.candidate_slow_only) for line in frozen}
        policy = self._policies.of(route)
        claim.tracker = LatencyTracker(policy.latency, policy.latency_calibrate, frozen)

    def observe(self, made: Compared) -> tuple[list[LatencyCounts], list[Finding]]:
        """Takes one pair of times in; returns the increments to store and what is newly found."""
        route = made.exchange.route
        claim = self._claims.get((route, made.epoch))
        if claim is None or claim.tracker is None or not isinstance(made.primary, Response):
            return [], []
        if isinstance(made.candidate, Failure):
            if made.candidate.reason != "timeout":
                return [], []  # a refused connection is quick, and says nothing about speed
            claim.tracker.observe(made.primary_ms, math.inf)
        else:
            claim.tracker.observe(made.primary_ms, made.candidate_ms)
        counts: list[LatencyCounts] = []
        findings: list[Finding] = []
        for line in claim.tracker.drain():
            before = claim.counts.get(line.tau, (0, 0))
            after = (before[0] + line.primary_slow_only, before[1] + line.candidate_slow_only)
            claim.counts[line.tau] = after
            counts.append(
                LatencyCounts(
                    route,
                    made.epoch,
                    line.tau,
                    line.threshold_ms,
                    line.bound_ms,
                    line.primary_slow_only,
                    line.candidate_slow_only,
                )
            )
            if line.tau not in claim.told and latency_verdict(*after, self._policies.of(route).latency_alpha) == "fail":
                claim.told.add(line.tau)
                findings.append(self._finding(route, made.epoch, line.tau, line.threshold_ms, line.bound_ms, after))
        return counts, findings

    def _finding(self, route: str, epoch: str, tau: str, threshold: float, bound: float, counts: tuple[int, int]) -> Finding:
        detail = (
            f"slower at {tau}: the candidate took more than {bound:.1f} ms while the primary stayed within {threshold:.1f} ms in "
            f"{counts[1]} pairs; the other way round in {counts[0]}"
        )
        return Finding(Atom(route, "*", "latency", tau, "slower", ""), self._now(), counts[1], detail, epoch)
