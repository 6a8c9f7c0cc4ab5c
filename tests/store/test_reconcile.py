"""The books of dead proxies are closed, those of living ones are not touched."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time

import pytest

from store.database import StoreError, open_store
from store.openings import OpeningsFile
from store.reconcile import reconcile
from traffic.ledger import HANDED, SERVED_PRIMARY


def proxy(folder, boot: str = "boot") -> OpeningsFile:
    """A proxy that saw four requests: one is open, three were handed over, two of them reached the channel."""
    file = OpeningsFile.create(folder / f"openings-{boot}.bin", boot, "node", 10)
    for _ in range(4):
        file.seen("GET /x")
    for _ in range(3):
        file.ended("GET /x", SERVED_PRIMARY, HANDED)
    for _ in range(2):
        file.sent("GET /x")
    return file


def test_a_dead_proxy_is_closed_and_its_file_removed(in_store, tmp_path, end, batch) -> None:
    async def scenario(store):
        proxy(tmp_path).close()
        await store.write(batch(end()), 5)
        said = await reconcile(store, tmp_path)
        again = await reconcile(store, tmp_path)
        return said, again, await store.ledgers(), await store.check()

    said, again, ledgers, problems = in_store(scenario)
    ledger = ledgers["GET /x"]
    assert (said, again, problems, list(tmp_path.glob("openings-*"))) == ([], [], [], [])
    assert (ledger.seen, ledger.open, ledger.pending, ledger.compared) == (4, 0, 0, 1)
    assert (ledger.refused, ledger.lost) == ({"proxy_died": 1}, {"worker_died": 1, "queue_died": 1})


def test_a_living_proxy_is_left_alone(in_sqlite, tmp_path) -> None:
    async def scenario(store):
        file = proxy(tmp_path)
        await reconcile(store, tmp_path)
        left = list(tmp_path.glob("openings-*"))
        file.close()
        return left, await store.ledgers()

    left, ledgers = in_sqlite(scenario)
    assert (len(left), ledgers) == (1, {})


def test_a_dead_proxy_whose_exchanges_are_still_held_waits(in_sqlite, tmp_path, end, batch) -> None:
    async def scenario(store):
        proxy(tmp_path).close()
        await reconcile(store, tmp_path, busy={"boot"})
        waiting = await store.ledgers()
        await store.write(batch(end(), end()), 5)
        await reconcile(store, tmp_path)
        return waiting, await store.ledgers()

    waiting, ledgers = in_sqlite(scenario)
    assert waiting == {}
    assert (ledgers["GET /x"].compared, ledgers["GET /x"].lost) == (2, {"queue_died": 1})


def test_several_may_reconcile_at_once(in_store, tmp_path) -> None:
    async def scenario(store):
        for number in range(3):
            proxy(tmp_path, f"boot-{number}").close()
        await asyncio.gather(*(reconcile(store, tmp_path) for _ in range(4)))
        return await store.ledgers()

    ledger = in_store(scenario)["GET /x"]
    assert (ledger.seen, ledger.open, ledger.pending, ledger.violations()) == (12, 0, 0, [])
    assert (ledger.refused, ledger.lost) == ({"proxy_died": 3}, {"worker_died": 6, "queue_died": 3})


def test_a_file_that_is_none_of_ours_is_told_and_kept(in_sqlite, tmp_path) -> None:
    async def scenario(store):
        (tmp_path / "openings-x.bin").write_bytes(b"junk")
        return await reconcile(store, tmp_path)

    (said,) = in_sqlite(scenario)
    assert "openings-x.bin" in said
    assert (tmp_path / "openings-x.bin").exists()


def test_unfinished_files_of_dead_proxies_are_removed(in_sqlite, tmp_path) -> None:
    """[F-26] A proxy that dies while it makes its file leaves no file behind; one that is just being made is left alone."""

    async def scenario(store):
        names = {".openings-old.bin.new": 100.0, ".openings-young.bin.new": 0.0, ".openings-locked.bin.new": 100.0}
        for name, age in names.items():
            (tmp_path / name).write_bytes(b"")
            os.utime(tmp_path / name, (time.time() - age,) * 2)
        with (tmp_path / ".openings-locked.bin.new").open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            await reconcile(store, tmp_path)
        return sorted(path.name for path in tmp_path.glob(".openings*"))

    assert in_sqlite(scenario) == [".openings-locked.bin.new", ".openings-young.bin.new"]


def test_books_that_were_kept_in_memory_are_closed_too(in_sqlite, tmp_path, monkeypatch) -> None:
    """[F-14] [F-15] The state folder took no file; it may take them again by now."""

    async def scenario(store):
        monkeypatch.setattr("store.openings.SPARE", tmp_path)
        state = tmp_path / "state"
        state.write_text("in the way")
        proxy(state).close()
        state.unlink()
        await reconcile(store, state)
        return await store.ledgers()

    ledger = in_sqlite(scenario)["GET /x"]
    assert (ledger.seen, ledger.open, ledger.pending, ledger.refused) == (4, 0, 0, {"proxy_died": 1})


def test_a_folder_that_is_not_there_holds_nothing(in_sqlite, tmp_path) -> None:
    async def scenario(store):
        return await reconcile(store, tmp_path / "none")

    assert in_sqlite(scenario) == []


def test_no_file_is_removed_while_the_store_does_not_take_it(tmp_path) -> None:
    async def scenario():
        store = open_store(f"sqlite+aiosqlite:///{tmp_path}/none.db")
        proxy(tmp_path).close()
        with pytest.raises(StoreError):
            await reconcile(store, tmp_path)
        await store.close()

    asyncio.run(scenario())
    assert len(list(tmp_path.glob("openings-*"))) == 1
