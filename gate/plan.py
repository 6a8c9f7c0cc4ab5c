"""How much traffic and time a route still needs, if things go on as they were observed. A forecast for people; no guard looks at it.

Only what time and traffic bring is forecast. Where nothing was observed nothing is promised: `days` is None, and `text` says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gate.coverage_floors import lacking_classes, lacking_shapes, requests_until_covered
from gate.evaluate import evaluate
from gate.facts import Evidence, RouteStanding
from gate.guards import compared, usable_counts
from gate.parity import clean_needed, parity_verdict
from gate.policy import DAY_S, Policy
from gate.steps import FULL_WEIGHT, next_stop
from gate.wording import count_text, duration_text, percent_text

WEEK_S = 7 * DAY_S
MOST_UNITS = 10**12
ROUGH_S = DAY_S
"""Shorter observations have not seen a day and a night."""
FORECAST = frozenset({"parity", "span", "week", "coverage shapes", "coverage status", "coverage unseen", "latency"})
"""Guards that traffic and time alone can bring to hold."""
_BY_THEMSELVES = frozenset({"evidence", "epoch", "freshness", "noise", "skips", "diversity", "storm", "slot"})


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that is missing. `units` and `days` are None where they cannot be foreseen, `days` also where only units count."""

    name: str
    units: int | None
    days: float | None
    text: str


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """A route's forecast. `days` is until traffic and time have brought all they can; None where that cannot be said."""

    route: str
    state: str
    verdict: str
    n: int
    k: int
    parity: float
    alpha: float
    units_per_day: float | None
    observed_s: float
    clean_needed: int
    """Further units until parity passes if all of them are clean."""
    units_needed: int | None
    """The same if mismatches go on at the present rate; None where it never passes so."""
    exchanges_needed: int | None
    """The traffic that makes so many units, as many exchanges per unit as until now."""
    needs: tuple[Need, ...]
    besides: tuple[str, ...]
    """Guards that do not hold and that traffic alone does not mend: approvals, a lock, noise ..."""
    days: float | None
    canary_days: float | None
    """From the first step to the cut-over: dwelling times, and units of clients that the candidate serves."""
    text: str


@dataclass(frozen=True, slots=True)
class Total:
    """All routes together. `days` is that of the slowest route that can be foreseen; `unforeseen` are those that cannot."""

    routes: int
    ready: int
    unforeseen: int
    units_per_day: float
    units_needed: int
    exchanges_needed: int
    days: float | None
    text: str


def plan_route(
    evidence: Evidence, standing: RouteStanding, policy: Policy, now: float, exchanges_per_day: float | None = None
) -> RoutePlan:
    """What the route needs. `exchanges_per_day` is what was compared of it lately, for a route without a closed unit. Never raises."""
    verdict = evaluate(evidence, standing, policy, now)
    usable = usable_counts(evidence)
    n, k = (evidence.n, evidence.k) if usable else (0, 0)
    rate, observed = observed_rate(evidence, policy, now) if usable else (None, 0.0)
    at_least = rate is None and n == 0 and bool(exchanges_per_day)
    if at_least:
        rate = exchanges_per_day  # a unit is at least one exchange
    units = units_needed(k, n, policy.p0, verdict.alpha)
    needs = _needs(evidence, policy, now, rate, units) if usable else ()
    shown = {name for name in FORECAST if name != "latency"}
    besides = tuple(
        guard.name
        for guard in verdict.guards
        if guard.blocking
        and guard.holds is not True
        and guard.name not in shown
        and not _waits_for_data(guard.name, guard.holds)
    )
    unknown = not usable or units is None or any(need.days is None for need in needs)
    days = None if unknown or (rate is None and needs) else max((need.days or 0.0 for need in needs), default=0.0)
    per_unit = max(1.0, compared(evidence) / n) if n else 1.0
    return RoutePlan(
        route=standing.route,
        state=str(standing.state),
        verdict=verdict.verdict,
        n=n,
        k=k,
        parity=policy.p0,
        alpha=verdict.alpha,
        units_per_day=rate,
        observed_s=observed,
        clean_needed=verdict.clean_needed,
        units_needed=units,
        exchanges_needed=None if units is None else math.ceil(units * per_unit),
        needs=needs,
        besides=besides,
        days=days,
        canary_days=_canary_days(standing, policy, rate),
        text=_sentence(standing.route, verdict.verdict, k, n, policy, rate, observed, needs, besides, days, units, at_least),
    )


