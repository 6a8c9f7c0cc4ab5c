"""The roll-back detector (S8), its memory of repeats, and the hard trips."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.detector import Detector, Repeats, alarm_threshold, hard_trip

rates = st.sampled_from([0.0001, 0.001, 0.01, 0.05, 0.3, 0.5, 0.8])


def after(q0: float, outcomes: list[bool] | tuple[bool, ...]) -> Detector:
    """A detector that has seen these outcomes (True is a mismatch)."""
    detector = Detector.start(q0)
    for outcome in outcomes:
        detector = detector.update(outcome)
    return detector


@pytest.mark.parametrize("q0", [0.001, 0.05, 0.3, 0.7])
def test_s8_the_mean_under_the_null_is_n(q0: float) -> None:
    """S8: E_q0[M_n] = n for each rate and so for their mean, by enumeration of every outcome up to n = 10."""
    alive = [(1.0, Detector.start(q0))]
    for n in range(1, 11):
        alive = [(p * (q0 if wrong else 1 - q0), detector.update(wrong)) for p, detector in alive for wrong in (False, True)]

        assert len(alive) == 2**n
        assert math.fsum(p * detector.level for p, detector in alive) == pytest.approx(n, rel=1e-9)
        for i in range(len(alive[0][1].m)):
            assert math.fsum(p * detector.m[i] for p, detector in alive) == pytest.approx(n, rel=1e-9)


@pytest.mark.parametrize(("q0", "q"), [(0.05, 0.01), (0.3, 0.2), (0.001, 0.0009)])
def test_s8_below_q0_the_mean_stays_below_n(q0: float, q: float) -> None:
    """S8: so that a threshold A means one false alarm in A comparisons, or rarer, wherever the rate lies at or below q0."""
    alive = [(1.0, Detector.start(q0))]
    for _ in range(8):
        alive = [(p * (q if wrong else 1 - q), detector.update(wrong)) for p, detector in alive for wrong in (False, True)]

    assert math.fsum(p * detector.level for p, detector in alive) < 8


@given(st.lists(st.integers(0, 10**6), max_size=6), st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=80, deadline=None)
def test_s8_batches_of_any_size_add_up(gaps: list[int], one: int, other: int) -> None:
    """S8: matches in two batches are the matches in one."""
    detector = Detector.start(0.001)
    for gap in gaps:
        detector = detector.matched(gap).update(True)

    assert detector.matched(one).matched(other).m == pytest.approx(detector.matched(one + other).m, rel=1e-9)


@given(rates, st.lists(st.booleans(), max_size=12), st.integers(0, 300))
@settings(max_examples=80, deadline=None)
def test_s8_a_batch_of_matches_is_that_many_updates(q0: float, before: list[bool], count: int) -> None:
    """S8: batch update = repeated updates."""
    batch, single = after(q0, before).matched(count), after(q0, [*before, *([False] * count)])

    assert batch.m == pytest.approx(single.m, rel=1e-9)


@given(rates, st.lists(st.booleans(), max_size=30))
@settings(max_examples=80, deadline=None)
def test_s8_one_match_raises_m_by_less_than_one(q0: float, before: list[bool]) -> None:
    """S8: M_j > 0 after the first comparison; a match never raises any M_j by 1 or more."""
    old = after(q0, before)
    new = old.update(False)

    assert all(value > 0 for value in new.m)
    assert all(b - a < 1 or b < a * (1 + 1e-12) for a, b in zip(old.m, new.m, strict=True))


@pytest.mark.parametrize(("q1_run", "most"), [(1, 3), (5, 30)])
def test_a_broken_candidate_is_noticed_within_a_few_comparisons(q1_run: int, most: int) -> None:
    """At q0 = .001 and A = 1e6: 100 % wrong within 3 comparisons, every fifth wrong within 30, as the reference's 3 and 16."""
    detector = Detector.start(0.001).matched(4000)
    for i in range(1, most + 1):
        detector = detector.update(i % q1_run == 0)
        if detector.alarm(alarm_threshold(0)):
            return
    pytest.fail("no alarm")


def delay(q1: float, random: Random, threshold: float = 1e6) -> int:
    """Comparisons at the rate q1 until the alarm, after 4,000 at q0/10. On matches alone no M can reach the threshold."""
    detector = Detector.start(0.001)
    left = 4_000
    while (gap := geometric(0.0001, random)) <= left:
        detector, left = detector.matched(gap - 1).update(True), left - gap
    detector, at = detector.matched(left), 0
    while not detector.alarm(threshold):
        gap = geometric(q1, random)
        detector, at = detector.matched(gap - 1).update(True), at + gap
    return at


def geometric(q: float, random: Random) -> int:
    """Trials up to and including the first mismatch."""
    return 1 if q >= 1.0 else 1 + int(math.log(1.0 - random.random()) / math.log1p(-q))


@pytest.mark.parametrize(("q1", "published"), [(1.0, 3), (0.2, 16), (0.05, 83), (0.01, 690), (0.003, 6_000)])
def test_the_published_delays(q1: float, published: float) -> None:
    """Mean delays of 3, 16, 82-84, 681-694 and 5,784-6.2e3 comparisons at q0 = .001, within noise (seeded; 500 runs each)."""
    random = Random(20_261_122)
    found = sum(delay(q1, random) for _ in range(500)) / 500

    assert found == pytest.approx(published, rel=0.10)


