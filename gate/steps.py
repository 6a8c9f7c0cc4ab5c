"""Where a promotion leads: the next configured step, and after the last one the cut-over."""

from __future__ import annotations

from dataclasses import dataclass

from gate.facts import RouteStanding, State
from gate.policy import Policy

FULL_WEIGHT = 10_000
_LEAST_INCREASES = 5


def most_increases(policy: Policy) -> int:
    """How often a route's weight may rise in any 24 hours (I15): 5 times, or once for each stop where more are configured."""
    return max(_LEAST_INCREASES, len(policy.steps) + 1)


@dataclass(frozen=True, slots=True)
class Stop:
    """A place on the way up; `step` counts the canary's steps from 1 and is 0 elsewhere."""

    state: State
    step: int
    weight_bp: int

    def __str__(self) -> str:
        if self.state is State.CANARY:
            return f"canary step {self.step} ({self.weight_bp / 100:g} % of the clients)"
        return f"{self.state} (100 % of the clients)"


def next_stop(standing: RouteStanding, policy: Policy) -> Stop | None:
    """The stop after this one, never skipping a step; None where nothing leads up (off, rolled back, cut over, retired)."""
    if standing.state not in (State.SHADOW, State.CANARY):
        return None
    for number, share in enumerate(policy.steps, start=1):
        weight = round(share * FULL_WEIGHT)
        # The weight decides, not the step's number: the steps may have been configured differently when this canary began.
        if weight > standing.weight_bp:
            return Stop(State.CANARY, number, weight)
    return Stop(State.CUTOVER, 0, FULL_WEIGHT)


def dwell_of(standing: RouteStanding, policy: Policy) -> float:
    """How long the present canary step has to last, in seconds; 0 elsewhere."""
    if standing.state is not State.CANARY or not policy.dwell_s:
        return 0.0
    return policy.dwell_s[min(max(standing.step, 1), len(policy.dwell_s)) - 1]
