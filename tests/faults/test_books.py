"""Whatever is killed, whenever: the sums hold at once and for ever, every loss shows as such, and nothing is copied twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal

import pytest
from faults_audit import Audit
from faults_load import offer
from faults_stage import Stage, until

from store.tasks import spawn

VICTIMS = ("worker", "parent", "shadow", "proxy", "everything")
SEED = 5
"""Its first two victims are the shadow and everything."""


class Killer:
    """Kills by chance and starts again what has ended."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage, self._chance = stage, random.Random(seed)
        self.kills: list[str] = []

    async def kill(self) -> None:
        """Kills one victim, at a moment nobody has chosen, and sees to it that all is up again soon or late."""
        stage, chance = self._stage, self._chance
        await asyncio.sleep(chance.uniform(0.05, 0.6))
        victim = chance.choice(VICTIMS)
        self.kills.append(victim)
        if victim == "worker":
            for pid in stage.proxy.children:
                os.kill(pid, signal.SIGKILL)
        elif victim == "parent":
            stage.proxy.send(signal.SIGKILL)
            await stage.proxy.ended()
        if victim in ("proxy", "everything"):
            await stage.proxy.kill()
        if victim in ("shadow", "everything"):
            await stage.shadow.kill()
            await asyncio.sleep(chance.choice((0.0, 0.0, 0.8)))
        for part in (stage.proxy, stage.shadow):
            if not part.alive:
                part.start()
        if chance.random() < 0.6:  # else the next one is killed on its way up
            await stage.proxy_ready()
            await stage.shadow_ready()


async def sums_hold(stage: Stage) -> None:
    """The equations, asked at any moment, whatever is down."""
    while True:
        ledger = await stage.ledger()
        assert ledger.violations() == []
        assert ledger.open >= 0
        assert ledger.pending >= 0
        await asyncio.sleep(0.3)


@pytest.mark.parametrize(
    ("cycles", "seed"), [(2, SEED), *(pytest.param(50, seed, marks=pytest.mark.soak) for seed in range(4))]
)
@pytest.mark.timeout(900)
def test_random_kills(stage: Stage, runner: asyncio.Runner, cycles: int, seed: int) -> None:
    """[F-17] [F-18] [F-26] Random kills of worker, parent, shadow, proxy and all of them, with requests open at any moment."""

    async def scenario() -> None:
        audit = await Audit.begin(stage)
        killer = Killer(stage, seed)
        over = False
        await stage.primary.behave("delay:0.02")
        await stage.candidate.behave("delay:0.02")
        asking = spawn(offer(stage.port, 3600.0, 200.0, stop=lambda: over), "load")
        watching = spawn(sums_hold(stage), "sums")
        try:
            for _ in range(cycles):
                await killer.kill()
                assert not watching.done(), watching.exception()
            await stage.proxy_ready()
            await stage.shadow_ready()
            await asyncio.sleep(0.5)
        finally:
            over = True
            load = await asking
            watching.cancel()
        ledger = await audit.end(load, killed=True)
        await stage.primary.behave("ok")
        await stage.candidate.behave("ok")
        assert load.wrong == [], killer.kills
        assert ledger.verdicts.keys() == {"match"}, killer.kills
        assert set(ledger.lost) <= {"worker_died", "queue_died"}, killer.kills
        assert set(ledger.refused) <= {"proxy_died", "client_gone", "draining"}, killer.kills
        assert stage.status()["total"]["violations"] == []
        # What was lost was announced: nothing is missing between what clients got and what has an end.
        assert len(load.acked) <= ledger.compared + sum(ledger.lost.values()) + sum(ledger.skipped.values())
        await until("one file of openings is left", lambda: len(list(stage.settings.state_dir.glob("*openings-*"))) == 1, 5.0)

    runner.run(scenario())
