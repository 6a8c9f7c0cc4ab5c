"""Those who count over many exchanges, and the memory they keep."""

from __future__ import annotations

import asyncio
import random

import pytest
from compared_pairs import Clock, compared

from differ.samples import rank
from gate.facts import Evidence, LatencyEvidence
from gate.overrides import policy_for
from gate.policy import Policy
from shadow.builds import Builds
from shadow.current_epochs import CurrentEpochs
from shadow.endings import ExampleOffers
from shadow.faults import place_of
from shadow.latency_watch import LatencyWatch
from shadow.modes import Modes
from shadow.rollback_watch import MAX_BUILDS, RollbackWatch
from traffic.message import Failure, Response, Side
from traffic.outcome import Verdict

POLICY: Policy = policy_for("demo", 0.999, 0.05, {"latency": {"calibrate": 10}})


def test_canary_goes_on_with_the_evidence_of_the_shadow_phase() -> None:
    clock = Clock()
    modes = Modes(clock, quiet_s=600.0)
    sides = [Side.PRIMARY, Side.CANDIDATE, Side.PRIMARY, Side.CANDIDATE]
    assert {modes.of("r", side) for side in sides} == {"shadow"}


def test_route_whose_primary_serves_nobody_any_more_changes_its_mode() -> None:
    clock = Clock()
    modes = Modes(clock, quiet_s=600.0)
    assert modes.of("r", Side.CANDIDATE) == "shadow"
    clock.now += 601.0
    assert modes.of("r", Side.CANDIDATE) == "reverse"
    assert modes.of("r", Side.PRIMARY) == "shadow"
    assert modes.of("r", Side.CANDIDATE) == "shadow"


def test_build_is_the_header_s_or_the_last_one_seen() -> None:
    builds = Builds("X-Build")
    assert builds.of(Response(200)) == ""
    assert builds.of(Response(200, ((b"x-BUILD", b"abc"),))) == "abc"
    assert builds.of(Failure("timeout")) == "abc"
    assert builds.of(Response(502)) == "abc"


def test_build_is_unknown_until_the_candidate_has_answered_in_order() -> None:
    builds = Builds("X-Build")
    for answer in (Failure("refused"), Response(502)):
        assert builds.of(answer) == ""
        assert not builds.known
    assert builds.of(Response(200)) == ""
    assert builds.known  # a candidate that names no builds
    named = Builds("X-Build")
    named.of(Response(500, ((b"X-Build", b"b1"),)))
    assert named.known


def test_current_epoch_is_read_once_and_a_store_that_is_away_is_not_asked_all_the_time() -> None:
    clock, asked = Clock(), []

    async def recall(route: str) -> Evidence:
        asked.append(route)
        if len(asked) == 1:
            raise OSError("away")
        return Evidence(route, epoch="e1")

    async def scenario() -> list[str]:
        current = CurrentEpochs(recall, clock)
        said = [await current.of("r"), await current.of("r")]
        clock.now += 10.0
        return [*said, await current.of("r"), await current.of("r")]

    assert asyncio.run(scenario()) == ["", "", "e1", "e1"]
    assert len(asked) == 2


def test_route_that_serves_nobody_from_the_candidate_is_not_watched() -> None:
    watch = RollbackWatch(POLICY, Clock())
    for number in range(200):
        assert watch.observe(compared(Verdict.MISMATCH, Side.PRIMARY, client=str(number)), "u") is None


def test_mismatches_of_many_clients_trip() -> None:
    watch = RollbackWatch(POLICY, Clock())
    trips = [watch.observe(compared(Verdict.MISMATCH, client=str(number)), "u") for number in range(50)]
    first = next(trip for trip in trips if trip)
    assert not first.hard
    assert trips.index(first) >= 2


def test_one_client_that_repeats_itself_does_not_trip() -> None:
    watch = RollbackWatch(POLICY, Clock())
    assert not any(watch.observe(compared(Verdict.MISMATCH), "u") for _ in range(500))


def test_answer_that_only_the_candidate_gives_away_trips_at_once() -> None:
    watch = RollbackWatch(POLICY, Clock())
    trip = watch.observe(compared(Verdict.MISMATCH, primary=Response(403), candidate=Response(200)), "u")
    assert trip is not None
    assert trip.hard


def test_new_build_starts_a_detector_of_its_own() -> None:
    watch = RollbackWatch(POLICY, Clock())
    for number in range(3):
        watch.observe(compared(Verdict.MISMATCH, client=str(number)), "u")
    watch.observe(compared(Verdict.MATCH, build="b2"), "u")
    builds = watch._routes["GET /a"].builds
    assert builds["b2"].detector.level < builds["b1"].detector.level


@pytest.mark.parametrize("builds", [2, 5, 1000])
def test_builds_that_answer_in_turns_do_not_reset_the_detector(builds: int) -> None:
    """A rolling deployment, or a build header that is another one with each answer: a broken candidate trips all the same."""
    watch = RollbackWatch(POLICY, Clock())
    trips = [
        watch.observe(compared(Verdict.MISMATCH, client=str(number), build=f"b{number % builds}"), "u") for number in range(100)
    ]
    assert any(trips)
    assert len(watch._routes["GET /a"].builds) <= MAX_BUILDS + 1


