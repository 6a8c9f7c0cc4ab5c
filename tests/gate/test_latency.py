"""The latency claim: verdicts (S10), thresholds, and the tracker that counts pairs."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.facts import LatencyEvidence
from gate.latency import LatencyTracker, latency_verdict, thresholds
from gate.policy import Margin

P50 = Margin("p50", 0.50, 1.10, 5.0)
P95 = Margin("p95", 0.95, 1.10, 10.0)
few = st.integers(0, 400)
times = st.one_of(st.floats(0, 1e5), st.just(math.inf))


def test_fewer_than_eight_discordant_pairs_decide_nothing() -> None:
    """Seven to nothing is not enough, whatever alpha."""
    assert latency_verdict(7, 0, 0.9) == "undecided"
    assert latency_verdict(0, 7, 0.9) == "undecided"


def test_verdict_begins_where_the_formula_says() -> None:
    """With alpha .05 E must reach 10.5: n01 = 8, n10 = 0 has E = B(10, 2)/B(2, 2) * 2^8 = 13.96, and 9 to 1 is short of it."""
    assert latency_verdict(8, 0, 0.05) == "pass"
    assert latency_verdict(9, 1, 0.05) == "undecided"
    assert latency_verdict(8, 0, 0.03) == "undecided"


@given(few, few, st.sampled_from([0.05, 0.01, 1e-6]))
@settings(max_examples=150, deadline=None)
def test_s10_swapping_the_sides_swaps_the_verdict(good: int, bad: int, alpha: float) -> None:
    """S10: the test treats both sides alike."""
    swapped = {"pass": "fail", "fail": "pass", "undecided": "undecided"}

    assert latency_verdict(bad, good, alpha) == swapped[latency_verdict(good, bad, alpha)]


@given(few, st.integers(1, 400), st.sampled_from([0.05, 0.01]))
@settings(max_examples=150, deadline=None)
def test_s10_a_pass_never_comes_from_more_slow_candidates(good: int, bad: int, alpha: float) -> None:
    """S10: pass is antitone in n10, once there are pairs enough to decide."""
    if good + bad - 1 >= 8 and latency_verdict(good, bad, alpha) == "pass":
        assert latency_verdict(good, bad - 1, alpha) == "pass"


def exact_e(good: int, bad: int) -> Fraction:
    """E as a fraction: 6 (good+1)! (bad+1)! 2^(good+bad) / (good+bad+3)!"""
    return Fraction(6 * math.factorial(good + 1) * math.factorial(bad + 1) * 2 ** (good + bad), math.factorial(good + bad + 3))


@pytest.mark.parametrize("alpha", [Fraction(1, 20), Fraction(1, 100), Fraction(1, 100_000)])
def test_every_verdict_of_up_to_90_pairs_is_the_formulas(alpha: Fraction) -> None:
    """In fractions, without a rounding: pass iff n01 > n10, E >= (1/alpha + 1)/2 and at least 8 pairs."""
    for pairs in range(91):
        for bad in range(pairs + 1):
            good = pairs - bad
            proven = pairs >= 8 and exact_e(good, bad) >= (1 / alpha + 1) / 2
            wanted = ("pass" if good > bad else "fail" if good < bad else "undecided") if proven else "undecided"

            assert latency_verdict(good, bad, float(alpha)) == wanted, (good, bad)


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_s10_exact_false_pass_at_the_margin(alpha: float) -> None:
    """S10: exactly at the margin a one-sided pair is a fair coin; looked at after each of 2,000 a pass comes with at most alpha.

    And with more than half of it: a gate that is merely timid would be noticed.
    """
    alive, passed, least = [1.0], 0.0, 0
    for pairs in range(1, 2_001):
        alive = [(a + b) / 2 for a, b in zip([*alive, 0.0], [0.0, *alive], strict=True)]
        while least <= pairs and latency_verdict(least, pairs - least, alpha) != "pass":
            least += 1
        passed += sum(alive[least:])
        alive[least:] = [0.0] * len(alive[least:])

    assert alpha / 2 < passed <= alpha


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), max_size=40), st.floats(0, 400), st.floats(0, 400))
@settings(max_examples=80, deadline=None)
def test_s10_concordant_pairs_are_neutral_and_sides_swap(pairs: list[tuple[float, float]], x: float, bound: float) -> None:
    """S10: pairs that are slow on both sides or on none count nowhere; with the sides swapped the two counts are swapped."""
    concordant = [pair for pair in pairs if (pair[0] > x) == (pair[1] > bound)]
    whole, rest = counted(pairs, x, bound), counted([pair for pair in pairs if pair not in concordant], x, bound)
    mirrored = counted([(candidate, primary) for primary, candidate in pairs], bound, x)

    assert whole == rest
    assert counted(concordant, x, bound) == (0, 0)
    assert mirrored == whole[::-1]


def counted(pairs: list[tuple[float, float]], x: float, bound: float) -> tuple[int, int]:
    """(primary slow only, candidate slow only) at these frozen thresholds."""
    tracker = LatencyTracker((P50,), 1, (LatencyEvidence("p50", x, bound, 0, 0),))
    for pair in pairs:
        tracker.observe(*pair)
    lines = tracker.drain()
    return (lines[0].primary_slow_only, lines[0].candidate_slow_only) if lines else (0, 0)


def test_negative_counts_are_refused() -> None:
    """Counts of pairs are 0 or more."""
    with pytest.raises(ValueError, match="0 or more"):
        latency_verdict(-1, 3, 0.05)


def test_the_larger_of_ratio_and_slack_is_the_bound() -> None:
    """The slack keeps 3 ms routes from failing on noise."""
    assert P50.bound_ms(3.0) == 8.0
    assert P50.bound_ms(1000.0) == pytest.approx(1100.0)


def test_thresholds_are_the_primary_quantiles() -> None:
    """The nearest rank, and its margin."""
    found = thresholds([float(i) for i in range(100, 0, -1)], (P50, P95))

    assert [(line.tau, line.threshold_ms) for line in found] == [("p50", 50.0), ("p95", 95.0)]
    assert [line.bound_ms for line in found] == pytest.approx([55.0, 105.0])


def test_thresholds_need_a_sample() -> None:
    """No data gives no threshold."""
    with pytest.raises(ValueError, match="no latency sample"):
        thresholds([math.nan, math.inf], (P50,))


def test_nothing_is_counted_while_calibrating() -> None:
    """The first `calibrate` pairs set the thresholds and are told once, with zeros."""
    tracker = LatencyTracker((P50,), 3)
    tracker.observe(10, 1000)
    tracker.observe(20, 1000)
    assert tracker.drain() == ()
    assert not tracker.calibrated
    tracker.observe(30, 1000)

    assert tracker.drain() == (LatencyEvidence("p50", 20, 25, 0, 0),)
    assert tracker.drain() == ()


def test_only_one_sided_slowness_is_counted() -> None:
    """Concordant pairs carry nothing (S10); increments are handed out once."""
    tracker = LatencyTracker((P50,), 3, (LatencyEvidence("p50", 20, 25, 70, 7),))
    for primary, candidate in ((21, 25), (20, 26), (21, 26), (20, 25), (math.inf, 1)):
        tracker.observe(primary, candidate)

    assert tracker.drain() == (LatencyEvidence("p50", 20, 25, 2, 1),)
    assert tracker.drain() == ()


def test_a_timeout_is_the_longest_latency() -> None:
    """A candidate that never answered was slow, even before the thresholds stand the primary's timeout is no sample."""
    tracker = LatencyTracker((P50,), 1)
    tracker.observe(math.inf, 1)
    assert not tracker.calibrated
    tracker.observe(10, 10)
    tracker.observe(10, math.inf)

    assert tracker.drain()[0].candidate_slow_only == 1


