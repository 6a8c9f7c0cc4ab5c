"""A primary that is slow, broken or down: clients see what they would see without us, and nothing of it is held against the candidate."""

from __future__ import annotations

import asyncio
import time

from faults_audit import ASKED, Audit, assert_clients_fine
from faults_load import Client, offer
from faults_play import resumed
from faults_stage import Stage, until


async def raw(port: int, identifier: str) -> tuple[bytes, str]:
    """All bytes of an answer, and how its connection ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /items/{identifier} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n".encode())
    got, end = b"", "EOF"
    try:
        async with asyncio.timeout(5):
            while piece := await reader.read(65536):
                got += piece
    except TimeoutError:
        end = "open"
    except ConnectionError:
        end = "RST"
    finally:
        writer.close()
    return got, end


def test_slow_primary(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-11] Slow is slow, and nothing else; the copies follow."""

    async def scenario() -> None:
        audit = await Audit.begin(stage)
        await stage.primary.behave("delay:0.3")
        load = await offer(stage.port, 0.6, 60.0)
        await stage.primary.behave("ok")
        assert_clients_fine(load)
        assert (await audit.end(load)).verdicts == {"match": len(load.attempts)}

    runner.run(scenario())


def test_primary_that_answers_500(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-11] A complete 500 passes as it is; compared with the candidate's 200 it is a mismatch, and it is said which side it was."""

    async def scenario() -> None:
        audit = await Audit.begin(stage)
        await stage.primary.behave("status:500")
        load = await offer(stage.port, 0.5, 60.0)
        answers = [answer for answer in load.statuses.values() if answer == 500]
        ledger = await audit.end(load, copies=ASKED)
        await stage.primary.behave("ok")
        assert len(answers) == len(load.attempts)
        assert ledger.served_primary == len(load.attempts)
        assert set(ledger.verdicts) <= {"mismatch", "noise", "raced"}

    runner.run(scenario())


def test_broken_answers_pass_as_they_are(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-11] An answer that ends early reaches the client as far as it goes, as it would directly; it is copied for nobody to judge."""

    async def scenario() -> None:
        before = await stage.at_rest()
        for mode in ("eof-mid", "rst-mid"):
            await stage.primary.behave(mode)
            direct = await raw(stage.primary.port, "same")
            through = await raw(stage.port, "same")
            assert through[0] == direct[0], mode
            assert through[1] in ("EOF", "RST"), mode
        await stage.primary.behave("ok")
        after = await stage.at_rest()
        assert after.refused["upstream_unreachable"] - before.refused.get("upstream_unreachable", 0) == 2
        assert after.skipped["incomplete"] - before.skipped.get("incomplete", 0) == 2
        assert after.compared == before.compared

    runner.run(scenario())


def test_primary_that_is_down(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-11] Down and resetting: a short 502 and no closed line, nothing to compare; the candidate's own routes go on; back at once."""

    async def scenario() -> None:
        audit = await Audit.begin(stage)
        await stage.decide("GET /moved/{id}", 10_000)
        for mode in ("refuse", "rst"):
            await stage.primary.behave(mode)
            begun = time.monotonic()
            got, _ = await raw(stage.port, f"down-{mode}")
            assert got.startswith(b"HTTP/1.1 502 Bad Gateway\r\n"), mode
            assert b"502 Bad Gateway" in got.partition(b"\r\n\r\n")[2]
            assert time.monotonic() - begun < 6.0  # 2 s on a machine of its own; a connection is waited for for 10
        client = Client(stage.port, "moved")
        for number in range(20):
            answer = await client.ask(f"m{number}", route="moved")
            assert (answer.status, answer.body) == (200, b'{"id": "m%d"}' % number)
        client.close()
        await stage.primary.behave("ok")
        load = await offer(stage.port, 0.3, 60.0)
        assert_clients_fine(load)
        load.attempts |= {"down-refuse", "down-rst", *(f"m{number}" for number in range(20))}
        ledger = await audit.end(load)
        assert ledger.refused == {"upstream_unreachable": 2}
        assert ledger.skipped["live_error"] == 2
        assert ledger.served_candidate == 20
        assert "mismatch" not in ledger.verdicts
        await resumed(stage)

    runner.run(scenario())


def test_primary_that_never_answers(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-11] A client that gives up on a silent primary is counted as gone, and its backend connection is closed."""

    async def scenario() -> None:
        before = await stage.at_rest()
        await stage.primary.behave("hang")
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(b"GET /items/never HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        await until("the primary was asked", lambda: "never" in stage.primary.lives, 5.0)
        writer.transport.abort()
        await reader.read()
        await until("the primary's connection is closed", lambda: stage.primary.connections <= 1, 15.0)
        await stage.primary.behave("ok")
        after = await stage.at_rest()
        assert after.refused["client_gone"] - before.refused.get("client_gone", 0) == 1
        assert after.skipped["client_gone"] - before.skipped.get("client_gone", 0) == 1

    runner.run(scenario())
