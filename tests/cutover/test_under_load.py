"""The whole cutover through two real proxies while clients ask: up by evidence, back by itself, without the store, and nobody notices."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cutover_clients import Seen
from cutover_promise import most_comparisons
from cutover_stage import Stage, staged
from cutover_story import (
    DEFECT_SHARE,
    Outcome,
    climb,
    defect_in_mid_canary,
    up_to_the_end,
    without_the_store,
)
from store_server import Server

from gate.facts import State

SLOW_S = 10.0
"""What a machine that does other things as well may add to one second."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def played(server: Server) -> tuple[Stage, Outcome]:
    """The stage after the story, at rest, and what was noted."""
    folder, url = Path(tempfile.mkdtemp(prefix="pg-")), server.url()  # a short name: a Unix socket's path has at most 107 bytes
    outcome = Outcome()

    async def story() -> Stage:
        async with staged(folder, url) as stage:
            await climb(stage)
            await asyncio.gather(defect_in_mid_canary(stage, outcome), up_to_the_end(stage))
            await without_the_store(stage, server, outcome)
        return stage

    try:
        return asyncio.run(story()), outcome
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def answers(stage: Stage, segment: str) -> list[Seen]:
    return [seen for seen in stage.clients.seen if seen.segment == segment]


def test_no_client_request_fails(played: tuple[Stage, Outcome]) -> None:
    """[F-12] From the first canary to the loss of the store every request got its own complete answer with status 200."""
    seen = played[0].clients.seen

    assert len(seen) > 1_000
    assert [item for item in seen if item.status != 200 or item.fault] == []


def test_every_answer_came_from_a_backend_that_a_decision_allowed(played: tuple[Stage, Outcome]) -> None:
    """I12, I22, I25: by user and by time, a second after each change; most answers can belong to one decision only."""
    stage, _ = played

    assert [seen for seen in stage.clients.seen if not stage.ruling.allowed(seen)] == []
    certain = Counter(
        (seen.segment, era.name, seen.by_candidate)
        for seen in stage.clients.seen
        if (era := stage.ruling.alone(seen)) is not None
    )
    for segment, name in (("a", "canary 2000"), ("b", "canary 6000")):  # both sides were seen at work
        assert certain[segment, name, True]
        assert certain[segment, name, False]
    for segment, name, side in (
        ("a", "alarm", False),
        ("b", "expired", False),
        ("c", "cutover 10000", True),
        ("c", "manual", False),
    ):
        assert certain[segment, name, side]
        assert not certain[segment, name, not side]


def test_a_defect_in_mid_canary_takes_the_route_back_within_the_promised_comparisons(
    played: tuple[Stage, Outcome], record_property: pytest.RecordProperty
) -> None:
    """I3: by itself, in one step to 0; the detector needed no more comparisons than it promises for this rate."""
    stage, outcome = played
    policy = stage.policy
    promised = most_comparisons(1.0 - policy.p0, DEFECT_SHARE, policy.detector_floor)
    record_property("comparisons", outcome.comparisons)
    record_property("promised", promised)

    assert outcome.comparisons <= promised
    (standing,) = outcome.rolled_back
    assert (standing.state, standing.weight_bp, standing.strikes) == (State.ROLLED_BACK, 0, 1)
    wrong = [seen for seen in answers(stage, "a") if seen.wrong]
    record_property("wrong_answers_to_clients", len(wrong))
    # Everybody's requests are compared, and only some are served by the candidate: clients see less than the detector does.
    assert all(seen.asked < max(outcome.alarmed_at) + 1.0 for seen in wrong)
    assert any(seen.by_candidate and not seen.wrong for seen in answers(stage, "a"))


def test_the_decision_follows_the_response_at_once(
    played: tuple[Stage, Outcome], record_property: pytest.RecordProperty
) -> None:
    """The objective is one second; the clock starts with the defect, so the time that the evidence took to come in is part of it."""
    stage, outcome = played
    first = min(outcome.alarmed_at) - outcome.defect_at
    record_property("first_proxy_s", round(first, 3))
    record_property("second_proxy_s", round(max(outcome.alarmed_at) - outcome.defect_at, 3))
    per_second = len(answers(stage, "a")) / (stage.clients.seen[-1].ended - stage.clients.seen[0].asked) / 2
    record_property("lag_s", round(first - outcome.comparisons / per_second, 3))

    assert first - outcome.comparisons / per_second < SLOW_S
    assert max(outcome.alarmed_at) - min(outcome.alarmed_at) < SLOW_S


def test_two_proxies_on_one_store_agree_after_each_decision(
    played: tuple[Stage, Outcome], record_property: pytest.RecordProperty
) -> None:
    """Each decision was taken in the store alone, and both proxies enforced it about a second later."""
    stage, _ = played
    for name, took in stage.agreed_after:
        record_property(f"agreed_after_s {name}", round(took, 3))

    assert len(stage.agreed_after) == 6
    assert max(took for _, took in stage.agreed_after) < SLOW_S


def test_without_the_store_nothing_rises_and_what_was_decided_stays(played: tuple[Stage, Outcome]) -> None:
    """A promotion is refused; the canary and the cut-over go on at the weight they had."""
    _, outcome = played

    assert outcome.raised_without_store
    assert [(weight, alarmed) for _, weight, alarmed in outcome.before_expiry] == [(6000, False)] * 2 + [(10_000, False)] * 2


def test_a_rollback_works_without_the_store(played: tuple[Stage, Outcome], record_property: pytest.RecordProperty) -> None:
    """I3: both proxies took it while the store was dead; it stayed so when it came back, and was audited when repeated."""
    _, outcome = played
    record_property("rollback_without_store_s", round(outcome.rollback_took, 3))

    assert [weight for _, weight, _ in outcome.after_return["c"]] == [0, 0]
    assert next(row.action for row in outcome.audit if row.route == "GET /c/{id}") == "rollback"
    assert outcome.problems == []


def test_the_end_of_a_lease_takes_a_canary_to_nothing_and_a_replay_does_not_bring_it_back(
    played: tuple[Stage, Outcome],
) -> None:
    """I10, I11: nobody got the candidate afterwards, neither when the store was back nor when the old decision was told again."""
    stage, outcome = played
    (expired,) = [era for era in stage.ruling.eras["b"] if era.name == "expired"]
    late = [seen for seen in answers(stage, "b") if seen.asked > expired.settled + 1.0]

    assert outcome.replayed == [409, 409]
    assert len(late) > 20
    assert not any(seen.by_candidate for seen in late)