@pytest.mark.parametrize(("primary", "candidate"), [(math.nan, 1.0), (1.0, math.nan), (-1.0, 1.0), (1.0, -0.5)])
def test_impossible_latencies_are_ignored(primary: float, candidate: float) -> None:
    """NaN and negative times count nowhere."""
    tracker = LatencyTracker((P50,), 1)
    tracker.observe(primary, candidate)

    assert tracker.samples == 0


@given(st.lists(st.tuples(times, times), max_size=60), st.integers(0, 60))
@settings(max_examples=80, deadline=None)
def test_draining_in_between_loses_nothing(pairs: list[tuple[float, float]], cut: int) -> None:
    """The increments of any number of drains add up to one tracker's counts."""
    frozen = (LatencyEvidence("p50", 100, 110, 0, 0), LatencyEvidence("p95", 1000, 1100, 0, 0))
    whole, parts = LatencyTracker((P50, P95), 5, frozen), LatencyTracker((P50, P95), 5, frozen)
    totals = {line.tau: line for line in frozen}
    for i, pair in enumerate(pairs):
        whole.observe(*pair)
        parts.observe(*pair)
        for line in parts.drain() if i == cut else ():
            totals[line.tau] = _added(totals[line.tau], line)
    for line in parts.drain():
        totals[line.tau] = _added(totals[line.tau], line)

    once = {line.tau: line for line in frozen} | {line.tau: line for line in whole.drain()}
    assert totals == once


def _added(one: LatencyEvidence, other: LatencyEvidence) -> LatencyEvidence:
    return replace(
        one,
        primary_slow_only=one.primary_slow_only + other.primary_slow_only,
        candidate_slow_only=one.candidate_slow_only + other.candidate_slow_only,
    )
