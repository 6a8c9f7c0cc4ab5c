"""The guards that ask whether the evidence is of all of the traffic: each branch, and that what is not known never holds (I17)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate import coverage_guards
from gate.facts import Coverage, Evidence, Guard, RouteStanding, ShapeEvidence
from gate.overrides import policy_for
from gate.policy import Policy

ROUTE, NOW = "GET /api/items", 1_800_000_000.0
DEFAULT = policy_for("default", 0.999, 0.05, {})
DEMO = policy_for("demo", 0.999, 0.05, {})
STANDING = RouteStanding(ROUTE)
LIST = ShapeEvidence("a", 9_000, 3_000, 0, 2, "2xx unknown client")
PAGE = ShapeEvidence("b", 900, 299, 0, 2, "2xx ?page unknown client")
GONE = ShapeEvidence("c", 400, 300, 0, 4, "4xx unknown client")
SEEN = Coverage(10_300, (1, 2, 90), (LIST, PAGE, GONE), 0)
FULL = Evidence(ROUTE, "e", n=3_599, k=0, coverage=SEEN, week_share=0.96, top_client=100, top_request=500)
Check = Callable[[Evidence, RouteStanding, Policy, float], Guard]
OF_CATALOGUE: tuple[Check, ...] = (coverage_guards.unseen, coverage_guards.shapes, coverage_guards.statuses)
ALL: tuple[Check, ...] = (*OF_CATALOGUE, coverage_guards.week, coverage_guards.diversity)


def asked(guard: Check, policy: Policy = DEFAULT, **change: object) -> Guard:
    """What the guard says of the full evidence with some of it changed."""
    return guard(replace(FULL, **change), STANDING, policy, NOW)  # type: ignore[arg-type]


def with_shapes(*shapes: ShapeEvidence, other: int = 0) -> Coverage:
    """A catalogue of these kinds, all found at once."""
    requests = sum(shape.seen for shape in shapes) + other
    return Coverage(requests, tuple(range(1, len(shapes) + 1)), shapes, other)


@pytest.mark.parametrize("guard", ALL)
def test_full_evidence_holds(guard: Check) -> None:
    """Every one of them, with nothing missing; and it blocks."""
    found = asked(guard)

    assert (found.holds, found.missing, found.blocking) == (True, "", True)


@pytest.mark.parametrize("guard", ALL)
@pytest.mark.parametrize("policy", [DEFAULT, DEMO, policy_for("strict", 0.999, 0.05, {})])
def test_no_data_is_never_a_pass(guard: Check, policy: Policy) -> None:
    """I17: unknown, and it says so, in any profile."""
    found = guard(Evidence(ROUTE), STANDING, policy, NOW)

    assert found.holds is None
    assert found.missing


@pytest.mark.parametrize(
    "wrong",
    [
        replace(SEEN, requests=0),
        replace(SEEN, requests=-1),
        replace(SEEN, requests=math.nan),  # type: ignore[arg-type]
        replace(SEEN, requests=10_299),
        replace(SEEN, requests=True),
        replace(SEEN, other=1),
        replace(SEEN, other=-1),
        replace(SEEN, discovered=()),
        replace(SEEN, discovered=(1, 2)),
        replace(SEEN, discovered=(1, 2, 90, 91)),
        replace(SEEN, discovered=(0, 2, 90)),
        replace(SEEN, discovered=(2, 3, 90)),
        replace(SEEN, discovered=(1, 90, 2)),
        replace(SEEN, discovered=(1, 2, 2)),
        replace(SEEN, discovered=(1, 2, 10_301)),
        replace(SEEN, shapes=()),
        replace(SEEN, shapes=(), discovered=()),
        replace(SEEN, shapes=(replace(LIST, k=3_001), *SEEN.shapes[1:])),
        replace(SEEN, shapes=(replace(LIST, n=9_001), *SEEN.shapes[1:])),
        replace(SEEN, shapes=(replace(LIST, n=-1), *SEEN.shapes[1:])),
        replace(SEEN, shapes=(replace(LIST, k=0.5), *SEEN.shapes[1:])),  # type: ignore[arg-type]
        replace(SEEN, shapes=(replace(LIST, seen=math.inf), *SEEN.shapes[1:])),  # type: ignore[arg-type]
    ],
)
@pytest.mark.parametrize("guard", OF_CATALOGUE)
def test_a_catalogue_that_contradicts_itself_never_holds(guard: Check, wrong: Coverage) -> None:
    """I17: counts that are none, more than all, a first request that brought nothing, more units than requests."""
    assert asked(guard, coverage=wrong).holds is None


catalogue_counts = st.one_of(st.integers(-2, 5), st.integers(0, 12_000), st.sampled_from([math.nan, math.inf, True]))


@given(
    st.builds(
        Coverage,
        catalogue_counts,
        st.lists(catalogue_counts, max_size=4).map(tuple),
        st.lists(
            st.builds(
                ShapeEvidence,
                st.sampled_from("ab"),
                catalogue_counts,
                catalogue_counts,
                catalogue_counts,
                st.sampled_from([0, 2, 4]),
            ),
            max_size=3,
        ).map(tuple),
        catalogue_counts,
    ),
    st.sampled_from([DEFAULT, DEMO]),
)
@settings(max_examples=300, deadline=None)
def test_odd_figures_never_raise_and_never_hold_without_comparisons(coverage: Coverage, policy: Policy) -> None:
    """I17: whatever is in the catalogue; what holds has requests, and compared kinds."""
    for guard in OF_CATALOGUE:
        found = asked(guard, policy, coverage=coverage)
        assert found.holds in (True, False, None)
        if found.holds and guard is not coverage_guards.unseen:
            assert sum(shape.n for shape in coverage.shapes) > 0
        if found.holds:
            assert coverage.requests >= coverage.discovered[0] >= 1


def test_new_kinds_are_still_turning_up() -> None:
    """Too few requests, or a new shape just now: unknown, with the bound."""
    early = asked(coverage_guards.unseen, coverage=Coverage(500, (1,), (replace(LIST, seen=500, n=100),)))
    late = asked(coverage_guards.unseen, coverage=replace(SEEN, discovered=(1, *range(10_200, 10_202))))
    many = with_shapes(*(replace(LIST, shape=str(i), seen=1, n=0) for i in range(400)))
    fresh = asked(coverage_guards.unseen, coverage=many)

    assert (early.holds, fresh.holds, late.holds) == (None, None, True)
    assert "more traffic needed without a new shape" in early.missing
    assert fresh.figure == "400 shapes in 400 requests, at most 100 % unseen"


@pytest.mark.parametrize(("other", "holds"), [(0, True), (10, True), (300, None), (5_000, None)])
def test_requests_beyond_the_bound_of_shapes_are_unseen_traffic(other: int, holds: bool | None) -> None:
    """A catalogue that is full learns of nothing new: those requests count against the claim, or it would be empty."""
    found = asked(coverage_guards.unseen, coverage=with_shapes(replace(LIST, seen=10_000), other=other))

    assert found.holds is holds
    assert holds or f"{other:,} requests had shapes beyond the bound" in found.missing


def test_a_frequent_shape_without_enough_units_is_named() -> None:
    """59 units of each kind with half a per cent of the traffic; one fewer is not enough."""
    enough = asked(coverage_guards.shapes, coverage=with_shapes(LIST, replace(PAGE, n=59)))
    short = asked(coverage_guards.shapes, coverage=with_shapes(LIST, replace(PAGE, n=58)))

    assert (enough.holds, short.holds) == (True, None)
    assert short.missing == "2xx ?page unknown client: 58 compared, 0 mismatched"


def test_each_frequent_shape_counts_though_the_others_cover_the_traffic() -> None:
    """0.6 % of the traffic without enough units: what is left is 99.4 %, and it does not hold."""
    found = asked(coverage_guards.shapes, coverage=with_shapes(replace(LIST, seen=9_940), replace(PAGE, seen=60, n=58)))

    assert found.holds is None
    assert found.missing == "2xx ?page unknown client: 58 compared, 0 mismatched"


def test_rare_shapes_may_lack_units_while_they_are_few() -> None:
    """Together at most one per cent: 0.9 % of uncovered kinds hold, 1.2 % do not, though each is rare."""
    rare = [replace(GONE, shape=str(i), seen=30, n=0) for i in range(4)]

    held = asked(coverage_guards.shapes, coverage=with_shapes(replace(LIST, seen=10_000), *rare[:3]))
    short = asked(coverage_guards.shapes, coverage=with_shapes(replace(LIST, seen=10_000), *rare))
    assert (held.holds, short.holds) == (True, None)
    assert "rare shapes are together too much" in short.missing


def test_shapes_beyond_the_bound_are_never_covered() -> None:
    """Two per cent of `other` and all else compared: not enough, and the figure names them."""
    found = asked(coverage_guards.shapes, coverage=with_shapes(replace(LIST, seen=9_800), other=200))

    assert found.holds is None
    assert "2 % of shapes beyond the bound" in found.figure


def test_a_shape_that_is_proven_wrong_breaks_the_guard() -> None:
    """False, and only the broken kinds are named; a few mismatches among very many units are within its 95 %."""
    broken = asked(
        coverage_guards.shapes, coverage=with_shapes(LIST, replace(PAGE, n=300, k=100), replace(PAGE, shape="d", n=0))
    )
    fine = asked(coverage_guards.shapes, coverage=with_shapes(LIST, replace(PAGE, n=300, k=2)))
    doubtful = asked(coverage_guards.shapes, coverage=with_shapes(LIST, replace(PAGE, n=60, k=2)))

    assert (broken.holds, fine.holds, doubtful.holds) == (False, True, None)
    assert broken.missing == "2xx ?page unknown client: 300 compared, 100 mismatched"


def test_at_most_three_shapes_are_named() -> None:
    """The rest is a number."""
    found = asked(
        coverage_guards.shapes, coverage=with_shapes(*(replace(PAGE, shape=str(i), n=0, text=f"s{i}") for i in range(5)))
    )

    assert (
        found.missing == "s0: 0 compared, 0 mismatched; s1: 0 compared, 0 mismatched; s2: 0 compared, 0 mismatched and 2 more"
    )


@pytest.mark.parametrize(
    ("shape", "holds"),
    [
        (replace(GONE, seen=400, n=299), True),
        (replace(GONE, seen=400, n=298), None),
        (replace(GONE, seen=9, n=1), True),
        (replace(GONE, seen=9, n=0), None),
        (replace(GONE, seen=9, n=1, k=1), None),
        (replace(GONE, seen=400, n=300, k=30), False),
        (replace(GONE, seen=400, n=0, status_class=0), True),
    ],
)
def test_status_classes(shape: ShapeEvidence, holds: bool | None) -> None:
    """299 units of a class with a thousandth of the traffic, one of a rarer one, none of requests that the primary did not answer."""
    found = asked(coverage_guards.statuses, coverage=with_shapes(LIST, PAGE, shape))

    assert found.holds is holds
    assert (f"4xx: {shape.n} compared of" in found.missing) is (holds is not True)


def test_shapes_of_one_class_count_together() -> None:
    """200 and 99 units of two kinds of 2xx are 299."""
    kinds = (replace(LIST, n=200), replace(PAGE, n=99))

    assert asked(coverage_guards.statuses, coverage=with_shapes(*kinds)).holds is True
    assert asked(coverage_guards.statuses, coverage=with_shapes(kinds[0], replace(PAGE, n=98))).holds is None


def test_a_route_that_the_primary_never_answered_has_no_status() -> None:
    """I17: all requests without an answer: nothing to hold."""
    found = asked(coverage_guards.statuses, coverage=with_shapes(replace(GONE, n=0, status_class=0)))

    assert (found.holds, found.missing) == (None, "no status seen yet")


@pytest.mark.parametrize(("share", "holds"), [(0.95, True), (1.0, True), (0.9499, None), (0.0, None)])
def test_week(share: float, holds: bool | None) -> None:
    """95 % of the week's traffic, the limit included."""
    assert asked(coverage_guards.week, week_share=share).holds is holds


