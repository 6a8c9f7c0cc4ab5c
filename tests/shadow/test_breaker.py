"""The breaker: when it opens, how it probes, and whose end counts."""

from __future__ import annotations

import itertools

from shadow_clock import Clock

from shadow.breaker import LONGEST_S, PROBE_S, Breaker, BreakerState


def failed(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        attempt = breaker.admit()
        assert attempt is not None
        breaker.ended(attempt, False)


def probed(breaker: Breaker) -> int:
    attempt = breaker.admit()
    assert attempt is not None
    return attempt


def test_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    clock = Clock()
    breaker = Breaker(clock, limit=3, pause_s=1.0)
    failed(breaker, 3)
    assert breaker.admit() is None
    clock.now += 1.0
    probe = probed(breaker)
    assert breaker.admit() is None
    breaker.ended(probe, True)
    assert breaker.state is BreakerState.CLOSED


def test_waits_longer_after_a_failed_probe() -> None:
    clock = Clock()
    breaker = Breaker(clock, limit=1, pause_s=1.0)
    failed(breaker, 1)
    clock.now += 1.0
    breaker.ended(probed(breaker), False)
    clock.now += 1.5
    assert breaker.admit() is None
    clock.now += 0.5
    assert breaker.admit() is not None


def test_probe_that_never_reports_does_not_block_for_ever() -> None:
    clock = Clock()
    breaker = Breaker(clock, limit=1, pause_s=1.0)
    failed(breaker, 1)
    clock.now += 1.0
    probed(breaker)
    clock.now += PROBE_S
    assert breaker.admit() is not None


def test_success_between_failures_keeps_it_closed() -> None:
    breaker = Breaker(Clock(), limit=2)
    for success in (False, True, False, True, False):
        breaker.ended(probed(breaker), success)
    assert breaker.admit() is not None


def test_end_of_something_sent_before_it_opened_is_not_the_probe_s() -> None:
    """[F-3] Copies that hung when the breaker opened time out while it probes: they neither open it longer nor close it."""
    clock = Clock()
    breaker = Breaker(clock, limit=1, pause_s=1.0)
    old = [probed(breaker), probed(breaker)]
    failed(breaker, 1)
    clock.now += 1.0
    probe = probed(breaker)
    for attempt, success in zip(old, (False, True), strict=True):
        breaker.ended(attempt, success)
        assert breaker.state is BreakerState.HALF_OPEN
    breaker.ended(probe, True)
    assert breaker.state is BreakerState.CLOSED


def test_probe_that_was_never_sent_leaves_the_way_to_the_next_one() -> None:
    clock = Clock()
    breaker = Breaker(clock, limit=1, pause_s=1.0)
    failed(breaker, 1)
    clock.now += 1.0
    breaker.ended(probed(breaker), None)
    assert breaker.admit() is not None


def test_backend_that_flaps_is_probed_once_a_second_at_most_and_flips_once_per_pause() -> None:
    """[F-10] Ten minutes of a backend that is down and up in turns, asked a hundred times a second."""
    clock = Clock()
    breaker = Breaker(clock)
    flips: list[float] = []
    probes: list[float] = []
    for step in range(60_000):
        clock.now = step * 0.01
        before = breaker.state
        attempt = breaker.admit()
        if attempt is not None:
            if breaker.state is BreakerState.HALF_OPEN:
                probes.append(clock.now)
            breaker.ended(attempt, int(clock.now) % 2 == 0)
        if before is BreakerState.CLOSED and breaker.state is BreakerState.OPEN:
            flips.append(clock.now)
    assert len(flips) > 50
    for moments in (flips, probes):
        assert all(later - earlier >= 1.0 - 1e-6 for earlier, later in itertools.pairwise(moments))


def test_backend_that_is_well_again_gets_its_copies_back_within_five_seconds() -> None:
    """[F-1] However long it was down."""
    clock = Clock()
    breaker = Breaker(clock)
    failed(breaker, 20)
    for _ in range(10):
        while (attempt := breaker.admit()) is None:
            clock.now += 0.1
        breaker.ended(attempt, False)
    begun = clock.now
    while (attempt := breaker.admit()) is None:
        clock.now += 0.1
    breaker.ended(attempt, True)
    assert breaker.state is BreakerState.CLOSED
    assert clock.now - begun <= LONGEST_S + 0.2 <= 5
