"""The forecast: right where things go on as they were, and silent where nothing can be known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.coverage_floors import requests_until_covered
from gate.discovery import is_covered
from gate.facts import Coverage, Evidence, Fleet, RouteStanding, ShapeEvidence, State
from gate.overrides import policy_for
from gate.parity import parity_verdict
from gate.plan import RoutePlan, plan_route, plan_total, units_needed
from gate.policy import DAY_S, HOUR_S, Policy

ROUTE = "GET /items/{id}"
NOW = 1_800_000_000.0
DEFAULT = policy_for("default", 0.999, 0.05, {})
BARE = policy_for(
    "default",
    0.999,
    0.05,
    {
        "coverage": {"required": False},
        "latency": {"required": False},
        "span": {"min": 0, "profile": 0},
        "approvals": {"count": 0},
    },
)
STANDING = RouteStanding(ROUTE)


def seen(n: int, k: int = 0, days: float = 2.0, per_unit: int = 3, **more: object) -> Evidence:
    """Evidence of `days` days until now, with `per_unit` exchanges a unit."""
    made = Evidence(
        route=ROUTE,
        epoch="e1",
        n=n,
        k=k,
        first_unit_at=NOW - days * DAY_S,
        last_unit_at=NOW - HOUR_S,
        verdicts={"match": n * per_unit - k, "mismatch": k},
        fleet=Fleet(traffic=0.1, drilled_at=NOW - HOUR_S),
        top_client=1,
        top_request=1,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def plan(
    evidence: Evidence, policy: Policy = BARE, standing: RouteStanding = STANDING, lately: float | None = None
) -> RoutePlan:
    return plan_route(evidence, standing, policy, NOW, lately)


def test_clean_units_are_foreseen_from_the_rate_of_this_epoch() -> None:
    """2,000 units in 2 days, 3,642 needed at alpha .05/2 (attempt 1) of a single route: the rest at 1,000 a day."""
    made = plan(seen(2_000))

    assert made.units_needed == made.clean_needed > 0
    assert parity_verdict(0, 2_000 + made.clean_needed, 0.999, made.alpha) == "pass"
    assert made.units_per_day == 1_000
    assert made.days == pytest.approx(made.clean_needed / 1_000)
    assert made.exchanges_needed == 3 * made.clean_needed
    assert "1,000 units a day" in made.text


def test_mismatches_are_expected_to_go_on() -> None:
    """With 1 in 4,000 more is needed than if all the rest were clean; with 1 in 500 it is never enough, and that is said."""
    some, many = plan(seen(4_000, 1)), plan(seen(2_000, 4))

    assert some.units_needed is not None
    assert some.units_needed > some.clean_needed
    assert (many.units_needed, many.days, many.exchanges_needed) == (None, None, None)
    assert "never while 0.2 % mismatch, less than 0.1 % is asked for: fix the mismatches" in many.text


@given(st.integers(0, 5_000), st.integers(0, 5), st.sampled_from([0.99, 0.999]), st.floats(1e-4, 0.1))
@settings(max_examples=60, deadline=None)
def test_units_that_are_forecast_are_enough(n: int, k: int, parity: float, alpha: float) -> None:
    k = min(k, n)
    needed = units_needed(k, n, parity, alpha)
    if needed is None:
        assert k > 0
    else:
        more = math.ceil(k / n * needed) if n else 0
        assert parity_verdict(k + more, n + needed, parity, alpha) == "pass"


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(ROUTE),
        seen(0, first_unit_at=None, last_unit_at=None, verdicts={}),
        seen(100, last_unit_at=NOW - 3 * DAY_S, first_unit_at=NOW - 4 * DAY_S),
        seen(10, 11),
    ],
    ids=["unknown", "no unit", "quiet for three days", "contradictory"],
)
def test_without_traffic_nothing_is_promised(evidence: Evidence) -> None:
    made = plan(evidence)

    assert (made.units_per_day, made.days) == (None, None)
    assert "no time can be promised" in made.text or "cannot be foreseen" in made.text


def test_a_route_without_a_closed_unit_is_told_a_least_time_from_its_comparisons() -> None:
    """Units are fewer than comparisons: the forecast is a lower bound and says so."""
    made = plan(Evidence(ROUTE), lately=1_000.0)

    assert made.days == pytest.approx(made.clean_needed / 1_000)
    assert "at least" in made.text
    assert "comparisons a day at the most, no unit is closed yet" in made.text


def test_a_short_observation_is_called_rough() -> None:
    assert "a rough figure from 3 h" in plan(seen(1_000, days=0.125)).text
    assert "rough" not in plan(seen(1_000, days=1.5)).text


def test_span_and_week_are_awaited_where_traffic_is_plenty() -> None:
    """50,000 clean units in two days: five more for the span and for the week."""
    policy = policy_for("default", 0.999, 0.05, {"coverage": {"required": False}, "latency": {"required": False}})
    made = plan(seen(50_000, week_share=0.4), policy)

    assert {need.name: need.units for need in made.needs} == {"span": None, "week": None}
    assert made.days == pytest.approx(5, abs=0.05)
    assert made.besides == ("approvals",)
    assert "besides: approvals" in made.text


def test_hours_of_the_week_that_a_whole_week_did_not_fill_are_not_foreseen() -> None:
    policy = policy_for("default", 0.999, 0.05, {"coverage": {"required": False}, "latency": {"required": False}})
    made = plan(seen(50_000, days=9, week_share=0.4), policy)

    assert made.days is None
    assert "cannot be foreseen (week)" in made.text


def test_rare_kinds_of_requests_are_what_is_waited_for() -> None:
    """A shape with 1 % of the traffic and 9 of 59 units, a class with 0.2 % and 9 of 299, from 10,000 units a day."""
    coverage = Coverage(
        100_000,
        (1, 2, 3),
        (
            ShapeEvidence("a", 98_800, 20_000, 0, 2, "2xx plain"),
            ShapeEvidence("b", 1_000, 9, 0, 2, "2xx ?page"),
            ShapeEvidence("c", 200, 9, 0, 4, "4xx plain"),
        ),
    )
    policy = policy_for("default", 0.999, 0.05, {"latency": {"required": False}, "span": {"min": 0, "profile": 0}})
    made = plan(seen(20_000, coverage=coverage), policy)
    needs = {need.name: need for need in made.needs}

    assert set(needs) == {"coverage shapes", "coverage status"}
    assert (needs["coverage shapes"].units, needs["coverage shapes"].days) == (50, pytest.approx(0.5))
    assert needs["coverage shapes"].text == "50 more units of 2xx ?page"
    assert (needs["coverage status"].units, needs["coverage status"].days) == (290, pytest.approx(14.5))
    assert made.days == pytest.approx(14.5)
    assert "the slowest is coverage status: 290 more units answered 4xx" in made.text


@given(st.lists(st.integers(1, 2_000), max_size=8, unique=True), st.integers(1, 3_000))
@settings(max_examples=40, deadline=None)
def test_requests_until_the_unseen_share_is_small_are_the_fewest_that_do(discovered: list[int], more: int) -> None:
    found = tuple(sorted(discovered))
    requests = max(found, default=0) + more
    evidence = Evidence(ROUTE, coverage=Coverage(requests, found))
    needed = requests_until_covered(evidence, DEFAULT)

    assert needed is not None
    assert is_covered(found, requests + needed, DEFAULT.unseen, DEFAULT.coverage_delta)
    if needed:
        assert not is_covered(found, requests, DEFAULT.unseen, DEFAULT.coverage_delta)


def test_canary_steps_take_their_dwelling_time_or_their_units_whichever_is_longer() -> None:
    """At 1,000 units a day 363 served ones take 36.3 d at 1 %, 7.26 d at 5 %, 1.452 d at 25 % and the 24 h of the last step."""
    made = plan(seen(50_000, days=50))
    at_half = plan(seen(50_000, days=50), BARE, RouteStanding(ROUTE, State.CANARY, 3, 2_500, epoch="e1", since=NOW - HOUR_S))

    assert made.canary_days == pytest.approx(36.3 + 7.26 + 1.452 + 1)
    assert at_half.canary_days == pytest.approx(1)
    assert plan(Evidence(ROUTE)).canary_days is None
    assert plan(seen(9), BARE, RouteStanding(ROUTE, State.CUTOVER, 0, 10_000)).canary_days == 0


def test_a_route_that_passes_needs_nothing() -> None:
    made = plan(seen(50_000))

    assert (made.verdict, made.units_needed, made.needs, made.days) == ("pass", 0, (), 0)
    assert made.text == f"{ROUTE}: every guard holds, it may move now"


def test_what_no_traffic_mends_is_named_beside_the_time() -> None:
    """A lock and the noise block: no time helps."""
    noisy = seen(50_000, verdicts={"match": 60_000, "raced": 10_000})
    made = plan(noisy, BARE, RouteStanding(ROUTE, locked=True))

    assert made.besides == ("noise", "locked")
    assert made.text == f"{ROUTE}: traffic brings nothing more; besides: noise, locked"


def test_the_sums_of_all_routes() -> None:
    """Units and exchanges add up; the time is the slowest route's; what cannot be foreseen is counted and not promised."""
    plans = [plan(seen(50_000)), plan(seen(2_000)), plan(seen(500)), plan(Evidence(ROUTE))]
    total = plan_total(plans)

    assert (total.routes, total.ready, total.unforeseen) == (4, 1, 1)
    assert total.units_needed == sum(made.units_needed or 0 for made in plans)
    assert total.days == plans[2].days
    assert total.units_per_day == pytest.approx(26_250)
    assert total.text.startswith("1 of 4 routes may move now; the slowest")
    assert total.text.endswith("of 1 route nothing can be promised")
    assert plan_total([]).text == "no route has traffic yet: nothing can be said"