@pytest.mark.parametrize("share", [None, math.nan, math.inf, -0.1, 1.01])
def test_a_week_that_is_unknown_does_not_hold(share: float | None) -> None:
    """I17: also where no week is asked for; but then it does not block."""
    assert asked(coverage_guards.week, week_share=share).holds is None
    assert asked(coverage_guards.week, DEMO, week_share=share).holds is None
    assert not asked(coverage_guards.week, DEMO, week_share=share).blocking


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"top_client": 180}, "other clients"),
        ({"top_request": 720}, "other requests"),
        ({"top_client": 3_599, "top_request": 3_599}, "other clients and requests"),
        ({"top_client": 10**9}, "other clients"),
        ({"top_client": 0}, "was not counted"),
        ({"top_request": 0}, "was not counted"),
        ({"top_client": -1}, "nothing has been compared"),
        ({"top_request": math.nan}, "nothing has been compared"),
        ({"n": 0}, "nothing has been compared"),
        ({"n": math.nan}, "nothing has been compared"),
    ],
)
def test_evidence_of_one_client_or_request_does_not_hold(change: dict[str, object], missing: str) -> None:
    """I17: over 5 % of one client (179 of 3,599 are within) or 20 % of one request, or nobody counted."""
    found = asked(coverage_guards.diversity, **change)

    assert found.holds is None
    assert missing in found.missing


def test_shares_at_their_limit_hold() -> None:
    """5 % and 20 % themselves; and without limits nobody needs counting."""
    assert asked(coverage_guards.diversity, n=1_000, top_client=50, top_request=200).holds is True
    assert asked(coverage_guards.diversity, DEMO, top_client=0, top_request=0).holds is True


@pytest.mark.parametrize("guard", OF_CATALOGUE)
def test_coverage_that_is_not_required_is_shown_and_does_not_block(guard: Check) -> None:
    """`[gate.coverage] required = false`, and the demo; it holds no sooner for that."""
    for evidence in (FULL, Evidence(ROUTE), replace(FULL, coverage=with_shapes(replace(LIST, n=1)))):
        shown, blocking = (guard(evidence, STANDING, replace(DEFAULT, coverage_required=on), NOW) for on in (False, True))
        assert (shown.blocking, blocking.blocking) == (False, True)
        assert shown == replace(blocking, blocking=False)