@pytest.mark.parametrize(("rate", "alarms"), [(0.00025, 0), (0.0005, 0)])
def test_no_false_alarm_below_q0(rate: float, alarms: int) -> None:
    """Six runs of five million comparisons at q0/4 and at q0/2 (seeded); the reference has none in 60 at q0/4."""
    assert sum(falsely(rate, Random(seed)) for seed in range(6)) == alarms


@pytest.mark.soak
def test_no_false_alarm_in_sixty_runs() -> None:
    """The reference's 60 x 5e6 comparisons at q0/4."""
    assert not any(falsely(0.00025, Random(seed)) for seed in range(60))


def falsely(rate: float, random: Random) -> bool:
    """Whether five million comparisons at this rate raise an alarm."""
    detector, left = Detector.start(0.001), 5_000_000
    while (gap := geometric(rate, random)) <= left:
        detector, left = detector.matched(gap - 1).update(True), left - gap
        if detector.alarm(1e6):
            return True
    return False


@given(st.lists(st.integers(0, 3_000), max_size=30))
@settings(max_examples=60, deadline=None)
def test_an_alarm_comes_with_a_mismatch_only(gaps: list[int]) -> None:
    """Once M is large a match lowers it: what has not alarmed after a mismatch is not alarmed by matches."""
    detector = Detector.start(0.001)
    for gap in gaps:
        quiet = not detector.alarm(1e6)
        matched = detector.matched(gap)
        assert not (quiet and matched.alarm(1e6))
        detector = matched.update(True)


def test_clean_traffic_never_alarms() -> None:
    """M stays bounded over a hundred million matches."""
    detector = Detector.start(0.001).matched(10**8)

    assert detector.level < 1000
    assert not detector.alarm(alarm_threshold(0))


def test_the_detector_never_overflows() -> None:
    """An alarm nobody takes leaves finite numbers."""
    detector = after(0.0001, [True] * 400)

    assert all(math.isfinite(value) for value in (*detector.m, detector.level))
    assert detector.alarm(1e6)


def test_the_raised_rates_lie_above_q0() -> None:
    """3, 10, 30 and 100 times q0 where below one half, and one half; with a large q0 one rate above it."""
    assert Detector.start(0.001).rates == pytest.approx((0.003, 0.01, 0.03, 0.1, 0.5))
    assert Detector.start(0.05).rates == pytest.approx((0.15, 0.5))
    assert Detector.start(0.6).rates == pytest.approx((0.8,))


@pytest.mark.parametrize("q0", [0.0, 1.0, -1.0, math.nan])
def test_a_senseless_rate_is_refused(q0: float) -> None:
    """q0 lies between 0 and 1."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        Detector.start(q0)


def test_the_threshold_is_thirty_days_of_comparisons_and_at_least_a_million() -> None:
    """Never 1/alpha; NaN traffic gives the floor."""
    assert alarm_threshold(100) == 1e6
    assert alarm_threshold(1e6) == 3e7
    assert alarm_threshold(math.nan) == 1e6


def test_a_repeated_mismatch_of_one_client_is_heard_once_per_window() -> None:
    """The window starts with the first one and is not extended by repeats."""
    repeats = Repeats(600)

    heard = [repeats.first("anna", "f", now) for now in (0, 300, 599, 600, 900)]
    assert heard == [True, False, False, True, False]
    assert repeats.first("ben", "f", 900)
    assert repeats.first("anna", "g", 900)


def test_a_clock_that_went_back_does_not_silence_a_client() -> None:
    """A mismatch from before the remembered one counts."""
    repeats = Repeats(600)
    repeats.first("anna", "f", 1000)

    assert repeats.first("anna", "f", 10)


def test_the_memory_of_repeats_is_bounded() -> None:
    """Past the limit the oldest pair is forgotten and heard again."""
    repeats = Repeats(600, limit=2)
    for name in ("a", "b", "c"):
        repeats.first(name, "f", 0)

    assert [repeats.first(name, "f", 1) for name in ("c", "b", "a")] == [False, False, True]


@pytest.mark.parametrize(
    ("primary", "candidate", "tripped"),
    [
        (401, 200, True),
        (403, 204, True),
        (403, 403, False),
        (404, 200, False),
        (403, None, False),
        (None, 200, False),
        (200, 500, False),
    ],
)
def test_an_answer_where_the_primary_refused_is_a_hard_trip(primary: int | None, candidate: int | None, tripped: bool) -> None:
    """401 or 403 against any 2xx, and nothing else about statuses."""
    assert (hard_trip(primary, candidate) is not None) is tripped


@pytest.mark.parametrize("what", ["other_principal", "wrote_in_shadow", "foreign_build", "session_differs"])
def test_each_hard_trip_has_its_sentence(what: str) -> None:
    """One such event suffices."""
    assert "the candidate" in (hard_trip(200, 200, **{what: True}) or "")