def test_builds_of_earlier_days_make_room_for_new_ones() -> None:
    clock = Clock()
    watch = RollbackWatch(POLICY, clock)
    for number in range(30):
        watch.observe(compared(build=f"b{number}"), "u")
        clock.now += 3000.0
    assert None not in watch._routes["GET /a"].builds
    assert "b29" in watch._routes["GET /a"].builds


async def nothing_known(route: str) -> Evidence:
    return Evidence(route)


def watching(recall: object = nothing_known) -> LatencyWatch:
    watch = LatencyWatch(POLICY, Clock(), recall)  # type: ignore[arg-type]
    asyncio.run(watch.prepare("GET /a", "epoch"))
    return watch


def test_equal_speed_is_no_finding() -> None:
    watch = watching()
    for number in range(500):
        _, findings = watch.observe(compared(primary_ms=5.0 + number % 7, candidate_ms=5.0 + (number + 3) % 7))
        assert findings == []


def test_slower_candidate_is_found_once_per_quantile() -> None:
    watch = watching()
    found = []
    for number in range(200):
        _, findings = watch.observe(compared(primary_ms=5.0 + number % 3, candidate_ms=500.0))
        found += findings
    assert sorted(finding.atom.path for finding in found) == ["p50", "p95", "p99"]
    assert "500" not in found[0].atom.cluster_id
    assert "more than" in found[0].detail


def test_timeouts_count_as_the_longest_latency() -> None:
    watch = watching()
    found = []
    for _ in range(60):
        _, findings = watch.observe(compared(candidate=Failure("timeout"), candidate_ms=0.1))
        found += findings
    assert found


def test_refused_connections_say_nothing_about_speed() -> None:
    watch = watching()
    for _ in range(60):
        assert watch.observe(compared(candidate=Failure("refused"), candidate_ms=0.1)) == ([], [])


def test_frozen_thresholds_of_the_store_are_used_again() -> None:
    async def recall(route: str) -> Evidence:
        return Evidence(route, epoch="epoch", latency=(LatencyEvidence("p50", 7.0, 12.0, 0, 100),))

    watch = watching(recall)
    counts, findings = watch.observe(compared(primary_ms=5.0, candidate_ms=13.0))
    assert [(line.tau, line.threshold_ms, line.candidate_slow_only) for line in counts] == [("p50", 7.0, 1)]
    assert findings[0].count == 101


def test_store_that_is_away_does_not_stop_the_claim() -> None:
    async def recall(route: str) -> Evidence:
        raise OSError("away")

    assert watching(recall).knows("GET /a", "epoch")


def test_what_the_store_would_keep_is_offered_the_lowest_ranks_and_one_now_and_then() -> None:
    clock = Clock()
    offers = ExampleOffers(clock, sampled=3)
    names = [f"x{number}" for number in range(2_000)]
    offered = [name for name in names if offers.wanted({"x"}, name)]
    assert set(sorted(names, key=rank)[:3]) <= set(offered)
    assert len(offered) < 60  # 3 (1 + ln(2000 / 3)) are expected
    highest = max(names, key=rank)
    assert not offers.wanted({"x"}, highest)
    assert offers.wanted({"x", "new"}, highest)
    assert not offers.wanted({"x"}, highest)
    clock.now += 10.0
    assert offers.wanted({"x"}, highest)


def test_fault_is_told_without_its_text() -> None:
    try:
        int("hunter2")
    except ValueError as error:
        told = place_of(error)
    assert "hunter2" not in told
    assert told.startswith("ValueError at test_watches.py:")


@pytest.mark.parametrize("verdict", [Verdict.NOISE, Verdict.RACED, Verdict.INCONCLUSIVE])
def test_what_is_no_evidence_does_not_move_the_detector(verdict: Verdict) -> None:
    watch = RollbackWatch(POLICY, Clock())
    for number in range(100):
        watch.observe(compared(verdict, client=str(number)), None)
    assert watch._routes["GET /a"].builds["b1"].comparisons == 0


@pytest.mark.parametrize("seed", range(4))
def test_few_clients_whom_the_candidate_fails_now_and_then_are_heard(seed: int) -> None:
    """A defect of 10 % where 5 % are agreed, among 120 clients who ask again and again within the time in which a repeat is none."""
    clock = Clock()
    watch = RollbackWatch(policy_for("default", 0.95, 0.05, {}), clock)
    chance, trips = random.Random(seed), []
    for number in range(2_000):
        clock.now += 0.005
        verdict = Verdict.MISMATCH if chance.random() < 0.10 else Verdict.MATCH
        trips.append(watch.observe(compared(verdict, client=f"c{number % 120}"), f"u{number}"))
    assert any(trips)


def test_clients_whose_mismatches_are_as_rare_as_agreed_raise_no_alarm() -> None:
    """A quarter of the agreed rate for an hour: leaving out a harmed client's matches leaves the rate of the others as it is."""
    clock = Clock()
    watch = RollbackWatch(policy_for("default", 0.999, 0.05, {}), clock)
    chance = random.Random(6)
    for number in range(60_000):
        clock.now += 0.06
        verdict = Verdict.MISMATCH if chance.random() < 0.00025 else Verdict.MATCH
        assert watch.observe(compared(verdict, client=f"c{number % 50}", path=f"$.p{number % 3}"), f"u{number}") is None
