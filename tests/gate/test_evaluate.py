"""The guards and the verdict: every one must hold, and what is missing, stale, NaN or contradictory never does (I17, I18)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gate.evaluate import evaluate
from gate.facts import (
    Coverage,
    Evidence,
    Fleet,
    GateVerdict,
    Guard,
    LatencyEvidence,
    RouteStanding,
    ServedWindow,
    ShapeEvidence,
    State,
)
from gate.overrides import policy_for
from gate.policy import DAY_S, HOUR_S, Policy

ROUTE = "GET /api/items/{id}"
NOW = 1_800_000_000.0
DEFAULT = policy_for("default", 0.999, 0.05, {})
DEMO = policy_for("demo", 0.999, 0.05, {})
LATENCY = tuple(LatencyEvidence(m.tau, 20.0, m.bound_ms(20.0), 60, 10) for m in DEFAULT.latency)

COVERED = Coverage(
    60_000,
    (1, 2, 90),
    (
        ShapeEvidence("a", 50_000, 18_000, 1, 2, "2xx unknown client"),
        ShapeEvidence("b", 9_500, 1_700, 0, 2, "2xx ?page unknown client"),
        ShapeEvidence("c", 500, 300, 0, 4, "4xx unknown client"),
    ),
)
GOOD = Evidence(
    route=ROUTE,
    epoch="e1",
    n=20_000,
    k=1,
    first_unit_at=NOW - 8 * DAY_S,
    last_unit_at=NOW - HOUR_S,
    verdicts={"match": 50_000, "tolerated": 100, "mismatch": 2, "noise": 900, "raced": 3},
    candidate_errors=1,
    attempt=2,
    routes_total=10,
    latency=LATENCY,
    latency_samples=50_000,
    approvals=("anna", "ben"),
    coverage=COVERED,
    fleet=Fleet((NOW - 2 * HOUR_S, NOW - 60), 0.01, 0.2, NOW - DAY_S),
    week_share=0.97,
    served=(ServedWindow(NOW - HOUR_S, 400, 0),),
    top_client=400,
    top_request=1_000,
)
SHADOW = RouteStanding(ROUTE, since=NOW - 9 * DAY_S)
CANARY = replace(SHADOW, state=State.CANARY, step=1, weight_bp=100, epoch="e1", since=NOW - 2 * HOUR_S)


def guard_of(verdict: GateVerdict, name: str) -> Guard:
    """The guard of this name."""
    return next(guard for guard in verdict.guards if guard.name == name)


def judged(standing: RouteStanding = SHADOW, policy: Policy = DEFAULT, now: float = NOW, **change: object) -> GateVerdict:
    """The verdict on the good evidence with some of it changed."""
    return evaluate(replace(GOOD, **change), standing, policy, now)  # type: ignore[arg-type]


def test_good_evidence_passes() -> None:
    """Every guard holds; the verdict says where a promotion leads and whom it rests on."""
    verdict = judged()

    assert verdict.verdict == "pass"
    assert verdict.reasons == ("every guard holds: the next step is canary step 1 (1 % of the clients)",)
    assert (verdict.epoch, verdict.approvals, verdict.clean_needed) == ("e1", ("anna", "ben"), 0)
    assert verdict.alpha == pytest.approx(0.05 / 10 / 6)
    assert verdict.upper < 0.001


def test_no_data_is_not_a_pass() -> None:
    """I17: zero data is never a pass, in any profile, and most guards say what they lack."""
    for policy in (DEFAULT, DEMO, policy_for("strict", 0.999, 0.05, {})):
        verdict = evaluate(Evidence(ROUTE), SHADOW, policy, NOW)
        assert verdict.verdict == "undecided"
        assert (verdict.n, verdict.k, verdict.log_e, verdict.lower, verdict.upper) == (0, 0, 0.0, 0.0, 1.0)
        for name in ("evidence", "epoch", "parity", "span", "freshness", "noise", "skips", "latency p50"):
            assert guard_of(verdict, name).holds is None
            assert guard_of(verdict, name).missing


CASES: list[tuple[str, bool | None, dict[str, object]]] = [
    ("route", False, {"route": "GET __unrouted__"}),
    ("evidence", False, {"k": 20_001}),
    ("evidence", False, {"n": -1}),
    ("evidence", False, {"n": math.nan}),
    ("evidence", False, {"k": 1.5}),
    ("evidence", False, {"attempt": 0}),
    ("evidence", False, {"routes_total": 0}),
    ("evidence", False, {"verdicts": {"match": 19_000}}),
    ("evidence", False, {"verdicts": {"match": 50_000, "mismatch": 2, "noise": math.nan}}),
    ("evidence", False, {"verdicts": {"match": 50_000}, "candidate_errors": 0}),
    ("evidence", False, {"first_unit_at": None}),
    ("evidence", False, {"last_unit_at": math.nan}),
    ("evidence", False, {"first_unit_at": NOW - 60, "last_unit_at": NOW - 120}),
    ("evidence", False, {"last_unit_at": NOW + 3600}),
    ("evidence", False, {"route": "GET /other"}),
    ("epoch", None, {"epoch": ""}),
    ("parity", None, {"n": 9_000}),
    ("parity", None, {"attempt": 200}),
    ("parity", None, {"routes_total": 10**9}),
    ("parity", False, {"k": 400, "verdicts": {"match": 50_000, "mismatch": 400}}),
    ("parity", None, {"k": 20_001}),
    ("span", None, {"first_unit_at": NOW - 6 * DAY_S}),
    ("span", None, {"first_unit_at": None}),
    ("span", None, {"first_unit_at": math.nan}),
    ("freshness", None, {"last_unit_at": NOW - 2 * DAY_S}),
    ("freshness", None, {"last_unit_at": None}),
    ("freshness", None, {"last_unit_at": NOW + 3600}),
    ("noise", False, {"verdicts": {"match": 50_000, "mismatch": 2, "raced": 300, "inconclusive": 300}}),
    ("noise", None, {"verdicts": {"match": 50_000, "mismatch": 2, "raced": math.nan}}),
    ("skips", False, {"incident_skips": 600}),
    ("skips", False, {"incident_skips": 260}),
    ("skips", None, {"incident_skips": math.nan}),
    ("latency p50", None, {"latency": ()}),
    ("latency p95", False, {"latency": (LATENCY[0], replace(LATENCY[1], candidate_slow_only=600), LATENCY[2])}),
    ("latency p99", None, {"latency": (*LATENCY[:2], replace(LATENCY[2], primary_slow_only=5, candidate_slow_only=5))}),
    ("latency p99", None, {"latency": (*LATENCY, LATENCY[2])}),
    ("latency p99", None, {"latency": (*LATENCY[:2], replace(LATENCY[2], threshold_ms=math.nan))}),
    ("latency p99", None, {"latency": (*LATENCY[:2], replace(LATENCY[2], threshold_ms=math.inf, bound_ms=math.inf))}),
    ("latency p99", None, {"latency": (*LATENCY[:2], replace(LATENCY[2], bound_ms=99.0))}),
    ("latency p99", None, {"latency": (*LATENCY[:2], replace(LATENCY[2], primary_slow_only=-1))}),
    ("ledger", False, {"ledger_violations": ("seen = 5, but served = 4",)}),
    ("approvals", None, {"approvals": ("anna",)}),
    ("approvals", None, {"approvals": ("anna", "anna ", "", "  ")}),
]


@pytest.mark.parametrize(("name", "holds", "change"), CASES, ids=[f"{name}-{i}" for i, (name, _, _) in enumerate(CASES)])
def test_i17_one_broken_or_missing_figure_stops_a_promotion(name: str, holds: bool | None, change: dict[str, object]) -> None:
    """I17: the guard it belongs to does not hold, says why, and the verdict is no pass (I8: one person twice is one)."""
    verdict = judged(**change)
    guard = guard_of(verdict, name)

    assert guard.holds is holds
    assert guard.missing
    assert guard.blocking
    assert verdict.verdict != "pass"
    assert any(reason.startswith(f"{name}: ") for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("name", "holds", "standing"),
    [
        ("frozen", False, replace(SHADOW, frozen=True)),
        ("locked", False, replace(SHADOW, locked=True, strikes=2)),
        ("cooldown", False, replace(SHADOW, cooldown_until=NOW + 1)),
        ("cooldown", False, replace(SHADOW, cooldown_until=math.nan)),
        ("state", False, replace(SHADOW, state=State.OFF)),
        ("state", False, replace(SHADOW, state=State.ROLLED_BACK)),
        ("epoch", False, replace(CANARY, epoch="e0")),
        ("epoch", False, replace(CANARY, epoch="")),
        ("dwell", None, replace(CANARY, since=NOW - 1800)),
        ("dwell", None, replace(SHADOW, since=NOW + 1)),
        ("step", None, replace(CANARY, since=NOW - 3599)),
        ("route", False, replace(SHADOW, route="POST __unrouted__")),
    ],
)
def test_where_the_route_stands_can_stop_a_promotion(name: str, holds: bool | None, standing: RouteStanding) -> None:
    """Freeze, lock, cooldown, state, epoch, dwell, a clock behind the last change, and evidence within the step."""
    verdict = judged(standing)

    assert guard_of(verdict, name).holds is holds
    assert verdict.verdict != "pass"


def test_in_shadow_the_evidence_may_be_of_a_newer_epoch_than_the_last_promotion() -> None:
    """There is no weight that another build could have earned."""
    assert judged(replace(SHADOW, epoch="e0")).verdict == "pass"


def test_a_cooldown_is_over_at_its_end() -> None:
    """now >= cooldown_until."""
    assert judged(replace(SHADOW, cooldown_until=NOW)).verdict == "pass"


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_i17_without_a_time_nothing_passes(now: float) -> None:
    """I17: a clock that gives no time makes the figures unbelievable."""
    assert judged(now=now).verdict == "fail"


def test_i18_the_clock_going_back_never_turns_a_refusal_into_a_pass() -> None:
    """I18: before the evidence, the cooldown's end or the step's start nothing passes; same input, same verdict."""
    assert judged() == judged()
    assert judged(now=NOW - 2 * HOUR_S).verdict != "pass"
    assert judged(CANARY, now=NOW - 2 * HOUR_S - 1).verdict != "pass"


@example(0, 0, {}, None, None, 0, 1.7976931348623157e308)
@given(
    st.integers(-1, 30_000) | st.floats(allow_nan=True),
    st.integers(-1, 30_000) | st.floats(allow_nan=True),
    st.dictionaries(st.sampled_from(["match", "mismatch", "raced", "inconclusive"]), st.integers(-5, 60_000) | st.floats()),
    st.none() | st.floats(),
    st.none() | st.floats(),
    st.integers(-3, 10**30),
    st.floats(),
)
@settings(max_examples=150, deadline=None)
def test_i17_any_figures_are_judged_without_an_exception(
    n: float, k: float, verdicts: dict[str, float], first: float | None, last: float | None, attempt: int, now: float
) -> None:
    """I17, I18: odd evidence gives a verdict, twice the same, and only consistent clean evidence passes."""
    change: dict[str, object] = {"n": n, "k": k, "verdicts": verdicts, "first_unit_at": first, "last_unit_at": last}
    verdict = judged(attempt=attempt, now=now, **change)

    assert verdict == judged(attempt=attempt, now=now, **change)
    if verdict.verdict == "pass":
        assert isinstance(n, int)
        assert isinstance(k, int)
        assert 0 <= k <= n
        assert verdict.upper < 0.001


def test_a_few_doubtful_comparisons_early_on_are_no_refusal() -> None:
    """One raced of 20 is over 1 %, but too little to say so."""
    early = {"n": 10, "k": 0, "candidate_errors": 0}

    assert guard_of(judged(verdicts={"match": 20, "raced": 1}, **early), "noise").holds is None
    assert guard_of(judged(verdicts={"match": 20, "raced": 2}, **early), "noise").holds is False


def test_noise_is_measured_against_exchanges_not_units() -> None:
    """A unit stands for many exchanges: 1 % is of the comparisons behind them."""
    assert guard_of(judged(n=20_000, verdicts={"match": 50_000, "mismatch": 2, "raced": 400}), "noise").holds is True


def test_old_evidence_is_shown_and_does_not_block() -> None:
    """Older than its time to live: said, not refused."""
    verdict = judged(first_unit_at=NOW - 30 * DAY_S)

    assert guard_of(verdict, "age").holds is False
    assert not guard_of(verdict, "age").blocking
    assert verdict.verdict == "pass"


@pytest.mark.parametrize("profile", ["default", "strict"])
def test_coverage_blocks_until_it_is_waived(profile: str) -> None:
    """All three of its guards; `[gate.coverage] required = false` makes them show only."""
    waived = policy_for(profile, 0.999, 0.05, {"coverage": {"required": False}})
    for name in ("coverage unseen", "coverage shapes", "coverage status"):
        guard = guard_of(judged(policy=policy_for(profile, 0.999, 0.05, {}), coverage=Coverage()), name)
        assert (guard.holds, guard.blocking) == (None, True)
        assert not guard_of(judged(policy=waived, coverage=Coverage()), name).blocking


def test_the_demo_profile_passes_on_71_clean_units() -> None:
    """Latency and coverage are shown and block nothing; 70 units are not enough."""
    demo = {
        "first_unit_at": NOW - 30,
        "last_unit_at": NOW - 2,
        "k": 0,
        "candidate_errors": 0,
        "latency": (),
        "approvals": (),
        "coverage": Coverage(),
        "week_share": None,
    }
    clean = {"verdicts": {"match": 71}, "attempt": 3, **demo}
    verdict = judged(policy=DEMO, n=71, **clean)

    assert verdict.verdict == "pass"
    assert not guard_of(verdict, "latency p95").blocking
    assert not guard_of(verdict, "coverage unseen").blocking
    assert judged(policy=DEMO, n=70, **clean).verdict == "undecided"
    assert judged(policy=DEMO, n=71, **{**clean, "first_unit_at": NOW - 21}).verdict == "undecided"


def test_between_canary_steps_nobody_needs_to_agree_again() -> None:
    """But to cut over, and for each step under the strict profile, people must."""
    last = replace(CANARY, step=4, weight_bp=5000, since=NOW - 2 * DAY_S)
    strict = replace(DEFAULT, approvals_each_step=True)

    assert judged(CANARY, approvals=()).verdict == "pass"
    assert guard_of(judged(CANARY, strict, approvals=()), "approvals").holds is None
    assert guard_of(judged(last, approvals=()), "approvals").holds is None
    assert judged(last).reasons == ("every guard holds: the next step is cutover (100 % of the clients)",)


@pytest.mark.parametrize("state", [State.CUTOVER, State.RETIRED])
def test_after_the_cutover_the_verdict_is_about_parity(state: State) -> None:
    """Arrived: neither the place, another epoch nor missing approvals make it a refusal; mismatches do."""
    arrived = replace(CANARY, state=state, step=0, weight_bp=10_000, epoch="older")

    assert judged(arrived, approvals=()).verdict == "pass"
    assert judged(arrived, k=400, verdicts={"match": 50_000, "mismatch": 400}).verdict == "fail"


def test_a_person_in_capitals_is_the_same_person() -> None:
    """I8: two spellings of one name are one approval."""
    guard = guard_of(judged(approvals=("Anna", "anna ", "ANNA", " ")), "approvals")

    assert (guard.holds, guard.figure) == (None, "ANNA")
    assert guard_of(judged(approvals=("Anna", "ben")), "approvals").holds is True
