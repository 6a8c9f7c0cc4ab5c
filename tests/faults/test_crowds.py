"""Many clients, and more clients than descriptors: those who are served go on being served, and everything comes back afterwards."""

from __future__ import annotations

import asyncio
import resource
import time

import pytest
from faults_audit import assert_clients_fine
from faults_load import Client, offer
from faults_play import SLOWEST_S
from faults_stage import Stage, until

from traffic.ledger import Ledger

FEW = 256
RECOVERY_S = 6.0
"""2 s on a machine of its own."""


@pytest.fixture(autouse=True, scope="module")
def room_for_both_ends() -> None:
    """This process holds the clients' and the primary's ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def crowd(stage: Stage, count: int, at_once: int = 100) -> list[Client]:
    """That many clients, connected and answered once each."""
    clients = [Client(stage.port, f"crowd-{number}") for number in range(count)]
    gate = asyncio.Semaphore(at_once)

    async def first(number: int, client: Client) -> None:
        async with gate:
            assert (await client.ask(f"c{number}")).status == 200

    await asyncio.gather(*(first(number, client) for number, client in enumerate(clients)))
    return clients


@pytest.mark.parametrize("count", [2_000, pytest.param(9_000, marks=pytest.mark.soak)])
def test_idle_connections(stage: Stage, runner: asyncio.Runner, count: int) -> None:
    """[F-22] Thousands of idle keep-alive connections: others are served as ever, then all of them are; descriptors come back."""

    async def scenario() -> None:
        descriptors = stage.proxy.descriptors
        clients = await crowd(stage, count)
        try:
            assert stage.proxy.memory < 500 * 1024 * 1024
            load = await offer(stage.port, 1.0, 100.0, 5)
            assert_clients_fine(load)
            assert load.percentile(0.99) < SLOWEST_S
            for start in range(0, count, 500):  # a request's deadline here is not one of 9,000 at once
                some = enumerate(clients[start : start + 500], start)
                again = await asyncio.gather(*(client.ask(f"again{number}") for number, client in some))
                assert {answer.status for answer in again} == {200}
            assert {client.connects for client in clients} == {1}
        finally:
            for client in clients:
                client.close()
        await until("descriptors come back", lambda: stage.proxy.descriptors <= descriptors + 50, 30.0)
        ledger = await stage.at_rest()
        assert ledger.violations() == []

    runner.run(scenario())


@pytest.mark.soak
def test_descriptors_that_run_out(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-23] More clients than descriptors: those inside are served, the proxy does not spin, and takes others in when there is room."""

    async def scenario() -> None:
        await stage.proxy.stop()
        stage.proxy.start("prlimit", f"--nofile={FEW}:{FEW}")
        await stage.proxy_ready()
        await stage.shadow_ready()
        inside = await crowd(stage, 40)
        outside = [await asyncio.open_connection("127.0.0.1", stage.port) for _ in range(FEW)]
        try:
            cpu, begun = stage.proxy.cpu_s, time.monotonic()
            for turn in range(4):
                answers = await asyncio.gather(*(client.ask(f"t{turn}n{number}") for number, client in enumerate(inside)))
                assert {answer.status for answer in answers} == {200}
                await asyncio.sleep(0.5)
            assert stage.proxy.cpu_s - cpu < 0.4 * (time.monotonic() - begun)
            assert stage.proxy.descriptors <= FEW
        finally:
            for _, writer in outside:
                writer.transport.abort()
        begun = time.monotonic()
        late = Client(stage.port, "late")
        while (await late.ask(f"late{time.monotonic_ns()}")).status != 200:
            assert time.monotonic() - begun < RECOVERY_S
            await asyncio.sleep(0.05)
        for client in (*inside, late):
            client.close()
        ledger = await stage.at_rest()
        assert ledger.violations() == []
        await back_to_normal(stage)

    runner.run(scenario())


def test_descriptors_that_are_taken_away(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-23] The limit of a running proxy is lowered below what it uses: it neither ends nor spins, and recovers at once."""

    async def scenario() -> None:
        inside = await crowd(stage, 20)
        before = await stage.at_rest()
        limits = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in stage.proxy.workers}
        for pid, (_, hard) in limits.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (stage.proxy.descriptors // 2, hard))
        outside = [await asyncio.open_connection("127.0.0.1", stage.port) for _ in range(50)]
        cpu, begun = stage.proxy.cpu_s, time.monotonic()
        await asyncio.sleep(1.5)
        assert stage.proxy.cpu_s - cpu < 0.4 * (time.monotonic() - begun)
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
        begun = time.monotonic()
        late = Client(stage.port, "late")
        while (await late.ask(f"late{time.monotonic_ns()}")).status != 200:
            assert time.monotonic() - begun < RECOVERY_S
            await asyncio.sleep(0.05)
        for _, writer in outside:
            writer.transport.abort()
        answers = await asyncio.gather(*(client.ask(f"still{number}") for number, client in enumerate(inside)))
        assert {answer.status for answer in answers} == {200}
        for client in (*inside, late):
            client.close()
        after: Ledger = await stage.at_rest()
        assert after.violations() == []
        assert after.served_primary - before.served_primary >= 21

    runner.run(scenario())


async def back_to_normal(stage: Stage) -> None:
    await stage.proxy.stop()
    stage.proxy.start()
    await stage.proxy_ready()
    await stage.shadow_ready()
