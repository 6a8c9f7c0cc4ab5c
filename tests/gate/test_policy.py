"""Profiles and overrides: every threshold resolved, and senseless ones refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gate.overrides import policy_for
from gate.policies import Policies, policies_for
from gate.policy import DAY_S, HOUR_S
from settings.model import Gate

DEFAULT = policy_for("default", 0.999, 0.05, {})


def test_the_default_profile() -> None:
    """The reference's 3b."""
    assert (DEFAULT.p0, DEFAULT.alpha, DEFAULT.split_alpha, DEFAULT.spend_alpha) == (0.999, 0.05, True, True)
    assert (DEFAULT.unit_window_s, DEFAULT.unit_max_open) == (HOUR_S, 20_000)
    assert (DEFAULT.max_share_client, DEFAULT.max_share_request) == (0.05, 0.2)
    assert (DEFAULT.span_s, DEFAULT.ttl_s) == (7 * DAY_S, 14 * DAY_S)
    assert [(m.tau, m.ratio, m.slack_ms) for m in DEFAULT.latency] == [("p50", 1.1, 5), ("p95", 1.1, 10), ("p99", 1.25, 25)]
    assert (DEFAULT.latency_calibrate, DEFAULT.latency_required, DEFAULT.coverage_required) == (5000, True, True)
    assert DEFAULT.steps == (0.01, 0.05, 0.25, 0.5)
    assert DEFAULT.dwell_s == (HOUR_S, 4 * HOUR_S, DAY_S, DAY_S)
    assert (DEFAULT.approvals, DEFAULT.approvals_each_step) == (2, False)
    assert (DEFAULT.lease_s, DEFAULT.lease_renew_s) == (60, 15)


def test_the_strict_profile_is_one_tier_up() -> None:
    """.999 as .9999, .99 as .999; 14 days; people agree to each step."""
    strict = policy_for("strict", 0.999, 0.05, {})

    assert (strict.p0, policy_for("strict", 0.99, 0.05, {}).p0) == (0.9999, 0.999)
    assert (strict.span_s, strict.approvals, strict.approvals_each_step) == (14 * DAY_S, 2, True)


def test_the_demo_profile() -> None:
    """p0 .95, unsplit and unspent, 2 s units, 20 s span; latency and coverage do not block; no steps, no approvals."""
    demo = policy_for("demo", 0.999, 0.05, {})

    assert (demo.p0, demo.alpha_for(400, 9), demo.unit_window_s, demo.span_s) == (0.95, 0.05, 2, 20)
    assert (demo.max_share_client, demo.max_share_request) == (1, 1)
    assert (demo.latency_required, demo.coverage_required) == (False, False)
    assert (demo.steps, demo.dwell_s, demo.approvals) == ((), (), 0)


def test_a_parity_asked_for_is_kept_in_the_demo_profile() -> None:
    """Only the parity left at its default becomes .95."""
    assert policy_for("demo", 0.99, 0.05, {}).p0 == 0.99


