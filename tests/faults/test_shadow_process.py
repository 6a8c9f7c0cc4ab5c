"""The shadow is killed, stopped and restarted as often as one likes: no client notices, and what was lost is counted to the last one."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from faults_audit import assert_clients_fine
from faults_play import SLOWEST_S, during, resumed
from faults_stage import Stage

HELD = 1000 + 400
"""What one kill may cost: `mirror.queue` exchanges that the shadow has taken in, and what fits into the socket's buffer."""


@pytest.mark.soak
def test_killed_shadow(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-17] kill -9 and a new one, again and again: only what the dead one held is lost, and it is counted; the rest is judged."""

    async def kill() -> None:
        for _ in range(2):
            await stage.new_shadow()
            await asyncio.sleep(0.5)

    async def scenario() -> None:
        load, ledger = await during(stage, kill)
        assert_clients_fine(load)
        assert load.percentile(0.99) < SLOWEST_S
        assert set(ledger.lost) <= {"worker_died"}
        assert set(ledger.skipped) <= {"queue_full"}
        assert sum(ledger.lost.values()) <= 2 * HELD
        assert ledger.verdicts["match"] > 0

    runner.run(scenario())


def test_stopped_shadow(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-17] SIGSTOP: the queue fills and counts what it cannot take; after SIGCONT all that waited is judged, and nothing is lost.

    Copies that were under way have missed their deadline by then.
    """

    async def stop() -> None:
        stage.shadow.send(signal.SIGSTOP)
        await asyncio.sleep(3.0)
        stage.shadow.send(signal.SIGCONT)

    async def scenario() -> None:
        load, ledger = await during(stage, stop, rate=600.0)
        assert_clients_fine(load)
        assert load.percentile(0.99) < SLOWEST_S
        assert ledger.lost == {}
        assert ledger.skipped.keys() == {"queue_full"}
        timeouts = ledger.candidate_error.get("timeout", 0)
        assert timeouts <= 20
        assert ledger.verdicts == {"match": len(load.attempts) - ledger.skipped["queue_full"] - timeouts}

    runner.run(scenario())


def test_shadow_that_never_gets_up(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-17] [F-26] Killed before it is up, again and again: the queue holds what it can, the disk does not fill, and then all is well."""

    def disk() -> int:
        return sum(path.stat().st_blocks * 512 for path in _files(stage.folder))

    async def loop() -> None:
        for _ in range(3):
            await stage.shadow.kill()
            stage.shadow.start()
            await asyncio.sleep(0.3)
        await stage.shadow_ready()

    async def scenario() -> None:
        before = disk()
        load, ledger = await during(stage, loop)
        assert_clients_fine(load)
        assert set(ledger.lost) <= {"worker_died"}
        assert ledger.verdicts["match"] + sum(ledger.lost.values()) + ledger.skipped.get("queue_full", 0) == len(load.attempts)
        assert disk() - before < 6 * 1024 * 1024
        await resumed(stage)
        assert stage.status()["total"]["violations"] == []

    runner.run(scenario())


def _files(folder: Path) -> list[Path]:
    return [Path(place) / name for place, _, names in os.walk(folder) for name in names if not name.endswith(".sock")]
