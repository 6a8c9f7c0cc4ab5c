"""How often both sides may be asked again."""

from __future__ import annotations

from shadow_clock import Clock

from shadow.budget import OVER_ALL, PER_ROUTE, AskBudget, AskLimit


def test_is_bounded_per_route_and_over_all_routes() -> None:
    clock = Clock()
    budget = AskBudget(clock, AskLimit(share=1.0, rate=1.0, burst=2.0), AskLimit(share=1.0, rate=1.0, burst=3.0))
    assert [budget.take("GET /a") for _ in range(3)] == [True, True, False]
    assert [budget.take("GET /b") for _ in range(2)] == [True, False]


def test_is_earned_by_traffic_and_paced_by_time() -> None:
    clock = Clock()
    budget = AskBudget(clock, AskLimit(share=0.5, rate=1.0, burst=1.0), AskLimit(share=0.5, rate=1.0, burst=1.0))
    assert budget.take("GET /a")
    clock.now += 100.0
    assert not budget.take("GET /a"), "time alone earned a token"
    budget.passed("GET /a")
    budget.passed("GET /a")
    assert budget.take("GET /a")
    budget.passed("GET /a")
    budget.passed("GET /a")
    assert not budget.take("GET /a"), "traffic alone, without time, earned a token"


def test_route_that_is_always_wrong_is_asked_for_a_fraction_of_its_own_traffic() -> None:
    """Ten minutes at 200 requests a second, each of them a mismatch that would be asked twice."""
    clock = Clock()
    budget = AskBudget(clock)
    asked = 0
    for step in range(120_000):
        clock.now = 100.0 + step * 0.005
        budget.passed("GET /a")
        asked += budget.take("GET /a") + budget.take("GET /a")
    assert 0 < asked <= PER_ROUTE.burst + PER_ROUTE.rate * 600 + 1
    assert asked < 0.05 * 120_000


def test_quiet_route_that_is_always_wrong_does_not_get_its_load_doubled_either() -> None:
    clock = Clock()
    budget = AskBudget(clock)
    asked = 0
    for step in range(400):
        clock.now = 100.0 + step * 2.0
        budget.passed("GET /a")
        asked += budget.take("GET /a") + budget.take("GET /a")
    assert asked <= PER_ROUTE.burst + 400 * PER_ROUTE.share


def test_many_wrong_routes_together_stay_within_the_budget_over_all() -> None:
    clock = Clock()
    budget = AskBudget(clock)
    asked = 0
    for step in range(60_000):
        clock.now = 100.0 + step * 0.001
        route = f"GET /{step % 500}"
        budget.passed(route)
        asked += budget.take(route)
    assert asked <= OVER_ALL.burst + OVER_ALL.rate * 60 + 1
