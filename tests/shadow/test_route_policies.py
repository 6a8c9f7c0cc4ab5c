"""What the shadow watches, it watches by each route's own policy."""

from __future__ import annotations

import asyncio

from compared_pairs import Clock, compared

from gate.facts import Evidence
from gate.policies import Policies, policies_for
from shadow.burst_watch import BurstWatch
from shadow.latency_watch import LatencyWatch
from shadow.rollback_watch import RollbackWatch
from traffic.message import Side
from traffic.outcome import Verdict

OWN = {"parity": 0.9999, "latency": {"calibrate": 10, "p50": [5.0, 0.5], "p95": [5.0, 0.5], "p99": [5.0, 0.5]}}


def policies(**entry: object) -> Policies:
    overrides = {"latency": {"calibrate": 10}, "routes": [{"route": "GET /a", **entry}] if entry else []}
    return policies_for("demo", 0.999, 0.05, overrides)


def alarm_after(watch: RollbackWatch | BurstWatch, live: Side) -> int:
    """Of 200 comparisons, every tenth of them a mismatch, the number of the one that raises the alarm."""
    for number in range(1, 201):
        verdict = Verdict.MISMATCH if number % 10 == 0 else Verdict.MATCH
        if watch.observe(compared(verdict, client=str(number), live_side=live), f"u{number}"):
            return number
    return 999


def test_a_route_of_a_higher_parity_is_rolled_back_sooner() -> None:
    """A tenth of the mismatches is twice what the demonstration allows, and a thousand times what this route does."""
    usual = alarm_after(RollbackWatch(policies(), Clock()), Side.CANDIDATE)
    own = alarm_after(RollbackWatch(policies(**OWN), Clock()), Side.CANDIDATE)
    other = alarm_after(
        RollbackWatch(policies_for("demo", 0.999, 0.05, {"routes": [{"route": "GET /b", **OWN}]}), Clock()), Side.CANDIDATE
    )

    assert own < usual == other


def test_a_burst_is_told_by_the_route_s_own_parity() -> None:
    assert alarm_after(BurstWatch(policies(**OWN), Clock()), Side.PRIMARY) < alarm_after(
        BurstWatch(policies(), Clock()), Side.PRIMARY
    )


def test_latency_is_compared_within_the_route_s_own_margins() -> None:
    """Twice as slow is too slow for most routes and within a margin of 5x."""

    async def nothing(route: str) -> Evidence:
        return Evidence(route)

    def findings(made: Policies) -> int:
        watch = LatencyWatch(made, Clock(), nothing)
        asyncio.run(watch.prepare("GET /a", "epoch"))
        return sum(len(watch.observe(compared(primary_ms=50.0 + n % 3, candidate_ms=150.0))[1]) for n in range(200))

    assert (findings(policies()), findings(policies(**OWN))) == (3, 0)
