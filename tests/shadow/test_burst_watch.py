"""Bursts of mismatches on a route that serves nobody from the candidate."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from compared_pairs import Clock, compared

import shadow.burst_watch
from gate.overrides import policy_for
from shadow.burst_watch import BurstWatch
from traffic.message import Failure, Side
from traffic.outcome import CandidateError, Verdict

POLICY = policy_for("default", 0.999, 0.05, {})


def shadowed(verdict: Verdict = Verdict.MATCH, number: int = 0, **more):
    return compared(verdict, Side.PRIMARY, client=str(number), **more)


def alarms(watch: BurstWatch, verdicts: list[Verdict], start: int = 0) -> list[int]:
    """After which comparisons the evidence should begin anew."""
    return [at for at, verdict in enumerate(verdicts) if watch.observe(shadowed(verdict, start + at), f"u{start + at}")]


def test_a_quarter_of_an_hour_at_five_per_cent_is_heard() -> None:
    watch = BurstWatch(POLICY, Clock())
    quiet = alarms(watch, [Verdict.MATCH] * 5_000)
    burst = alarms(watch, ([Verdict.MISMATCH] + [Verdict.MATCH] * 19) * 20, 5_000)
    assert quiet == []
    assert len(burst) >= 1
    assert burst[0] < 250


def test_a_rate_that_is_agreed_to_is_not() -> None:
    watch = BurstWatch(POLICY, Clock())
    assert alarms(watch, ([Verdict.MISMATCH] + [Verdict.MATCH] * 3_999) * 5) == []


def test_it_is_heard_once_and_listens_anew() -> None:
    watch = BurstWatch(POLICY, Clock())
    heard = alarms(watch, [Verdict.MISMATCH] * 12)
    assert heard == [2, 5, 8, 11]


def test_one_client_that_repeats_itself_is_one_mismatch() -> None:
    watch = BurstWatch(POLICY, Clock())
    assert not any(watch.observe(shadowed(Verdict.MISMATCH), "u") for _ in range(500))


def test_a_candidate_that_fails_is_heard_and_what_is_no_evidence_is_not() -> None:
    watch = BurstWatch(POLICY, Clock())
    failed = [watch.observe(shadowed(number=at, candidate=Failure(CandidateError.RESET)), "u") for at in range(4)]
    noise = [watch.observe(shadowed(Verdict.NOISE, at), None) for at in range(4)]
    assert (any(failed), any(noise)) == (True, False)


def test_another_epoch_is_watched_anew() -> None:
    watch = BurstWatch(POLICY, Clock())
    made = [watch.observe(replace(shadowed(Verdict.MISMATCH, at), epoch=f"e{at % 2}"), "u") for at in range(20)]
    assert not any(made)


def test_where_clients_are_served_it_is_the_other_watchs_matter() -> None:
    watch = BurstWatch(POLICY, Clock())
    for at in range(50):
        assert not watch.observe(compared(Verdict.MISMATCH, Side.CANDIDATE, client=str(at)), "u")
        assert not watch.observe(shadowed(Verdict.MISMATCH, 100 + at), "u")


def test_routes_are_bounded(monkeypatch) -> None:
    monkeypatch.setattr(shadow.burst_watch, "MAX_ROUTES", 3)
    watch = BurstWatch(POLICY, Clock())
    for number in range(10):
        made = shadowed(number=number)
        watch.observe(replace(made, exchange=replace(made.exchange, route=f"GET /{number}")), "u")
    assert list(watch._routes) == ["GET /7", "GET /8", "GET /9"]


@pytest.mark.parametrize("seed", range(4))
def test_few_clients_that_see_mismatches_now_and_then_are_heard(seed: int) -> None:
    """Repeats of a client's mismatch do not count for a while, so neither do its matches: they would make the watch deaf."""
    watch, chance = BurstWatch(policy_for("default", 0.95, 0.05, {}), Clock()), random.Random(seed)
    heard = [
        watch.observe(shadowed(Verdict.MISMATCH if chance.random() < 0.10 else Verdict.MATCH, at % 120), f"u{at}")
        for at in range(2_000)
    ]
    assert any(heard)
