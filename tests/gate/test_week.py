"""The share of a week's traffic that lies in hours with evidence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.week import CELLS, FEW, HOUR_S, LARGE, MANY, PROFILE_S, cell_of, covered_share

cells = st.integers(0, CELLS - 1)
traffics = st.dictionaries(cells, st.integers(0, 10_000), max_size=30)
evidences = st.dictionaries(cells, st.integers(0, 30), max_size=30)


def test_the_week_has_168_hours_and_begins_as_unix_time_does() -> None:
    """1970-01-01 was a Thursday, 0 h UTC; a week later it is the same hour."""
    assert (CELLS, PROFILE_S) == (168, 4 * 7 * 86_400)
    assert [cell_of(at) for at in (0, 3_599.9, 3_600, 86_400, 7 * 86_400 - 0.1, 7 * 86_400)] == [0, 0, 1, 24, 167, 0]


@given(st.floats(0, 4e9), st.integers(0, 500))
@settings(max_examples=100, deadline=None)
def test_a_moment_a_week_later_is_the_same_hour(at: float, weeks: int) -> None:
    at = float(int(at))
    assert cell_of(at) == cell_of(at + weeks * CELLS * HOUR_S)
    assert 0 <= cell_of(at) < CELLS


def test_a_week_without_its_weekend_is_short_of_95_percent() -> None:
    """Even traffic, evidence on five days of seven: 5/7. The weekend adds what is missing."""
    traffic = dict.fromkeys(range(CELLS), 100)
    weekdays = {cell: 50 for cell in range(CELLS) if not 48 <= cell < 96}

    assert covered_share(traffic, weekdays) == pytest.approx(5 / 7)
    assert covered_share(traffic, weekdays | dict.fromkeys(range(48, 96), 1)) == 1.0


def test_a_busy_hour_needs_ten_units_and_a_quiet_one_needs_one() -> None:
    """More than 1 % of the traffic is busy; exactly 1 % is not."""
    assert (FEW, MANY, LARGE) == (1, 10, 0.01)
    traffic = {0: 50, 1: 1, 2: 49}

    assert covered_share(traffic, {0: MANY - 1, 1: 1, 2: MANY - 1}) == pytest.approx(0.01)
    assert covered_share(traffic, {0: MANY, 1: 1, 2: MANY}) == 1.0
    assert covered_share(traffic, {0: MANY, 2: MANY}) == pytest.approx(0.99)


@pytest.mark.parametrize("traffic", [{}, {3: 0}])
def test_nothing_is_covered_where_there_was_no_traffic(traffic: dict[int, int]) -> None:
    """I17: no data is never a pass, though there is evidence."""
    assert covered_share(traffic, dict.fromkeys(range(CELLS), 1000)) == 0.0


def test_nothing_is_covered_without_evidence() -> None:
    """I17: and hours of evidence without traffic weigh nothing."""
    assert covered_share({5: 10}, {}) == 0.0
    assert covered_share({5: 10}, {6: 1_000}) == 0.0


@given(traffics, evidences, cells, st.integers(1, 20))
@settings(max_examples=150, deadline=None)
def test_it_is_a_share_and_more_evidence_never_lowers_it(
    traffic: dict[int, int], evidence: dict[int, int], cell: int, more: int
) -> None:
    """Within [0, 1], monotone in every hour's units."""
    share = covered_share(traffic, evidence)

    assert 0.0 <= share <= 1.0
    assert covered_share(traffic, evidence | {cell: evidence.get(cell, 0) + more}) >= share
