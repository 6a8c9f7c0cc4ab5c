"""The shadow keeps the store to its retention by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from shadow_backends import Backend, always, document
from shadow_play import play
from shadow_stage import Proxy, until
from shadow_store import ListStore

import shadow.retention
from settings.model import Settings
from shadow.retention import keep_to_retention
from store.tasks import spawn


def test_running_shadow_prunes_what_is_older_than_the_retention(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow.retention, "FIRST_S", 0.01)

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        await until(lambda: bool(store.pruned))

    store = play(tmp_path, always(document({})), always(document({})), script, store={"retention": "2d"})
    assert len(store.pruned) == 1


def test_store_that_refuses_is_pruned_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow.retention, "FIRST_S", 0.01)
    monkeypatch.setattr(shadow.retention, "EVERY_S", 0.01)

    async def scenario() -> list[float]:
        store = ListStore()
        store.down = True
        task = spawn(keep_to_retention(store, 100.0, 1_000, lambda: 1000.0), "retention")  # type: ignore[arg-type]
        await until(lambda: len(store.pruned) >= 2)
        store.down = False
        count = len(store.pruned)
        await until(lambda: len(store.pruned) > count + 1)
        task.cancel()
        await asyncio.wait({task})
        return store.pruned

    assert set(asyncio.run(scenario())) == {900.0}


def test_it_does_not_prune_right_at_the_start() -> None:
    assert 60.0 <= shadow.retention.FIRST_S <= 900.0
    assert shadow.retention.EVERY_S == 3600.0
