"""Two workers on one port: one is killed and replaced, all are asked to end, and the books are those of one proxy."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from faults_audit import Audit, assert_clients_fine
from faults_load import Client, Load, offer
from faults_play import during, endure, resumed
from faults_stage import Stage, until

from store.tasks import spawn

SECTIONS = {"proxy": {"workers": 2}}
CANDIDATE = "refuse"


def test_candidate_that_was_never_there(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-1] A candidate that comes after the shadow gets its copies then."""

    async def scenario() -> None:
        _, ledger = await endure(stage, "refuse")
        assert ledger.candidate_error.keys() == {"refused"}
        await resumed(stage)

    runner.run(scenario())


def test_one_of_two_workers_killed(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-18] kill -9 of one of two workers: only requests it had open fail, it is replaced within 1 s, and the books are exact."""

    async def kill() -> None:
        victim, other = stage.proxy.workers
        os.kill(victim, signal.SIGKILL)
        begun = time.monotonic()

        async def both() -> bool:
            workers = (await stage.readiness()).get("workers", {})
            return workers.get("ready") == 2 and victim not in stage.proxy.workers

        await until("the worker is replaced", both, 30.0, 0.02)
        replaced.append(time.monotonic() - begun)
        assert other in stage.proxy.workers

    replaced: list[float] = []

    async def scenario() -> None:
        load, ledger = await during(stage, kill, killed=True)
        assert load.wrong == []
        assert len(load.failed) <= 20
        assert {reason for _, reason in load.failed} <= {"ConnectionResetError", "IncompleteReadError", "BrokenPipeError"}
        assert ledger.refused.get("proxy_died", 0) <= 20
        assert ledger.verdicts["match"] > 0
        assert replaced[0] < 10.0  # 1 s on a machine that has nothing else to do: the soak says so
        load = await offer(stage.port, 0.4)
        assert_clients_fine(load)
        await stage.at_rest()
        assert stage.status()["total"]["violations"] == []

    runner.run(scenario())


def test_both_share_the_work_and_the_ledger(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-28] Clients are spread over both workers; a decision holds in both from its confirmation on; the ledger is one."""

    async def scenario() -> None:
        audit = await Audit.begin(stage)
        load = await offer(stage.port, 0.5, 200.0, 40)
        assert len(list(stage.settings.state_dir.glob("openings-*.bin"))) == 2
        await stage.decide("GET /items/{id}", 10_000)
        served = sum(stage.primary.lives.values())
        load += await offer(stage.port, 0.5, 200.0, 40)
        assert sum(stage.primary.lives.values()) == served
        assert_clients_fine(load)
        ledger = await audit.end(load)
        assert ledger.served_candidate == len(load.attempts) - served

    runner.run(scenario())


def test_sigterm_with_two_workers(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-19] SIGTERM of the parent with 20 requests in flight over both workers: all are answered, the parent ends with 0."""

    async def scenario() -> None:
        audit, load = await Audit.begin(stage), Load()
        await stage.primary.behave("delay:1")
        await stage.candidate.behave("delay:1")

        async def one(number: int) -> None:
            client = Client(stage.port, f"client-{number}")
            load.attempts.add(f"slow{number}")
            load.note(f"slow{number}", await client.ask(f"slow{number}"), time.monotonic())
            client.close()

        asking = [spawn(one(number), f"slow client {number}") for number in range(20)]
        asked = stage.primary.lives, stage.candidate.lives
        await until("all requests are with a backend", lambda: sum(map(len, asked)) == 20, 5.0)
        stage.proxy.send(signal.SIGTERM)
        await asyncio.gather(*asking)
        assert await stage.proxy.ended() == 0
        await stage.primary.behave("ok")
        await stage.candidate.behave("ok")
        assert_clients_fine(load)
        ledger = await audit.end(load)  # the shadow closes the books of both
        assert ledger.served_primary + ledger.served_candidate == 20
        assert ledger.lost == {}

    runner.run(scenario())