@given(st.integers(1, 500), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_s13_alpha_is_never_overspent(routes: int, attempts: int) -> None:
    """S13: over routes and attempts the errors add up to at most alpha."""
    assert routes * sum(DEFAULT.alpha_for(routes, j) for j in range(1, attempts + 1)) <= 0.05 * (1 + 1e-12)


def test_the_settings_with_nothing_set_are_the_profile() -> None:
    """None means the profile's own value."""
    for profile in ("default", "strict", "demo"):
        gate = Gate(profile=profile)  # type: ignore[arg-type]
        assert policy_for(profile, gate.parity, gate.alpha, gate.model_dump()) == policy_for(profile, 0.999, 0.05, {})


def test_settings_override_the_profile() -> None:
    """Each table the settings know, in their parsed form: slack in seconds."""
    gate = Gate.model_validate(
        {
            "unit": {"window": "10s", "max_open": 7},
            "span": {"min": "30d"},
            "latency": {"p95": [1.5, "40ms"], "calibrate": 50},
            "approvals": {"count": 1},
            "canary": {"steps": [0.1, 0.5]},
        }
    )
    policy = policy_for("default", 0.99, 0.01, gate.model_dump())

    assert (policy.p0, policy.alpha, policy.unit_window_s, policy.unit_max_open) == (0.99, 0.01, 10, 7)
    assert (policy.span_s, policy.ttl_s) == (30 * DAY_S, 60 * DAY_S)
    assert [(m.tau, m.ratio, m.slack_ms) for m in policy.latency] == [("p50", 1.1, 5), ("p95", 1.5, 40), ("p99", 1.25, 25)]
    assert (policy.latency_calibrate, policy.approvals, policy.steps) == (50, 1, (0.1, 0.5))
    assert policy.dwell_s == (HOUR_S, 4 * HOUR_S)


def test_coverage_and_latency_can_be_made_non_blocking() -> None:
    """`[gate.coverage] required = false`."""
    policy = policy_for("default", 0.999, 0.05, {"coverage": {"required": False}, "latency": {"required": False}})

    assert not policy.coverage_required
    assert not policy.latency_required


@pytest.mark.parametrize(
    ("profile", "parity", "alpha", "overrides", "sentence"),
    [
        ("loose", 0.999, 0.05, {}, "choose one of default, strict, demo"),
        ("default", 1.0, 0.05, {}, "gate.parity = 1.0"),
        ("default", 0.999, math.nan, {}, "gate.alpha = nan"),
        ("default", 0.999, 0.05, {"canary": {"steps": [0.5, 0.1]}}, "must rise"),
        ("default", 0.999, 0.05, {"canary": {"steps": [0.5, 0.5]}}, "must rise"),
        ("default", 0.999, 0.05, {"canary": {"steps": [1.0]}}, "must rise, each between 0 and 1"),
        ("default", 0.999, 0.05, {"canary": {"steps": [0.00001]}}, "at least 0.0001"),
        ("default", 0.999, 0.05, {"canary": {"steps": [0.5, 0.50001]}}, "same ten-thousandth"),
        ("default", 0.999, 0.05, {"canary": {"steps": "fast"}}, "no list"),
        ("default", 0.999, 0.05, {"canary": {"dwell": [1]}}, "1 entries for 4 steps"),
        ("default", 0.999, 0.05, {"latency": {"p50": [1.1]}}, "a ratio and a slack"),
        ("default", 0.999, 0.05, {"latency": {"p50": [0.9, 0.005]}}, "below 1"),
        ("default", 0.999, 0.05, {"unit": {"window": 0}}, "longer than 0"),
        ("default", 0.999, 0.05, {"span": {"min": math.nan}}, "gate.span.min"),
        ("default", 0.999, 0.05, {"coverage": {"required": "no"}}, "neither true nor false"),
        ("default", 0.999, 0.05, {"span": 5}, "no table"),
    ],
)
def test_senseless_values_are_a_sentence(
    profile: str, parity: float, alpha: float, overrides: dict[str, object], sentence: str
) -> None:
    """ValueError that names the key and the value."""
    with pytest.raises(ValueError, match=sentence):
        policy_for(profile, parity, alpha, overrides)


def test_the_cooldown_doubles_up_to_a_day() -> None:
    """1 h x 2^(strikes-1), at most 24 h, for any number of strikes."""
    assert [DEFAULT.cooldown_after(n) / HOUR_S for n in (0, 1, 2, 3, 5, 6, 10_000)] == [0, 1, 2, 4, 16, 24, 24]


def policies(**gate: object) -> Policies:
    """The policies of a `[gate]` table, by way of the settings' model."""
    made = Gate.model_validate(gate)
    return policies_for(made.profile, made.parity, made.alpha, made.model_dump(exclude={"profile", "parity", "alpha"}))


def entry(route: str, **more: object) -> dict[str, object]:
    return {"route": route, **more}


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ({}, (0.9999, 0.999, 0.99)),
        ({"parity": 0.9995}, (0.9999, 0.9995, 0.99)),
        ({"tiers": {"A": 0.99995, "B": 0.998, "C": {"parity": 0.95}}}, (0.99995, 0.998, 0.95)),
        ({"profile": "strict"}, (0.99999, 0.9999, 0.999)),
        ({"profile": "demo"}, (0.95, 0.95, 0.95)),
        ({"profile": "demo", "tiers": {"A": 0.99}}, (0.99, 0.95, 0.95)),
    ],
)
def test_each_tier_has_its_parity_and_strict_asks_one_class_more(
    gate: dict[str, object], expected: tuple[float, float, float]
) -> None:
    """Strict: B as A, C as B, and A a class of its own above."""
    made = policies(**gate, routes=[entry(f"GET /{tier}", tier=tier) for tier in "ABC"])

    assert tuple(made.of(f"GET /{tier}").p0 for tier in "ABC") == pytest.approx(expected, abs=1e-12)
    assert [made.tier(f"GET /{tier}") for tier in "ABC"] == ["A", "B", "C"]
    assert (made.of("GET /other").p0, made.tier("GET /other")) == (made.of("GET /B").p0, "B")


def test_a_route_s_own_keys_win_over_its_tier_s_and_those_over_the_profile() -> None:
    made = policies(
        canary={"step_clean": 500},
        span={"min": "10d"},
        tiers={"A": {"approvals": {"count": 3}, "span": {"min": "20d"}, "coverage": {"per_shape": 99}}},
        routes=[
            entry("POST /pay", tier="A", approvals={"count": 4}, latency={"p99": [1.5, "50ms"]}),
            entry("GET /x", parity=0.9995, coverage={"required": False}),
        ],
    )
    pay, x, usual = made.of("POST /pay"), made.of("GET /x"), made.of("GET /else")

    assert (pay.p0, pay.approvals, pay.span_s, pay.per_shape, pay.step_clean) == (0.9999, 4, 20 * DAY_S, 99, 500)
    assert [(margin.tau, margin.ratio) for margin in pay.latency] == [("p50", 1.1), ("p95", 1.1), ("p99", 1.5)]
    assert (x.p0, x.coverage_required, x.approvals, x.span_s) == (0.9995, False, 2, 10 * DAY_S)
    assert usual == policy_for("default", 0.999, 0.05, {"canary": {"step_clean": 500}, "span": {"min": 10 * DAY_S}})


