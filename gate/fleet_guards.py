"""The guards that look beyond the route: other routes' roll-backs and canaries, and when a roll-back was last rehearsed.

Same form and same law as in `guards`. `fleet` is None where nothing of it was read, and then nothing may rise.
"""

from __future__ import annotations

import math

from gate.facts import Evidence, Guard, RouteStanding, State
from gate.policy import Policy
from gate.steps import next_stop
from gate.wording import count_text, duration_text, percent_text

HOUR_S = 3_600.0
NOT_READ = "nothing is known of the other routes"


def storm(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """Few routes were rolled back lately: where many were, the cause may be common, and nothing rises until it is known."""
    most = policy.storm_rollbacks
    if most == 0:
        return Guard("storm", True, "not looked at", "no limit")
    threshold = f"< {count_text(most, 'roll-back')} of all routes in the last hour"
    if evidence.fleet is None or not math.isfinite(now):
        return Guard("storm", None, "unknown", threshold, NOT_READ)
    lately = sum(1 for at in evidence.fleet.rolled_back_at if not at <= now - HOUR_S)  # NaN and the future count
    figure = count_text(lately, "roll-back")
    if lately < most:
        return Guard("storm", True, figure, threshold)
    return Guard("storm", False, figure, threshold, "many routes were rolled back within an hour: find out why first")


def slot(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """All first canary steps together take little of the traffic, this one included."""
    stop = next_stop(standing, policy)
    if policy.first_step_cap >= 1.0:
        return Guard("slot", True, "not looked at", "no limit")
    threshold = f"<= {percent_text(policy.first_step_cap)} of all traffic in first canary steps"
    if stop is None or stop.state is not State.CANARY or standing.state is not State.SHADOW:
        return Guard("slot", True, "not the first step", threshold)
    fleet = evidence.fleet
    if fleet is None or fleet.traffic is None or not 0.0 <= fleet.traffic <= 1.0 or not 0.0 <= fleet.first_steps <= 1.0:
        return Guard("slot", None, "unknown", threshold, NOT_READ)
    wanted = fleet.traffic * stop.weight_bp / 10_000
    figure = f"{percent_text(fleet.first_steps)} now, {percent_text(wanted)} more with this one"
    if fleet.first_steps + wanted <= policy.first_step_cap:
        return Guard("slot", True, figure, threshold)
    return Guard("slot", None, figure, threshold, "wait until another canary has left its first step")


def drill(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """Before all of a route's traffic moves, it was tried that every proxy takes a roll-back at once."""
    stop = next_stop(standing, policy)
    if policy.drill_s <= 0.0:
        return Guard("drill", True, "not asked for", "none")
    threshold = f"roll-back rehearsed < {duration_text(policy.drill_s)} ago"
    if stop is None or stop.state is not State.CUTOVER:
        return Guard("drill", True, "not before the cut-over", threshold)
    at = evidence.fleet.drilled_at if evidence.fleet is not None else None
    if at is None or not math.isfinite(at):
        return Guard("drill", None, "never", threshold, "`paritygate cutover drill` rehearses it; no client notices")
    age = now - at
    if 0.0 <= age < policy.drill_s:
        return Guard("drill", True, f"{duration_text(age)} ago", threshold)
    return Guard("drill", None, f"{duration_text(age)} ago", threshold, "`paritygate cutover drill` rehearses it anew")
