"""A rehearsed roll-back: every proxy takes it in time, nobody is served otherwise, and the store knows of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cli.drill
from cli.drill import rehearse
from cli.main import run_command
from gate.evaluate import evaluate
from gate.facts import RouteStanding, State
from gate.overrides import policy_for
from settings.load import load_settings
from settings.model import Settings
from store.database import open_store
from tests.ports import free_port

ROUTE = "GET /items/{id}"
POLICY = policy_for("default", 0.999, 0.05, {})
LAST_STEP = RouteStanding(ROUTE, State.CANARY, 4, 5_000, 4, "e", 0.0)


def configured(folder: Path, stage: Any, *more: str) -> Settings:
    """The settings of the stage's proxy, as a file that commands read."""
    admin = stage.settings.proxy.admin
    proxies = ", ".join(f'"{address}"' for address in (admin, *more))
    text = f'[proxy]\nadmin = "{admin}"\n[cutover]\nproxies = [{proxies}]\n'
    (folder / "paritygate.toml").write_text(text, encoding="utf-8")
    (folder / "paritygate.key").write_text(stage.key.hex())
    return load_settings(folder / "paritygate.toml")


def drilled(settings: Settings, *options: str) -> int:
    return run_command(["cutover", "drill", "--actor", "ada", *options, "--config", str(settings.source)])


def printed(out: str) -> Any:
    """What the command said, behind what the proxy logged in the same process."""
    return json.loads(out[out.index("{\n") :])["proxies"]


async def stored(settings: Settings) -> Any:
    store = open_store(settings.store_url)
    try:
        await store.upgrade()
        return await store.evidence(ROUTE), await store.audit(10), await store.check()
    finally:
        await store.close()


def guard(evidence: Any, now: float) -> bool | None:
    found = evaluate(replace(evidence, route=ROUTE), LAST_STEP, POLICY, now).guards
    return next(one.holds for one in found if one.name == "drill")


def test_a_rehearsal_is_taken_noted_and_counts_for_thirty_days(
    stage: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario() -> None:
        async with stage() as s:
            settings = configured(folder, s)
            before, _, _ = await stored(settings)
            capsys.readouterr()
            assert await asyncio.to_thread(drilled, settings, "--json") == 0
            (proxy,) = printed(capsys.readouterr().out)
            assert (proxy["ok"], proxy["address"], proxy["trouble"]) == (True, settings.proxy.admin, "")
            evidence, (link,), problems = await stored(settings)
            assert (link.action, link.actor, link.route, problems) == ("drill", "ada", "", [])
            at = evidence.fleet.drilled_at
            assert guard(before, at) is None
            assert [guard(evidence, at + days * 86_400) for days in (0, 29, 30)] == [True, True, None]
            assert guard(evidence, at - 1) is None
            assert await asyncio.to_thread(drilled, settings) == 0  # again, with a higher number

    asyncio.run(scenario())


def test_one_proxy_that_does_not_answer_fails_the_rehearsal(
    stage: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario() -> None:
        async with stage() as s:
            settings = configured(folder, s, f"127.0.0.1:{free_port()}")
            assert await asyncio.to_thread(drilled, settings, "--json") == 1
            captured = capsys.readouterr()
            assert [one["ok"] for one in printed(captured.out)] == [True, False]
            assert "nothing is noted" in captured.err
            assert (await stored(settings))[1] == []

    asyncio.run(scenario())


def test_a_proxy_that_is_late_fails_it(stage: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with stage() as s:
            settings = configured(folder, s)
            monkeypatch.setattr(cli.drill, "PROMISED_S", 0.0)
            (one,) = await asyncio.to_thread(rehearse, settings, "ada")
            assert (one.in_time, one.trouble) == (False, "")

    asyncio.run(scenario())


def test_another_key_is_told(stage: Any, folder: Path) -> None:
    async def scenario() -> None:
        async with stage() as s:
            settings = configured(folder, s)
            (folder / "other.key").write_text("ab" * 32)
            other = load_settings(settings.source, {"cutover.key_file": "other.key"})
            (one,) = await asyncio.to_thread(rehearse, other, "ada")
            assert not one.in_time
            assert "signature does not hold" in one.trouble

    asyncio.run(scenario())
