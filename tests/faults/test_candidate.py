"""A candidate that is down, slow, silent, broken or hostile: no client notices, and every exchange has its one end."""

from __future__ import annotations

import asyncio

import pytest
from faults_audit import ASKED, assert_clients_fine
from faults_bodies import ODD
from faults_load import offer
from faults_play import during, endure, resumed
from faults_stage import Stage


def errors_only(reason: str, stage: Stage, runner: asyncio.Runner, *modes: str) -> None:
    """Each mode gives that candidate error and nothing else; then the breaker spares the candidate."""

    async def scenario() -> None:
        for mode in modes:
            _, ledger = await endure(stage, mode)
            assert set(ledger.candidate_error) == {reason}, mode
            assert set(ledger.skipped) <= {"breaker_open"}, mode
            assert (ledger.compared, ledger.lost) == (0, {}), mode
            await resumed(stage)

    runner.run(scenario())


def test_refused_connections(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-1] A candidate that goes down: counted as refused, the breaker opens within 2 s, and copies go on within 5 s of its return."""

    async def scenario() -> None:
        load, ledger = await endure(stage, "refuse", seconds=2.0)
        assert ledger.candidate_error.keys() == {"refused"}
        assert ledger.candidate_error["refused"] < 60
        assert ledger.skipped == {"breaker_open": len(load.attempts) - ledger.candidate_error["refused"]}
        await resumed(stage)

    runner.run(scenario())


def test_slow_answers_within_the_deadline(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-2] Answers that take longer than their requests are apart are all compared, later, and delay no client."""

    async def scenario() -> None:
        load, ledger = await endure(stage, "delay:0.2")
        assert ledger.verdicts == {"match": len(load.attempts)}
        assert load.percentile(0.5) < 0.15

    runner.run(scenario())


def test_slow_answers_beyond_the_deadline(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-2] [T8] An answer that comes after `mirror.timeout` is a time-out."""
    errors_only("timeout", stage, runner, "delay:3")


def test_silence(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-3] [T8] A candidate that never answers, or never reads, costs one deadline for each copy; no connection is left over."""
    before = stage.shadow.descriptors
    errors_only("timeout", stage, runner, "hang", "blackhole")
    assert (
        stage.shadow.descriptors <= before + 25
    )  # one for each client of the last load, at the most, and a few of the store's


def test_drops_of_bytes(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-4] [T8] A header or a body that comes byte by byte beats the total deadline no more than silence does."""
    errors_only("timeout", stage, runner, "slowhdr", "drip")


def test_broken_connections(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-5] A reset, before or in the middle of an answer, and an early end are candidate errors and never a mismatch."""
    errors_only("reset", stage, runner, "rst", "rst-mid", "eof-mid")


def test_garbage(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-6] Bytes that are no HTTP are a protocol error."""
    errors_only("protocol", stage, runner, "garbage")


def test_complete_answers_that_differ(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-6] A complete 500 and a wrong body are compared: both are mismatches, and the breaker stays closed."""

    async def scenario() -> None:
        for mode in ("status:500", "wrong"):
            load, ledger = await endure(stage, mode, copies=ASKED)
            assert ledger.verdicts == {"mismatch": len(load.attempts)}, mode

    runner.run(scenario())


def test_huge_bodies(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-7] [T8] Of a body of 1 GB no more is read than `mirror.max_body`; it is too large, and the candidate is not down for it."""

    async def scenario() -> None:
        memory = stage.shadow.memory
        load, ledger = await endure(stage, "huge:1024", rate=30.0)
        assert ledger.candidate_error == {"oversize": len(load.attempts)}
        assert stage.shadow.memory - memory < 200 * 1024 * 1024

    runner.run(scenario())


def test_bombs(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-8] [T8] Small bodies that inflate to hundreds of megabytes are never inflated: nothing can be said of them."""

    async def scenario() -> None:
        for mode in ("gzbomb2", "zstdbomb"):
            memory = stage.shadow.memory
            _, ledger = await endure(stage, mode, seconds=0.5, rate=40.0)
            assert set(ledger.verdicts) | set(ledger.candidate_error) <= {"inconclusive", "timeout"}, mode
            assert ledger.verdicts["inconclusive"] > 0, mode  # the rest where a busy machine needs longer than the deadline
            assert stage.shadow.memory - memory < 200 * 1024 * 1024, mode

    runner.run(scenario())


def test_hostile_json(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-9] Nesting, numbers, constants, keys and code points that break parsers: each exchange still gets its verdict."""

    async def scenario() -> None:
        for mode in ("deepjson", "bigint", "nan", "dupkeys", "surrogate"):
            load, ledger = await endure(stage, mode, seconds=0.2, copies=ASKED)
            assert sum(ledger.verdicts.values()) == len(load.attempts), mode
            assert set(ledger.verdicts) <= {"mismatch", "inconclusive"}, mode

    runner.run(scenario())


@pytest.mark.soak
def test_half_of_the_answers_broken(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-10] A candidate that fails every other time: what it answered is compared, the rest has its error."""

    async def scenario() -> None:
        load, ledger = await endure(stage, "flaky:0.5", seconds=1.5, copies=ASKED)
        assert ledger.compared + sum(ledger.candidate_error.values()) + ledger.skipped.get("breaker_open", 0) == len(
            load.attempts
        )
        assert ledger.compared > len(load.attempts) // 4
        await resumed(stage)

    runner.run(scenario())


@pytest.mark.soak
def test_coming_and_going(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-10] A candidate that goes and comes is probed about once a second while it is away, not by every request at once."""

    async def toggle() -> None:
        for _ in range(2):
            await stage.candidate.behave("refuse")
            await asyncio.sleep(0.7)
            await stage.candidate.behave("ok")
            await asyncio.sleep(0.7)

    async def scenario() -> None:
        load, ledger = await during(stage, toggle)
        assert_clients_fine(load)
        assert ledger.candidate_error.keys() <= {"refused", "reset"}
        assert 20 <= sum(ledger.candidate_error.values()) < 100
        await resumed(stage)

    runner.run(scenario())


def test_next_request_of_a_connection_is_not_delayed(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-2] [R-MIR-3] One connection asks again and again while its copies hang: each answer comes at once."""

    async def scenario() -> None:
        await stage.candidate.behave("delay:0.4")
        try:
            load = await offer(stage.port, 1.0, rate=40.0, connections=1)
        finally:
            await stage.candidate.behave("ok")
        assert len(load.acked) >= 35
        assert load.percentile(0.5) < 0.1
        await stage.at_rest()

    runner.run(scenario())


def test_answers_stay_byte_for_byte(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-1] [F-3] [F-5] [F-6] [F-7] Whatever the candidate does, odd answers of the primary arrive as they would without us."""

    async def one(port: int, number: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /items/o{number} HTTP/1.1\r\nHost: shop.test\r\n\r\n".encode())
        answer = ODD[number % len(ODD)]
        try:
            async with asyncio.timeout(5.0):
                return await reader.readexactly(len(answer))
        finally:
            writer.transport.abort()

    async def scenario() -> None:
        before = await stage.at_rest()
        await stage.primary.behave("odd")
        modes = ("ok", "hang", "garbage", "eof-mid", "huge:20", "refuse")
        for mode in modes:
            await stage.candidate.behave(mode)
            assert await asyncio.gather(*(one(stage.port, number) for number in range(len(ODD)))) == list(ODD), mode
        await stage.primary.behave("ok")
        await stage.candidate.behave("ok")
        after = await stage.at_rest()
        assert after.violations() == []
        assert after.seen - before.seen == len(modes) * len(ODD)

    runner.run(scenario())
