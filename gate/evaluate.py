"""May this route move? All guards must hold, so no correction is needed between them; what is unknown is never a pass."""

from __future__ import annotations

from collections.abc import Callable

from gate import coverage_guards, fleet_guards, guards, standing_guards
from gate.facts import Evidence, GateVerdict, Guard, RouteStanding
from gate.parity import bounds, clean_needed, log_e
from gate.policy import Policy
from gate.steps import next_stop

_BEFORE_LATENCY: tuple[Callable[[Evidence, RouteStanding, Policy, float], Guard], ...] = (
    standing_guards.routed,
    standing_guards.place,
    guards.consistent,
    standing_guards.epoch,
    guards.parity,
    guards.span,
    guards.freshness,
    guards.age,
    guards.noise,
    guards.skips,
)
_AFTER_LATENCY: tuple[Callable[[Evidence, RouteStanding, Policy, float], Guard], ...] = (
    coverage_guards.unseen,
    coverage_guards.shapes,
    coverage_guards.statuses,
    coverage_guards.week,
    coverage_guards.diversity,
    guards.ledger,
    standing_guards.dwell,
    standing_guards.step,
    standing_guards.approvals,
    standing_guards.frozen,
    standing_guards.locked,
    standing_guards.cooldown,
    fleet_guards.storm,
    fleet_guards.slot,
    fleet_guards.drill,
)


def evaluate(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> GateVerdict:
    """Every guard with its figure, its threshold and what is missing. Never raises on odd evidence.

    `pass` when every blocking guard holds, `fail` when one is broken, else `undecided`. Same arguments, same verdict.
    """
    found = [guard(evidence, standing, policy, now) for guard in _BEFORE_LATENCY]
    found += [guards.latency(margin, evidence, policy) for margin in policy.latency]
    found += [guard(evidence, standing, policy, now) for guard in _AFTER_LATENCY]
    blocking = [guard for guard in found if guard.blocking]
    if all(guard.holds is True for guard in blocking):
        verdict = "pass"
    else:
        verdict = "fail" if any(guard.holds is False for guard in blocking) else "undecided"
    usable = guards.usable_counts(evidence)
    n, k = (evidence.n, evidence.k) if usable else (0, 0)
    alpha = policy.alpha_for(evidence.routes_total, evidence.attempt, evidence.alpha_share) if usable else policy.alpha
    q0 = 1.0 - policy.p0
    lower, upper = bounds(k, n, alpha, q0)
    return GateVerdict(
        route=standing.route,
        verdict=verdict,
        reasons=_reasons(blocking, standing, policy),
        guards=tuple(found),
        n=n,
        k=k,
        parity=policy.p0,
        alpha=alpha,
        log_e=log_e(k, n, q0),
        lower=lower,
        upper=upper,
        clean_needed=clean_needed(k, n, policy.p0, alpha),
        epoch=evidence.epoch,
        approvals=standing_guards.approvers(evidence),
    )


def _reasons(blocking: list[Guard], standing: RouteStanding, policy: Policy) -> tuple[str, ...]:
    missing = [f"{guard.name}: {guard.missing or guard.figure}" for guard in blocking if guard.holds is not True]
    if missing:
        return tuple(missing)
    stop = next_stop(standing, policy)
    return ("every guard holds" if stop is None else f"every guard holds: the next step is {stop}",)
