"""What must hold before a route may move, with nothing left open: the profiles of the reference's 3b (overridden in gate.overrides)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gate.shares import UnitLimits

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
PROFILES = ("default", "strict", "demo")

DEMO_PARITY = 0.95
_PARITY_LEFT_OPEN = 0.999


@dataclass(frozen=True, slots=True)
class Margin:
    """How much slower the candidate may be at one quantile: g(x) = max(ratio * x, x + slack_ms)."""

    tau: str
    quantile: float
    ratio: float
    slack_ms: float

    def bound_ms(self, threshold_ms: float) -> float:
        """g(threshold)."""
        return max(self.ratio * threshold_ms, threshold_ms + self.slack_ms)


@dataclass(frozen=True, slots=True)
class Policy:
    """Every threshold the gate uses. Shares are of 1, names ending in `_s` are seconds."""

    profile: str
    p0: float
    alpha: float
    split_alpha: bool
    """Divide alpha by the number of routes."""
    spend_alpha: bool
    """Divide alpha by j(j+1) in the j-th attempt."""
    unit_window_s: float
    unit_max_open: int
    max_share_client: float
    max_share_request: float
    span_s: float
    fresh_s: float
    """Age of the last unit from which evidence is stale."""
    ttl_s: float
    """Age of an epoch from which it should be started afresh (shown, not blocking)."""
    max_noise_share: float
    max_incident_share: float
    latency: tuple[Margin, ...]
    latency_alpha: float
    latency_calibrate: int
    latency_required: bool
    coverage_required: bool
    unseen: float
    """Share of the traffic that may have a shape nobody saw, at level `coverage_delta`."""
    coverage_delta: float
    shape_share: float
    """Shapes with this share of the traffic need `per_shape` units each; together what is covered is `covered_traffic`."""
    per_shape: int
    class_share: float
    per_status_class: int
    covered_traffic: float
    max_shapes: int
    week_share: float
    """Share of the week's traffic that must lie in hours of the week with evidence; 0 asks for none."""
    steps: tuple[float, ...]
    dwell_s: tuple[float, ...]
    """How long each step lasts at least, one entry for each of `steps`."""
    step_p0: float
    """The parity that the units of a canary step must show by themselves, of at least `step_clean` of them."""
    step_clean: int
    approvals: int
    approvals_each_step: bool
    cooldown_s: float
    cooldown_max_s: float
    lock_after: int
    strike_memory_s: float
    retire_after_s: float
    lease_s: float
    lease_renew_s: float
    first_step_cap: float
    """Share of all traffic that may be served by the candidate in first canary steps, of all routes together."""
    storm_rollbacks: int
    """So many roll-backs of any routes within an hour stop every increase; 0: never."""
    drill_s: float
    """How old the last rehearsal of a roll-back may be before a cut-over; 0: none is asked for."""
    cutover_grace_s: float
    """For how long a cut-over goes on without being renewed."""
    detector_floor: float
    dedupe_s: float

    def alpha_for(self, routes_total: int, attempt: int, share_of_alpha: float | None = None) -> float:
        """The error this route may make in this attempt: its share of alpha, spent over its attempts.

        Without a share of its own it is one of `routes_total` that have the same.
        """
        share = self.alpha
        if self.split_alpha:
            share = self.alpha / routes_total if share_of_alpha is None else self.alpha * share_of_alpha
        return share / (attempt * (attempt + 1)) if self.spend_alpha else share

    @property
    def unit_limits(self) -> UnitLimits:
        """What bounds the units of a window and of an epoch."""
        return UnitLimits(self.unit_max_open, self.max_share_client, self.max_share_request, self.max_shapes)

    @property
    def usual(self) -> Policy:
        """This one: see `of`."""
        return self

    def of(self, label: str) -> Policy:
        """This one: a policy alone is every route's. gate.policies.Policies tells routes apart."""
        return self

    def cooldown_after(self, strikes: int) -> float:
        """Seconds a route rests after its `strikes`-th roll-back."""
        return min(self.cooldown_s * 2.0 ** (min(strikes, 64) - 1), self.cooldown_max_s) if strikes > 0 else 0.0