def test_what_is_asked_of_one_route_is_asked_as_it_stands_in_the_strict_profile() -> None:
    assert policies(profile="strict", routes=[entry("GET /x", parity=0.9995)]).of("GET /x").p0 == 0.9995


def test_parameter_names_make_no_difference_to_a_route_s_policy() -> None:
    made = policies(routes=[entry("GET /items/{id}", tier="A")])

    assert made.of("GET /items/{pk}").p0 == 0.9999
    assert made.of("GET /items/{pk}/").p0 == 0.999
    assert made.of("GET __unrouted__") == made.usual
    assert made.unknown(["GET /items/{any}"]) == ()
    assert made.unknown(["GET /item/{id}"]) == ("GET /items/{id}",)


@given(
    st.lists(st.floats(0.001, 0.2), max_size=4),
    st.floats(0.001, 0.2),
    st.integers(1, 500),
    st.integers(1, 40),
)
@settings(max_examples=60, deadline=None)
def test_s13_weights_and_the_reserve_never_spend_more_than_alpha(
    weights: list[float], reserve: float, others: int, attempts: int
) -> None:
    """S13: over routes with a weight, routes without one and attempts, at most alpha; a route that is added changes no weight."""
    entries = [entry(f"GET /{number}", weight=weight) for number, weight in enumerate(weights)]
    made = policies(reserve=reserve, routes=entries)
    routes = [made.of(f"GET /{number}") for number in range(len(weights))]
    total = sum(policy.alpha_for(others, j) for policy in routes for j in range(1, attempts + 1))
    total += others * sum(made.usual.alpha_for(others, j) for j in range(1, attempts + 1))

    assert total <= 0.05 * (1 + 1e-9)
    added = policies(reserve=reserve, routes=[*entries, entry("GET /new")])
    assert [added.of(f"GET /{number}") for number in range(len(weights))] == routes


@pytest.mark.parametrize(
    ("gate", "sentence"),
    [
        ({"routes": [entry("GET /a", weight=0.3)]}, "set gate.reserve to at most 0.7"),
        ({"reserve": 0.1, "routes": [entry("GET /a", weight=0.7), entry("GET /b", weight=0.3)]}, "make the weights smaller"),
        ({"reserve": 0}, "greater than 0"),
        ({"routes": [entry("GET /a/{x}"), entry("GET /a/{y}")]}, r"gate.routes\[1\] \(GET /a/{y}\): is the same route as"),
        ({"routes": [entry("GET /a", canary={"dwell": ["1h"]})]}, r"gate.routes\[0\] \(GET /a\).canary.dwell has 1 entries"),
        ({"tiers": {"A": {"latency": {"p50": [0.5, 0]}}}}, r"gate.tiers.A.latency.p50: the ratio 0.5 is below 1"),
        ({"routes": [entry("GTE /a")]}, "the method must be one of"),
        ({"routes": [entry("GET /a", tier="D")]}, "Input should be 'A', 'B' or 'C'"),
        ({"routes": [entry("GET /a", weight=0)]}, "greater than 0"),
        ({"parity": 0.99, "tiers": {"B": 0.999}}, "are both tier B's: give one of them"),
        ({"tiers": {"A": 2}}, "less than 1"),
    ],
)
def test_a_senseless_tier_or_route_is_refused_with_its_place(gate: dict[str, object], sentence: str) -> None:
    """Settings are refused when they are read, not when the route is judged."""
    with pytest.raises(ValidationError, match=sentence):
        Gate.model_validate(gate)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"routes": 5}, "gate.routes = 5 is no list"),
        ({"routes": [{"route": "nonsense"}]}, r"gate.routes\[0\] \(nonsense\): route = 'nonsense' is no route"),
        ({"routes": [{"route": "GET /a", "tier": "D"}]}, "tier = 'D' is not known: choose one of A, B, C"),
        ({"routes": [{"route": "GET /a", "weight": "much"}]}, "weight = 'much' is a share of gate.alpha"),
        ({"routes": [{"route": "GET /a", "parity": 1}]}, r"gate.routes\[0\] \(GET /a\).parity = 1 must lie between"),
        ({"tiers": {"A": {"parity": math.nan}}}, "gate.tiers.A = nan must lie between"),
        ({"tiers": {"A": 5}}, "gate.tiers.A = 5 is no table"),
        ({"reserve": 1.5}, "gate.reserve = 1.5 is a share"),
        ({"reserve": 0}, "gate.reserve = 0 is a share of gate.alpha: more than 0"),
    ],
)
def test_policies_believe_no_settings_unseen(overrides: dict[str, object], sentence: str) -> None:
    """The pure function checks by itself what the settings' model has checked before."""
    with pytest.raises(ValueError, match=sentence):
        policies_for("default", 0.999, 0.05, overrides)
