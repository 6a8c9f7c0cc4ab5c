"""The guards that look at where the route stands and who agreed. Same form and same law as in `guards`."""

from __future__ import annotations

from gate.facts import Evidence, Guard, RouteStanding, State
from gate.guards import is_count
from gate.parity import clean_needed, parity_verdict
from gate.policy import Policy
from gate.steps import dwell_of, next_stop
from gate.wording import count_text, duration_text, percent_text
from traffic.route import UNROUTED

STEP_ALPHA = 0.05
_ARRIVED = frozenset({State.CUTOVER, State.RETIRED})


def routed(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """A path that no route describes can never be moved."""
    if UNROUTED in standing.route or UNROUTED in evidence.route:
        sentence = "these paths belong to no known route: import the routes (`[routes] openapi` or `routes import-django`)"
        return Guard("route", False, "unrouted", "a known route", sentence)
    return Guard("route", True, "known", "a known route")


def place(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """A promotion starts in shadow or in a canary."""
    threshold = "shadow or canary"
    stop = next_stop(standing, policy)
    if stop is not None:
        return Guard("state", True, f"{standing.state}, next is {stop}", threshold)
    if standing.state in _ARRIVED:
        return Guard("state", True, f"{standing.state}, there is no step after it", threshold, blocking=False)
    return Guard("state", False, str(standing.state), threshold, "take the route back to shadow first: `cutover shadow`")


def epoch(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """The evidence is of what runs now, and of what earned the present weight."""
    threshold = "one build and rule set throughout"
    figure = evidence.epoch or "none"
    blocking = standing.state not in _ARRIVED
    if not evidence.epoch:
        return Guard("epoch", None, figure, threshold, "nothing has been compared in any epoch yet", blocking)
    if standing.weight_bp > 0 and standing.epoch != evidence.epoch:
        sentence = f"the weight was earned in epoch {standing.epoch or 'none'}: a new build or rule set starts again in shadow"
        return Guard("epoch", False, figure, threshold, sentence, blocking)
    return Guard("epoch", True, figure, threshold, "", blocking)


def dwell(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """The present step has lasted long enough, and the clock has not gone back behind its start."""
    needed, spent = dwell_of(standing, policy), now - standing.since
    threshold = f">= {duration_text(needed)} in this step"
    if spent >= needed:
        # A route that was never moved stands where it is since no known moment.
        return Guard("dwell", True, duration_text(spent) if standing.since > 0 else "never moved", threshold)
    if spent < 0:
        return Guard(
            "dwell", None, "unknown", threshold, "the clock stands before the start of this step: are the clocks right?"
        )
    return Guard("dwell", None, duration_text(spent), threshold, f"{duration_text(needed - spent)} to go")


def step(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """In a canary, the clients that the candidate served since this step began show enough by themselves.

    They were compared with the primary's answer to the copy, so that this is the rehearsal of the reverse shadow as well.
    """
    q0 = 1.0 - policy.step_p0
    threshold = f"of >= {count_text(policy.step_clean, 'unit')} served in this step < {percent_text(q0)} mismatched"
    if standing.state is not State.CANARY:
        return Guard("step", True, "not in a canary", threshold)
    windows = [window for window in evidence.served if window.start >= standing.since]
    if not all(is_count(window.n) and is_count(window.k) and window.k <= window.n for window in windows):
        return Guard("step", None, "unknown", threshold, "the counts of served clients contradict themselves")
    n, k = sum(window.n for window in windows), sum(window.k for window in windows)
    figure = f"{k:,} of {count_text(n, 'unit')} mismatched"
    verdict = parity_verdict(k, n, policy.step_p0, STEP_ALPHA)
    if verdict == "fail":
        return Guard("step", False, figure, threshold, "the candidate's clients got too many other answers: roll back")
    if verdict == "pass" and n >= policy.step_clean:
        return Guard("step", True, figure, threshold)
    more = max(policy.step_clean - n, clean_needed(k, n, policy.step_p0, STEP_ALPHA))
    return Guard(
        "step", None, figure, threshold, f"{count_text(more, 'more clean unit')} of clients that the candidate serves needed"
    )


def approvals(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """Enough different people agreed, in this epoch."""
    needed = approvals_needed(standing, policy)
    names = approvers(evidence)
    threshold = f">= {count_text(needed, 'person')}" if needed == 1 else f">= {needed} people"
    figure = ", ".join(names) or "nobody"
    blocking = standing.state not in _ARRIVED
    if len(names) >= needed:
        return Guard("approvals", True, figure, threshold, "", blocking)
    return Guard("approvals", None, figure, threshold, f"{needed - len(names)} more must approve: `cutover approve`", blocking)


def frozen(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """Nobody has stopped all increases."""
    if standing.frozen:
        return Guard("frozen", False, "frozen", "not frozen", "the route is frozen: `cutover unfreeze`")
    return Guard("frozen", True, "not frozen", "not frozen")


def locked(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """The route was not locked by repeated roll-backs."""
    if standing.locked:
        sentence = f"locked after {count_text(standing.strikes, 'roll-back')}: `cutover unlock` once the cause is fixed"
        return Guard("locked", False, "locked", "not locked", sentence)
    return Guard("locked", True, "not locked", "not locked")


def cooldown(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """The rest after a roll-back is over."""
    if now >= standing.cooldown_until:
        return Guard("cooldown", True, "none", "over")
    left = duration_text(standing.cooldown_until - now)
    return Guard("cooldown", False, f"{left} left", "over", f"the route rests for another {left} after its roll-back")


def approvers(evidence: Evidence) -> tuple[str, ...]:
    """The distinct people who approved, sorted; the same person twice is one, in capitals, too."""
    people = {name.strip().casefold(): name.strip() for name in sorted(evidence.approvals, reverse=True)}
    return tuple(sorted(name for name in people.values() if name))


def approvals_needed(standing: RouteStanding, policy: Policy) -> int:
    """Between two canary steps nobody needs to agree again, unless the policy asks for it; entering and cutting over need all."""
    stop = next_stop(standing, policy)
    between = standing.state is State.CANARY and stop is not None and stop.state is State.CANARY
    return 0 if between and not policy.approvals_each_step else policy.approvals