def _default(parity: float, alpha: float) -> Policy:
    return Policy(
        profile="default",
        p0=parity,
        alpha=alpha,
        split_alpha=True,
        spend_alpha=True,
        unit_window_s=HOUR_S,
        unit_max_open=20_000,
        max_share_client=0.05,
        max_share_request=0.20,
        span_s=7 * DAY_S,
        fresh_s=DAY_S,
        ttl_s=14 * DAY_S,
        max_noise_share=0.01,
        max_incident_share=0.01,
        latency=(Margin("p50", 0.50, 1.10, 5.0), Margin("p95", 0.95, 1.10, 10.0), Margin("p99", 0.99, 1.25, 25.0)),
        latency_alpha=0.05,
        latency_calibrate=5000,
        latency_required=True,
        coverage_required=True,
        unseen=0.005,
        coverage_delta=0.05,
        shape_share=0.005,
        per_shape=59,
        class_share=0.001,
        per_status_class=299,
        covered_traffic=0.99,
        max_shapes=2000,
        week_share=0.95,
        steps=(0.01, 0.05, 0.25, 0.50),
        dwell_s=(HOUR_S, 4 * HOUR_S, DAY_S, DAY_S),
        step_p0=0.99,
        step_clean=363,
        approvals=2,
        approvals_each_step=False,
        cooldown_s=HOUR_S,
        cooldown_max_s=DAY_S,
        lock_after=2,
        strike_memory_s=7 * DAY_S,
        retire_after_s=30 * DAY_S,
        lease_s=60.0,
        lease_renew_s=15.0,
        first_step_cap=0.05,
        storm_rollbacks=3,
        drill_s=30 * DAY_S,
        cutover_grace_s=DAY_S,
        detector_floor=1e6,
        dedupe_s=600.0,
    )


def _strict(base: Policy) -> Policy:
    # .999 becomes .9999 and .99 becomes .999: the tiers are a factor of ten apart.
    p0 = round(1.0 - (1.0 - base.p0) / 10.0, 15)
    return replace(base, profile="strict", p0=p0, span_s=14 * DAY_S, ttl_s=28 * DAY_S, approvals_each_step=True)


def _demo(base: Policy) -> Policy:
    return replace(
        base,
        profile="demo",
        p0=DEMO_PARITY if base.p0 == _PARITY_LEFT_OPEN else base.p0,
        split_alpha=False,
        spend_alpha=False,
        unit_window_s=2.0,
        max_share_client=1.0,
        max_share_request=1.0,
        span_s=20.0,
        fresh_s=HOUR_S,
        latency_calibrate=200,
        latency_required=False,
        coverage_required=False,
        week_share=0.0,
        steps=(),
        dwell_s=(),
        approvals=0,
        first_step_cap=1.0,
        storm_rollbacks=0,
        drill_s=0.0,
        cooldown_s=30.0,  # a visitor who has tried the roll-back wants to see the promotion again
        cooldown_max_s=300.0,
    )


_PROFILE: dict[str, Callable[[Policy], Policy]] = {"default": lambda base: base, "strict": _strict, "demo": _demo}


def profile_policy(profile: str, parity: float, alpha: float) -> Policy:
    """A profile as it stands, for tier B's `parity` and total `alpha`. Raises ValueError."""
    if profile not in PROFILES:
        raise ValueError(f"gate.profile = {profile!r} is not known: choose one of {', '.join(PROFILES)}")
    for name, share in (("parity", parity), ("alpha", alpha)):
        if not 0.0 < share < 1.0:
            raise ValueError(f"gate.{name} = {share} is not between 0 and 1 (both excluded)")
    return _PROFILE[profile](_default(parity, alpha))


def checked(policy: Policy) -> Policy:
    """The policy itself. Raises ValueError where its thresholds make no sense together."""
    if policy.unit_window_s <= 0:
        raise ValueError("gate.unit.window must be longer than 0")
    if any(not 0.0 < step < 1.0 for step in policy.steps) or list(policy.steps) != sorted(set(policy.steps)):
        raise ValueError(
            f"gate.canary.steps = {list(policy.steps)} must rise, each between 0 and 1, e.g. [0.01, 0.05, 0.25, 0.50]"
        )
    if any(round(step * 10_000) in (0, 10_000) for step in policy.steps):
        raise ValueError(
            f"gate.canary.steps = {list(policy.steps)}: a step is at least 0.0001 and at most 0.9999 of the clients"
        )
    if len({round(step * 10_000) for step in policy.steps}) != len(policy.steps):
        raise ValueError(f"gate.canary.steps = {list(policy.steps)}: two steps are the same ten-thousandth of the clients")
    if len(policy.dwell_s) != len(policy.steps):
        raise ValueError(
            f"gate.canary.dwell has {len(policy.dwell_s)} entries for {len(policy.steps)} steps: give one for each"
        )
    for margin in policy.latency:
        if margin.ratio < 1.0:
            raise ValueError(f"gate.latency.{margin.tau}: the ratio {margin.ratio} is below 1; 1.10 allows 10 % more")
    return policy
