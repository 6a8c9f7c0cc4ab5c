"""The proxy is asked to end, or killed: what it had accepted is answered or counted, and no request is ever copied twice."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest
from faults_audit import Audit, assert_clients_fine
from faults_load import Client, Load, offer
from faults_play import during, resumed
from faults_stage import Stage, until

from store.tasks import spawn

RESTART_S = 20.0
"""3 s on a machine of its own, which the soak looks at."""


async def under_way(stage: Stage, count: int, load: Load) -> list[asyncio.Task[None]]:
    """`count` requests that the primary has begun to work on."""

    async def one(number: int) -> None:
        client = Client(stage.port, f"client-{number}")
        identifier = f"slow{time.monotonic_ns()}n{number}"
        load.attempts.add(identifier)
        try:
            load.note(identifier, await client.ask(identifier), time.monotonic())
        except (OSError, EOFError) as error:
            load.failed.append((identifier, type(error).__name__))
        finally:
            client.close()

    asking = [spawn(one(number), f"slow client {number}") for number in range(count)]
    await until("all requests are with the primary", lambda: len(stage.primary.lives) == count, 5.0)
    return asking


@pytest.mark.parametrize("terms", [pytest.param(1, marks=pytest.mark.soak), 2])
def test_sigterm_in_flight(stage: Stage, runner: asyncio.Runner, terms: int) -> None:
    """[F-19] SIGTERM with 20 requests in flight, once and twice: all are answered, new clients are refused, nothing is lost."""

    async def scenario() -> None:
        audit, load = await Audit.begin(stage), Load()
        await stage.primary.behave("delay:1")
        asking = await under_way(stage, 20, load)
        for _ in range(terms):
            stage.proxy.send(signal.SIGTERM)
            await asyncio.sleep(0.2)
        with pytest.raises(OSError, match="Connect call failed"):
            await Client(stage.port, "late").ask("late")
        assert await stage.proxy.ended() == 0
        await asyncio.gather(*asking)
        await stage.primary.behave("ok")
        assert (load.failed, load.wrong, len(load.acked)) == ([], [], 20)
        stage.proxy.start()
        await stage.proxy_ready()
        ledger = await audit.end(load)
        assert (ledger.served_primary, ledger.verdicts, ledger.lost) == (20, {"match": 20}, {})
        await resumed(stage)

    runner.run(scenario())


@pytest.mark.soak
def test_killed_proxy(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-18] kill -9 under load: only what was open fails, a new one listens, the old one's books are closed exactly."""

    async def kill() -> None:
        for _ in range(2):
            await asyncio.sleep(0.4)
            await stage.proxy.kill()
            stage.proxy.start()
            begun = time.monotonic()
            await stage.proxy_ready()
            restarts.append(time.monotonic() - begun)

    restarts: list[float] = []

    async def scenario() -> None:
        await stage.primary.behave("delay:0.03")  # there shall be open requests at any moment
        load, ledger = await during(stage, kill, killed=True)
        await stage.primary.behave("ok")
        await stage.shadow_ready()
        assert load.wrong == []
        reasons = {reason for _, reason in load.failed}
        assert reasons <= {"ConnectionResetError", "IncompleteReadError", "ConnectionRefusedError", "BrokenPipeError"}
        assert 0 < ledger.refused["proxy_died"] <= 2 * 20
        assert ledger.skipped == {"proxy_died": ledger.refused["proxy_died"]}
        assert ledger.seen - len(load.acked) <= 2 * 2 * 20  # open ones, and answers on their way
        assert max(restarts) < RESTART_S
        assert stage.status()["total"]["violations"] == []

    runner.run(scenario())


@pytest.mark.soak
def test_proxy_that_never_gets_up(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-26] Killed every half a second: the openings files of dead ones are folded into the store and removed."""

    async def scenario() -> None:
        for _ in range(6):
            await stage.proxy.kill()
            stage.proxy.start()
            await asyncio.sleep(0.5)
        await stage.proxy_ready()
        await stage.shadow_ready()
        await stage.at_rest()
        left = sorted(path.name for path in stage.settings.state_dir.iterdir())
        assert len([name for name in left if name.startswith("openings-")]) == 1
        await resumed(stage)

    runner.run(scenario())


@pytest.mark.soak
def test_no_room_for_the_counters(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-14] [F-15] [F-18] A state folder that takes no file: a new proxy serves all the same, its books as exact, a kill included."""

    async def scenario() -> None:
        await stage.at_rest()
        await stage.proxy.stop()
        await stage.at_rest()
        state, away = stage.settings.state_dir, stage.folder / "state-away"
        state.rename(away)
        state.write_text("in the way")
        stage.proxy.start()
        try:
            await stage.proxy_ready()
            await stage.shadow_ready()
            assert "the openings are kept in memory" in stage.proxy.said()
            audit = await Audit.begin(stage)
            load = await offer(stage.port, 0.4)
            assert_clients_fine(load)
            await stage.proxy.kill()
        finally:
            await stage.proxy.kill()
            state.unlink()
            away.rename(state)
        stage.proxy.start()
        await stage.proxy_ready()
        ledger = await audit.end(load, killed=True)
        assert ledger.seen == len(load.attempts)
        assert ledger.refused.get("proxy_died", 0) <= 20
        await resumed(stage)

    runner.run(scenario())
