"""The guards that look at the evidence. Each is a pure function of (evidence, standing, policy, now) to one Guard.

`holds` is True only when the data says so: missing, NaN, stale or contradictory input gives None or False, never True.
"""

from __future__ import annotations

import math

from gate.facts import Evidence, Guard, RouteStanding
from gate.latency import latency_verdict
from gate.parity import MOST_COMPARISONS, bounds, clean_needed, parity_verdict
from gate.policy import Margin, Policy
from gate.wording import count_text, duration_text, percent_text
from traffic.outcome import Verdict

CLOCK_SKEW_S = 60.0
_NOISE_FLOOR = 100
_INCIDENTS_PER_Q0 = 5.0


def consistent(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """The figures fit together: without this no other guard can be believed."""
    problems = contradictions(evidence, standing, now)
    figure = (
        f"{count_text(evidence.n, 'unit')}, {count_text(compared(evidence), 'exchange')}" if is_count(evidence.n) else "unknown"
    )
    if problems:
        return Guard("evidence", False, figure, "figures that fit together", "; ".join(problems))
    if evidence.n == 0:
        return Guard("evidence", None, figure, "figures that fit together", "nothing has been compared in this epoch yet")
    return Guard("evidence", True, figure, "figures that fit together")


def parity(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """The mismatch rate is proven below 1 - p0."""
    q0 = 1.0 - policy.p0
    if not usable_counts(evidence):
        return Guard("parity", None, "unknown", f"< {percent_text(q0)}", "the counts contradict themselves")
    n, k = evidence.n, evidence.k
    alpha = policy.alpha_for(evidence.routes_total, evidence.attempt, evidence.alpha_share)
    upper = bounds(k, n, alpha, q0)[1]
    figure = f"{k:,} of {count_text(n, 'unit')} mismatched, the rate is at most {percent_text(upper)}"
    threshold = f"< {percent_text(q0)} at alpha {alpha:.3g}"
    verdict = parity_verdict(k, n, policy.p0, alpha)
    if verdict == "pass":
        return Guard("parity", True, figure, threshold)
    more = f"{count_text(clean_needed(k, n, policy.p0, alpha), 'more clean unit')} needed"
    if verdict == "fail":
        return Guard(
            "parity", False, figure, threshold, f"the mismatch rate is proven above {percent_text(q0)}: fix the mismatches"
        )
    return Guard("parity", None, figure, threshold, more)


def span(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """The evidence was gathered over long enough to have seen the traffic's rhythm."""
    threshold = f">= {duration_text(policy.span_s)}"
    first, last = evidence.first_unit_at, evidence.last_unit_at
    if evidence.n == 0 or first is None or last is None:
        return Guard("span", None, "no unit yet", threshold, f"{duration_text(policy.span_s)} of traffic needed")
    seen = last - first
    if seen >= policy.span_s:
        return Guard("span", True, duration_text(seen), threshold)
    return Guard("span", None, duration_text(seen), threshold, f"{duration_text(policy.span_s - seen)} more of traffic needed")


def freshness(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """The evidence is about today's traffic."""
    threshold = f"last unit < {duration_text(policy.fresh_s)} old"
    last = evidence.last_unit_at
    if last is None:
        return Guard("freshness", None, "no unit yet", threshold, "nothing has been compared in this epoch yet")
    age = now - last
    if -CLOCK_SKEW_S <= age < policy.fresh_s:
        return Guard("freshness", True, f"{duration_text(age)} old", threshold)
    return Guard(
        "freshness", None, f"{duration_text(age)} old", threshold, "nothing new has been compared: is traffic mirrored?"
    )


def age(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """Shown, not blocking: an epoch that never got promoted should be started afresh at some time."""
    threshold = f"first unit <= {duration_text(policy.ttl_s)} old"
    first = evidence.first_unit_at
    if first is None:
        return Guard("age", None, "no unit yet", threshold, blocking=False)
    seen = now - first
    old = "" if seen <= policy.ttl_s else "this evidence is old: a new build or rule set starts it afresh"
    return Guard("age", seen <= policy.ttl_s, f"{duration_text(seen)} old", threshold, old, blocking=False)


def noise(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """Too many exchanges without a judgement would hide mismatches."""
    limit = policy.max_noise_share
    threshold = f"raced + inconclusive <= {percent_text(limit)} of the comparisons"
    total = compared(evidence)
    doubtful = verdicts(evidence, Verdict.RACED, Verdict.INCONCLUSIVE)
    if not _all_counts(evidence) or total == 0:
        return Guard("noise", None, "no comparison yet", threshold, "nothing has been compared in this epoch yet")
    share = doubtful / total
    figure = f"{doubtful:,} of {total:,} ({percent_text(share)})"
    if share <= limit:
        return Guard("noise", True, figure, threshold)
    few = total < _NOISE_FLOOR and doubtful <= limit * _NOISE_FLOOR
    return Guard(
        "noise", None if few else False, figure, threshold, "find out why these could not be judged, or add rules for noise"
    )


def skips(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """An incident that lost exchanges is missing data, not a match: mismatches may be just what was lost."""
    limit = policy.max_incident_share
    factor = _INCIDENTS_PER_Q0 * (1.0 - policy.p0)
    threshold = f"<= {percent_text(limit)} lost to incidents, and with the mismatches < {percent_text(factor)}"
    total, lost = compared(evidence), evidence.incident_skips
    if not _all_counts(evidence) or total == 0:
        return Guard("skips", None, "no comparison yet", threshold, "nothing has been compared in this epoch yet")
    share = lost / (lost + total)
    figure = f"{lost:,} of {lost + total:,} ({percent_text(share)})"
    bad = verdicts(evidence, Verdict.MISMATCH) + _counted(evidence.candidate_errors)
    if share <= limit and (lost == 0 or bad + lost < factor * total):
        return Guard("skips", True, figure, threshold)
    return Guard(
        "skips", False, figure, threshold, "too many exchanges were dropped or lost: look at the ledger's skipped and lost"
    )


def latency(margin: Margin, evidence: Evidence, policy: Policy) -> Guard:
    """The candidate is within this quantile's margin."""
    name, blocking = f"latency {margin.tau}", policy.latency_required
    threshold = f"within max({margin.ratio:g}x, +{margin.slack_ms:g} ms) of the primary"
    lines = [line for line in evidence.latency if line.tau == margin.tau]
    if not lines:
        figure = f"{evidence.latency_samples:,} of {count_text(policy.latency_calibrate, 'sample')} to calibrate with"
        return Guard(name, None, figure, threshold, "the primary's own latency is still being measured", blocking)
    line = lines[0]
    good, bad = line.primary_slow_only, line.candidate_slow_only
    if len(lines) > 1 or not (is_count(good) and is_count(bad)):
        return Guard(name, None, "unknown", threshold, "the latency counts contradict themselves", blocking)
    figure = (
        f"primary slow alone {good:,}, candidate slow alone {bad:,} (over {line.threshold_ms:.4g} and {line.bound_ms:.4g} ms)"
    )
    if not 0.0 <= line.threshold_ms < math.inf or not math.isclose(
        line.bound_ms, margin.bound_ms(line.threshold_ms), rel_tol=1e-6, abs_tol=1e-9
    ):
        return Guard(
            name,
            None,
            figure,
            threshold,
            "these counts were taken with another margin: a new epoch starts them afresh",
            blocking,
        )
    verdict = latency_verdict(good, bad, policy.latency_alpha)
    if verdict == "pass":
        return Guard(name, True, figure, threshold, "", blocking)
    if verdict == "fail":
        return Guard(
            name, False, figure, threshold, f"the candidate is proven slower than the margin at {margin.tau}", blocking
        )
    return Guard(name, None, figure, threshold, "more pairs needed in which only one side is slow", blocking)


def ledger(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """Every client request is accounted for."""
    found = evidence.ledger_violations
    if not found:
        return Guard("ledger", True, "every request accounted for", "no violation")
    return Guard("ledger", False, count_text(len(found), "violation"), "no violation", "; ".join(found))


def contradictions(evidence: Evidence, standing: RouteStanding, now: float) -> list[str]:
    """What cannot be true about the figures, as clauses; empty when all is well."""
    found = []
    counts = {
        "n": evidence.n,
        "k": evidence.k,
        "open units": evidence.open_units,
        "candidate errors": evidence.candidate_errors,
    }
    counts |= {"incident skips": evidence.incident_skips, "latency samples": evidence.latency_samples, **evidence.verdicts}
    found += [f"{name} = {count!r} is no count" for name, count in counts.items() if not is_count(count)]
    found += [
        f"{name} = {count!r} must be at least 1"
        for name, count in (("attempt", evidence.attempt), ("routes", evidence.routes_total))
        if not (is_count(count) and count >= 1)
    ]
    if evidence.route != standing.route:
        found.append(f"the evidence is of {evidence.route!r}, the route is {standing.route!r}")
    if not math.isfinite(now):
        found.append("the clock gives no time")
    if found:
        return found
    if evidence.k > evidence.n:
        found.append(f"k = {evidence.k} exceeds n = {evidence.n}")
    if evidence.n > compared(evidence):
        found.append(f"{evidence.n} units cannot come from {compared(evidence)} compared exchanges")
    bad = verdicts(evidence, Verdict.MISMATCH) + evidence.candidate_errors
    if evidence.k > bad:
        found.append(f"{evidence.k} mismatching units cannot come from {bad} mismatching exchanges")
    if evidence.n:
        found += _time_contradictions(evidence, now)
    return found


def _time_contradictions(evidence: Evidence, now: float) -> list[str]:
    first, last = evidence.first_unit_at, evidence.last_unit_at
    if first is None or last is None or not (math.isfinite(first) and math.isfinite(last)):
        return ["the units have no times"]
    if first > last:
        return ["the first unit is later than the last"]
    return ["the last unit lies in the future: are the clocks right?"] if last > now + CLOCK_SKEW_S else []


def usable_counts(evidence: Evidence) -> bool:
    """Whether n, k, attempt and routes can be calculated with."""
    counts = (evidence.n, evidence.k, evidence.attempt, evidence.routes_total)
    share = evidence.alpha_share
    usable = share is None or 0.0 < share <= 1.0
    return (
        all(map(is_count, counts))
        and usable
        and evidence.k <= evidence.n
        and evidence.attempt >= 1
        and evidence.routes_total >= 1
    )


def compared(evidence: Evidence) -> int:
    """Exchanges that are evidence: matches, tolerated, mismatches and candidate errors."""
    return verdicts(evidence, Verdict.MATCH, Verdict.TOLERATED, Verdict.MISMATCH) + _counted(evidence.candidate_errors)


def verdicts(evidence: Evidence, *names: Verdict) -> int:
    """How many exchanges got one of these verdicts."""
    return sum(_counted(evidence.verdicts.get(str(name), 0)) for name in names)


def _counted(value: int) -> int:
    """What is no count adds nothing; `contradictions` names it."""
    return value if is_count(value) else 0


def _all_counts(evidence: Evidence) -> bool:
    return all(map(is_count, (*evidence.verdicts.values(), evidence.candidate_errors, evidence.incident_skips)))


def is_count(value: object) -> bool:
    """Whether this is a whole number of 0 or more, small enough to calculate with."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_COMPARISONS
