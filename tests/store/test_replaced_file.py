"""A SQLite file that is deleted, replaced or moved away under open connections: nothing is written where nobody will read it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from store.database import Store, StoreError, open_store
from store.records import Batch, Ended


def played(folder: Path, scenario) -> None:
    async def run() -> None:
        store = open_store(f"sqlite+aiosqlite:///{folder / 'store.db'}")
        await store.upgrade()
        try:
            await scenario(store)
        finally:
            await store.close()

    asyncio.run(run())


def files(folder: Path) -> list[Path]:
    return list(folder.glob("store.db*"))


async def refused(store: Store, end: Ended) -> None:
    with pytest.raises(StoreError, match="there is no store") as caught:
        await store.write(Batch((end,)), 5)
    assert not caught.value.about_data


def test_a_deleted_file_is_an_error_until_there_is_a_new_one(tmp_path: Path, end) -> None:
    """[F-15] Also for connections that were open: they would write into the deleted file for ever."""

    async def scenario(store: Store) -> None:
        await store.write(Batch((end(),)), 5)
        for path in files(tmp_path):
            path.unlink()
        await refused(store, end())
        await refused(store, end())
        other = open_store(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}")
        await other.upgrade()
        await store.write(Batch((end(),)), 5)
        assert await other.ended_counts("boot") == {"GET /x": 1}
        await other.close()

    played(tmp_path, scenario)


def test_a_file_that_was_moved_away_and_comes_back_has_everything(tmp_path: Path, end) -> None:
    """[F-15] While it is away nothing is written; afterwards nothing is missing."""
    away = tmp_path / "away"
    away.mkdir()

    async def scenario(store: Store) -> None:
        await store.write(Batch((end(),)), 5)
        for path in files(tmp_path):
            path.rename(away / path.name)
        await refused(store, end())
        for path in files(away):
            path.rename(tmp_path / path.name)
        await store.write(Batch((end(),)), 5)
        assert await store.ended_counts("boot") == {"GET /x": 2}
        assert await store.check() == []

    played(tmp_path, scenario)
