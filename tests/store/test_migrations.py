"""Migrations from day one, on both databases, run by the store itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from store.database import StoreError, open_store
from store.migrate import alembic_config
from store.schema import Base

ROOT = Path(__file__).resolve().parents[2]
UPGRADE = """
import asyncio, sys
from store.database import open_store
async def main():
    store = open_store(sys.argv[1])
    await store.upgrade()
    await store.close()
asyncio.run(main())
"""


def test_the_migrations_make_what_the_models_say(in_store) -> None:
    async def scenario(store):
        async with store.writing() as connection:
            return await connection.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), Base.metadata))

    assert in_store(scenario) == []


def test_the_migrations_can_be_undone_and_done_again(in_store) -> None:
    async def scenario(store):
        async with store.writing() as connection:
            await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "base"))
            left = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        await store.upgrade()
        return left, await store.check()

    assert in_store(scenario) == (["alembic_version"], [])


def test_upgrading_again_keeps_everything(in_store, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end()), 5)
        await store.upgrade()
        return await store.ended_counts("boot")

    assert in_store(scenario) == {"GET /x": 1}


def test_several_processes_may_upgrade_at_once(url) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", UPGRADE, url], cwd=ROOT, stderr=subprocess.PIPE) for _ in range(4)]
    endings = [(process.communicate(timeout=60)[1].decode(), process.returncode) for process in processes]
    assert endings == [("", 0)] * 4

    async def scenario():
        store = open_store(url)
        try:
            await store.check_schema()
        finally:
            await store.close()

    asyncio.run(scenario())


def test_a_schema_that_is_newer_than_this_release_is_refused(in_store) -> None:
    async def scenario(store):
        async with store.writing() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for ask in (store.upgrade, store.check_schema):
            with pytest.raises(StoreError, match=r"the schema \(9999\) is newer than this release; upgrade paritygate"):
                await ask()

    in_store(scenario)


def test_a_failed_migration_leaves_the_schema_as_it_was(in_store) -> None:
    """DDL is part of the transaction on both databases."""

    async def scenario(store):
        async def fail():
            async with store.writing() as connection:
                await connection.execute(text("CREATE TABLE half (a INTEGER)"))
                await connection.execute(text("SELECT * FROM nowhere"))

        with pytest.raises(StoreError):
            await fail()
        async with store.reading() as connection:
            return await connection.run_sync(lambda sync: "half" in inspect(sync).get_table_names())

    assert in_store(scenario) is False


def test_a_sqlite_store_is_readable_by_its_owner_only_and_in_wal_mode(in_sqlite, tmp_path, end, batch) -> None:
    async def scenario(store):
        await store.write(batch(end()), 5)
        async with store.reading() as connection:
            names = ("journal_mode", "foreign_keys", "secure_delete")
            settings = [await connection.scalar(text(f"PRAGMA {name}")) for name in names]
        return settings, sorted((path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir())

    settings, files = in_sqlite(scenario)
    assert settings == ["wal", 1, 1]
    assert files == [("store.db", 0o600), ("store.db-shm", 0o600), ("store.db-wal", 0o600)]
