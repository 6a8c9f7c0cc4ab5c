"""The cutover under load for longer: other defects, a candidate that dies, a hard trip, and a lease that really runs out."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cutover_clients import Crowd
from cutover_promise import most_comparisons
from cutover_routes import route_of
from cutover_stage import Stage, staged
from cutover_story import Outcome, climb, defect_in_mid_canary, up_to_the_end
from faults_stage import until
from store_server import Server

from gate.facts import State

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="pg-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def url(server: Server) -> str:
    """An empty database on the server, which runs again whatever the test before did to it."""
    server.start()
    return server.url()


def assert_clients_fine(stage: Stage) -> None:
    seen = stage.clients.seen
    assert [item for item in seen if item.status != 200 or item.fault] == []
    assert [item for item in seen if not stage.ruling.allowed(item)] == []


async def back(stage: Stage, segment: str, within_s: float) -> float:
    """Seconds until both proxies serve a route from the primary."""
    begun = time.time()

    async def all_back() -> bool:
        return all(alarmed or weight == 0 for _, weight, alarmed in await stage.enforced(segment))

    await until(f"route {segment} is back", all_back, within_s, 0.02)
    stage.ruling.begin(segment, begun, time.time(), None, "back")
    return time.time() - begun


@pytest.mark.parametrize("share", [1.0, 0.25, 0.15])
def test_a_defect_of_any_rate_takes_the_route_back_within_the_promise(
    url: str, folder: Path, share: float, record_property: pytest.RecordProperty
) -> None:
    """I3: and no client request fails. Of many clients: a second mismatch of the same one within ten minutes is not counted."""
    outcome = Outcome()

    async def story() -> Stage:
        async with staged(folder, url, crowd=Crowd(users=5_000)) as stage:
            await stage.promote("a")
            await defect_in_mid_canary(stage, outcome, share)
        return stage

    stage = asyncio.run(story())
    promised = most_comparisons(1.0 - stage.policy.p0, share, stage.policy.detector_floor)
    record_property("comparisons", outcome.comparisons)
    record_property("promised", promised)
    record_property("seconds", round(min(outcome.alarmed_at) - outcome.defect_at, 3))
    assert_clients_fine(stage)
    assert outcome.comparisons <= promised


def test_a_candidate_that_dies_in_mid_canary_fails_no_reader(url: str, folder: Path) -> None:
    """[F-12] Nobody listens any more: every GET falls back once, the breaker takes the routes back, the store hears of it."""

    async def story() -> Stage:
        async with staged(folder, url) as stage:
            await asyncio.gather(stage.promote("a"), stage.promote("b"))
            await stage.promote("b")
            begun = time.time()
            stage.candidate.stop()
            for segment in "ab":
                stage.ruling.begin(
                    segment, begun, float("inf"), None, "candidate dead"
                )  # until it is noticed either may answer
            await asyncio.gather(back(stage, "a", 30.0), back(stage, "b", 30.0))

            async def recorded() -> bool:
                found = [(await stage.store.standing(route_of(segment))).state for segment in "ab"]
                return found == [State.ROLLED_BACK] * 2

            await until("the store knows", recorded, 30.0)
        return stage

    stage = asyncio.run(story())
    assert_clients_fine(stage)


def test_one_hard_trip_takes_the_route_back_and_locks_it(url: str, folder: Path) -> None:
    """I3: the candidate answers where the primary refuses: one such answer is enough, and people have to look at it."""

    async def story() -> tuple[Stage, bool, float]:
        async with staged(folder, url) as stage:
            await stage.promote("a")
            stage.primary.refused.add("a")
            took = await back(stage, "a", 30.0)
            await asyncio.sleep(2.0)
            return stage, (await stage.store.standing(route_of("a"))).locked, took

    stage, locked, took = asyncio.run(story())
    assert locked
    assert took < 15.0
    assert {seen.status for seen in stage.clients.seen if seen.segment != "a"} == {200}
    assert {seen.status for seen in stage.clients.seen if seen.segment == "a"} == {200, 401}
    assert not any(seen.fault for seen in stage.clients.seen)


def test_a_store_that_stays_away_lets_the_lease_run_out(
    server: Server, url: str, folder: Path, record_property: pytest.RecordProperty
) -> None:
    """I11: nobody renews it: within the lease of a minute the canary serves nobody any more, and the cut-over everybody as before."""

    async def story() -> tuple[Stage, float]:
        async with staged(folder, url) as stage:
            await climb(stage)
            await up_to_the_end(stage)
            held = next(found for found in await stage.store.decisions() if found.route == route_of("b"))
            await asyncio.to_thread(server.kill)
            begun = time.time()
            await asyncio.sleep(
                max(0.0, (held.lease_until or begun) - begun) + 16.0
            )  # renewed once more at the last moment, at most
            for segment in "ab":
                stage.ruling.begin(segment, begun, begun + stage.policy.lease_s, None, "expired")
            await asyncio.sleep(3.0)  # it stays away: with it the lease would be renewed, and the canary go on
        return stage, begun

    stage, begun = asyncio.run(story())
    by_candidate = [seen for seen in stage.clients.seen if seen.segment in "ab" and seen.by_candidate]
    record_property("last_answer_after_s", round(max(seen.asked for seen in by_candidate) - begun, 1))
    assert_clients_fine(stage)
    last = [seen for seen in stage.clients.seen if seen.asked > begun + stage.policy.lease_s + 1.0]
    assert all(seen.by_candidate for seen in last if seen.segment == "c")
    assert any(seen.segment == "b" for seen in last)
