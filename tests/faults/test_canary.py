"""A candidate that serves clients and fails: safe requests fall back once, the others are never sent twice, and the route goes back."""

from __future__ import annotations

import asyncio

import pytest
from faults_audit import ASKED, Audit
from faults_load import Load, offer
from faults_stage import Stage

from gate.facts import State

AT_ONCE = 20
MOST = 20 + AT_ONCE
"""Requests that may reach a failing candidate: the breaker's window, and those that were under way when it tripped."""


async def exposed(stage: Stage, mode: str, method: str = "GET", weight_bp: int = 10_000) -> Load:
    """Clients ask while a route that the candidate serves fails like `mode`; then it is well again and they go on asking."""
    body = b"{}" if method == "POST" else b""
    canary = {"state": State.CANARY, "lease_s": 600.0} if weight_bp < 10_000 else {}
    await stage.decide(f"{method} /items/{{id}}", weight_bp, **canary)
    await stage.candidate.behave(mode)
    load = await offer(stage.port, 1.0, 200.0, AT_ONCE, method, body)
    await stage.candidate.behave("ok")
    served = sum(stage.candidate.lives.values())
    load += await offer(stage.port, 0.4, 200.0, AT_ONCE, method, body)
    assert sum(stage.candidate.lives.values()) == served, "the candidate was asked again after the route went back"
    assert 0 < served <= MOST
    assert max(stage.candidate.lives.values()) == 1
    return load


def test_reads_fall_back(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-12] Resets of a candidate that serves all of a route: every GET falls back once, all clients are fine, the route goes back."""

    async def scenario() -> None:
        audit = await Audit.begin(stage)
        load = await exposed(stage, "rst")
        assert (load.failed, load.wrong) == ([], [])
        ledger = await audit.end(load, copies=ASKED)
        assert ledger.served_primary == len(load.attempts)
        assert max(stage.primary.lives.values()) == 1

    runner.run(scenario())


@pytest.mark.soak
def test_canary_of_some_clients(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-12] The same in a canary of a third of the clients; the others were never exposed."""

    async def scenario() -> None:
        audit = await Audit.begin(stage)
        load = await exposed(stage, "eof-mid", weight_bp=3_300)
        # An answer that has begun cannot be taken back: this is what a client may see before the route goes back.
        assert len(load.failed) <= MOST
        assert load.wrong == []
        await audit.end(load, copies=ASKED)

    runner.run(scenario())


def test_errors_of_the_candidate(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-12] Complete 500s pass, at most as many as the breaker needs to see, and then the primary serves."""

    async def scenario() -> None:
        audit = await Audit.begin(stage)
        load = await exposed(stage, "status:500")
        assert {reason for _, reason in load.failed} == {"status 500"}
        assert 10 < len(load.failed) <= MOST
        ledger = await audit.end(load, copies=ASKED)
        assert ledger.served_candidate == len(load.failed)

    runner.run(scenario())


def test_writes_are_never_replayed(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-12] A POST whose candidate resets is a visible error, and neither backend sees it a second time."""

    async def scenario() -> None:
        audit = await Audit.begin(stage)
        load = await exposed(stage, "rst", "POST")
        assert {reason for _, reason in load.failed} == {"status 502"}
        assert 10 < len(load.failed) <= MOST
        failed = {identifier for identifier, _ in load.failed}
        assert not failed & set(stage.primary.lives)
        ledger = await audit.end(load, copies=ASKED)
        assert ledger.refused == {"upstream_unreachable": len(failed)}

    runner.run(scenario())


@pytest.mark.soak
def test_what_was_decided_survives_everything(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-12] [F-18] kill -9 of all processes after a roll-back: the new ones keep the route with the primary; a good route stays moved."""

    async def scenario() -> None:
        await exposed(stage, "rst")
        await stage.decide("GET /moved/{id}", 10_000)
        decided = (await stage.admin("GET", "/decisions")).json()
        await stage.proxy.kill()
        await stage.shadow.kill()
        await stage.start_parts()
        assert (await stage.admin("GET", "/decisions")).json() == decided
        audit = await Audit.begin(stage)
        load = await offer(stage.port, 0.4)
        ledger = await audit.end(load)
        assert (load.failed, ledger.served_primary, sum(stage.candidate.lives.values())) == ([], len(load.attempts), 0)

    runner.run(scenario())