def observed_rate(evidence: Evidence, policy: Policy, now: float) -> tuple[float | None, float]:
    """Units a day in this epoch, and how long that was observed in seconds; None without a unit, and once none comes any more."""
    first, last = evidence.first_unit_at, evidence.last_unit_at
    if evidence.n == 0 or first is None or last is None or not math.isfinite(now):
        return None, 0.0
    observed = max(now - first, policy.unit_window_s)
    if now - last > max(policy.fresh_s, 3 * policy.unit_window_s):
        return None, observed
    return evidence.n / observed * DAY_S, observed


def units_needed(k: int, n: int, p0: float, alpha: float) -> int | None:
    """Further units until parity passes with mismatches at the present rate k/n; None where that takes more than MOST_UNITS."""
    if parity_verdict(k, n, p0, alpha) == "pass":
        return 0
    if k == 0:
        return clean_needed(k, n, p0, alpha)
    share = k / n
    if share >= 1.0 - p0:
        return None

    def passes(more: int) -> bool:
        return parity_verdict(k + math.ceil(share * more), n + more, p0, alpha) == "pass"

    short, enough = 0, 1
    while not passes(enough):
        short, enough = enough, enough * 2
        if enough > MOST_UNITS:
            return None
    while enough - short > max(1, enough // 10_000):
        middle = (short + enough) // 2
        short, enough = (short, middle) if passes(middle) else (middle, enough)
    return enough


def plan_total(plans: Sequence[RoutePlan]) -> Total:
    """The sums over all routes."""
    known = [plan for plan in plans if plan.days is not None]
    days = max((plan.days or 0.0 for plan in known), default=None)
    ready = sum(1 for plan in plans if plan.verdict == "pass")
    units = sum(plan.units_needed or 0 for plan in plans)
    unforeseen = len(plans) - len(known)
    if not plans:
        text = "no route has traffic yet: nothing can be said"
    else:
        text = f"{ready} of {count_text(len(plans), 'route')} may move now"
        if known and ready < len(plans) and days is not None:
            text += f"; the slowest of those that can be foreseen needs {_days_text(days)}"
        if unforeseen:
            text += f"; of {count_text(unforeseen, 'route')} nothing can be promised"
    return Total(
        routes=len(plans),
        ready=ready,
        unforeseen=unforeseen,
        units_per_day=sum(plan.units_per_day or 0.0 for plan in plans),
        units_needed=units,
        exchanges_needed=sum(plan.exchanges_needed or 0 for plan in plans),
        days=days,
        text=text,
    )


def _needs(evidence: Evidence, policy: Policy, now: float, rate: float | None, units: int | None) -> tuple[Need, ...]:
    needs = []

    def traffic(name: str, count: int, share: float, text: str) -> None:
        """`count` more units of those that are `share` of the traffic."""
        per_day = (rate or 0.0) * share
        needs.append(Need(name, count, count / per_day if per_day > 0.0 else None, text))

    if units:
        clean = "" if evidence.k == 0 else ", with mismatches as often as until now"
        traffic("parity", units, 1.0, f"{count_text(units, 'more unit')}{clean}")
    first, last = evidence.first_unit_at, evidence.last_unit_at
    gathered = last - first if first is not None and last is not None else 0.0
    if gathered < policy.span_s:
        left = policy.span_s - gathered
        needs.append(Need("span", None, left / DAY_S, f"{duration_text(left)} more of traffic"))
    if policy.week_share > 0.0 and (evidence.week_share is None or evidence.week_share < policy.week_share):
        age = now - first if first is not None else 0.0
        left_days = (WEEK_S - age) / DAY_S if age < WEEK_S else None
        have = percent_text(evidence.week_share or 0.0)
        needs.append(
            Need(
                "week",
                None,
                left_days,
                f"hours of the week with {percent_text(policy.week_share)} of the traffic, {have} so far",
            )
        )
    if policy.coverage_required:
        shapes = lacking_shapes(evidence, policy)
        if shapes:
            slowest = max(shapes, key=lambda lack: lack.units / lack.share if lack.share else math.inf)
            named = f"{count_text(slowest.units, 'more unit')} of {slowest.name}"
            more = f" (and of {len(shapes) - 1} other kinds of requests)" if len(shapes) > 1 else ""
            traffic("coverage shapes", slowest.units, slowest.share, f"{named}{more}")
        for lack in lacking_classes(evidence, policy):
            traffic("coverage status", lack.units, lack.share, f"{count_text(lack.units, 'more unit')} answered {lack.name}")
        unseen = requests_until_covered(evidence, policy)
        if unseen:
            # Requests are counted one by one; of units there are fewer.
            per_unit = max(1.0, compared(evidence) / evidence.n) if evidence.n else 1.0
            traffic("coverage unseen", math.ceil(unseen / per_unit), 1.0, f"{count_text(unseen, 'request')} without a new kind")
    missing = policy.latency_calibrate - evidence.latency_samples
    if policy.latency_required and missing > 0 and not evidence.latency:
        traffic("latency", missing, 1.0, f"{count_text(missing, 'sample')} to calibrate with, then pairs that tell")
    return tuple(needs)


def _waits_for_data(name: str, holds: bool | None) -> bool:
    """Guards that lack nothing but comparisons, or that other routes move on: they come by themselves."""
    return holds is None and (name.startswith("latency") or name in _BY_THEMSELVES)


def _canary_days(standing: RouteStanding, policy: Policy, rate: float | None) -> float | None:
    """The days of all canary steps that lie ahead; 0 where there are none, None where units cannot be foreseen."""
    if next_stop(standing, policy) is None or not policy.steps:
        return 0.0
    ahead = [
        (share, dwell)
        for share, dwell in zip(policy.steps, policy.dwell_s, strict=True)
        if round(share * FULL_WEIGHT) > standing.weight_bp
    ]
    if not rate:
        return None if ahead else 0.0
    return sum(max(dwell / DAY_S, policy.step_clean / (rate * share)) for share, dwell in ahead)


def _sentence(
    route: str,
    verdict: str,
    k: int,
    n: int,
    policy: Policy,
    rate: float | None,
    observed: float,
    needs: tuple[Need, ...],
    besides: tuple[str, ...],
    days: float | None,
    units: int | None,
    at_least: bool,
) -> str:
    besides_text = f"; besides: {', '.join(besides)}" if besides else ""
    if verdict == "pass":
        return f"{route}: every guard holds, it may move now"
    if units is None:
        have, most = percent_text(k / n), percent_text(1.0 - policy.p0)
        return f"{route}: never while {have} mismatch, less than {most} is asked for: fix the mismatches{besides_text}"
    if days is None and not needs:
        return f"{route}: the figures contradict themselves, so no time can be promised{besides_text}"
    if needs and rate is None:
        return f"{route}: nothing is compared, so no time can be promised; needed: {_listed(needs)}{besides_text}"
    if not needs:
        return f"{route}: traffic brings nothing more{besides_text or '; time does'}"
    if days is None:
        open_ended = ", ".join(need.name for need in needs if need.days is None)
        return f"{route}: cannot be foreseen ({open_ended}); needed: {_listed(needs)}{besides_text}"
    slowest = max(needs, key=lambda need: need.days or 0.0)
    pace = f"{rate or 0.0:,.0f} units a day"
    rough = f", a rough figure from {duration_text(observed)}" if observed < ROUGH_S and not at_least else ""
    if at_least:
        pace, rough = f"{rate or 0.0:,.0f} comparisons a day at the most", ", no unit is closed yet"
    return (
        f"{route}: {'at least' if at_least else 'about'} {_days_text(days)} at {pace}{rough}; "
        f"the slowest is {slowest.name}: {slowest.text}{besides_text}"
    )


def _listed(needs: tuple[Need, ...]) -> str:
    return "; ".join(need.text for need in needs)


def _days_text(days: float) -> str:
    return duration_text(days * DAY_S) if days < 3650 else "more than ten years"
