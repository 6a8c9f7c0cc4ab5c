"""Files change under load, also into nonsense: what runs goes on as it is, and no request sees half of an old and half of a new one."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from faults_audit import assert_clients_fine
from faults_play import during, resumed
from faults_stage import Stage

from gate.facts import State
from traffic.ledger import Ledger

EMPTY = "version: 1\npresets: []\n"


def assert_matched_or(ledger: Ledger, lost: set[str], skipped: set[str]) -> None:
    """Each request matched or ended in one of these ways; or its copy was late, which on a busy machine may be nobody's fault."""
    assert ledger.verdicts.keys() == {"match"}, ledger
    assert ledger.lost.keys() <= lost, ledger
    assert ledger.skipped.keys() <= skipped | {"breaker_open"}, ledger
    assert ledger.candidate_error.keys() <= {"timeout"}, ledger
    others = (*ledger.lost.values(), *ledger.skipped.values(), *ledger.candidate_error.values())
    assert ledger.seen == ledger.verdicts["match"] + sum(others), ledger


def test_decisions_that_change_all_the_time(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-28] A route that goes to and fro 60 times under load: each request is answered by one backend, once, whole."""

    async def swap() -> None:
        for _ in range(30):
            await stage.decide("GET /items/{id}", 10_000)
            await stage.decide("GET /items/{id}", 0, state=State.ROLLED_BACK)

    async def scenario() -> None:
        load, ledger = await during(stage, swap, rate=300.0)
        assert_clients_fine(load)
        assert ledger.served_primary > 0
        assert ledger.served_candidate > 0
        assert not set(stage.primary.lives) & set(stage.candidate.lives)
        assert ledger.verdicts["match"] > 0
        # A copy may take longer than its deadline on a busy machine, to the primary it is inconclusive then; halves would not match.
        assert ledger.verdicts.keys() <= {"match", "inconclusive"}

    runner.run(scenario())


@pytest.mark.soak
def test_configuration_that_turns_into_nonsense(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-28] A half-written configuration: running parts keep theirs, a worker that dies is replaced with the old one, a new shadow
    refuses to start and says why; the file mended, all that waited is judged."""

    async def break_it() -> None:
        text = stage.config.read_text()
        stage.config.write_text(text[: len(text) // 2] + "[[[")
        try:
            for pid in stage.proxy.children:
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.1)
            await stage.proxy_ready()
            await stage.shadow.stop()
            stage.shadow.start()
            assert await stage.shadow.ended() == 2
            assert "paritygate.toml: not valid TOML" in stage.shadow.said()
        finally:
            stage.config.write_text(text)
        stage.shadow.start()
        await stage.shadow_ready()

    async def scenario() -> None:
        load, ledger = await during(stage, break_it, rate=60.0, killed=True)
        assert load.wrong == []
        assert len(load.failed) <= 20, "more failed than were connected when the worker died"
        # What was not judged is the killed worker's hand-off, what the old shadow had not read, and what waited for too long.
        assert_matched_or(ledger, {"queue_died", "worker_died"}, {"queue_full", "proxy_died"})
        assert ledger.skipped.get("proxy_died", 0) == ledger.refused.get("proxy_died", 0) <= 20
        assert len(load.acked) <= ledger.seen
        await resumed(stage)

    runner.run(scenario())


@pytest.mark.soak
def test_rules_that_turn_into_nonsense(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-28] A rule file that is replaced, by nonsense at last: the shadow keeps what it has loaded, and a new one refuses and says why."""

    async def swap() -> None:
        for turn in range(20):
            fresh = rules.with_suffix(".new")
            fresh.write_text(EMPTY if turn % 2 else "version: 1\npresets: [")
            fresh.replace(rules)
            await asyncio.sleep(0.02)
        rules.write_text("rules: [")
        await stage.shadow.stop()
        stage.shadow.start()
        assert await stage.shadow.ended() == 2
        assert "rules.yaml" in stage.shadow.said()
        rules.write_text(EMPTY)
        stage.shadow.start()
        await stage.shadow_ready()

    rules = stage.folder / "rules.yaml"

    async def scenario() -> None:
        rules.write_text(EMPTY)
        stage.configure(rules={"files": ["rules.yaml"]})
        load, ledger = await during(stage, swap, rate=60.0)
        assert_clients_fine(load)
        assert_matched_or(ledger, {"worker_died"}, {"queue_full"})

    runner.run(scenario())
