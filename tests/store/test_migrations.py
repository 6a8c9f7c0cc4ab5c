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

from differ.rule_use import RuleTally
from store.database import StoreError, open_store
from store.errors import NoStore
from store.migrate import alembic_config
from store.records import Batch, RuleSample
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


def test_an_upgrade_that_may_make_none_changes_nothing_where_there_is_no_store(url) -> None:
    """Not in a database without tables either: an empty store looks like one in which nothing was ever found."""

    async def ask(make: bool) -> None:
        store = open_store(url)
        try:
            await store.upgrade(make)
            await store.check_schema()
        finally:
            await store.close()

    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite+aiosqlite:///"))
        with pytest.raises(NoStore, match=r"store\.db: there is no store; `paritygate store upgrade` makes one"):
            asyncio.run(ask(make=False))
        assert not file.exists()
        file.touch()
    for _ in range(2):
        with pytest.raises(NoStore, match="there is no store in this database; `paritygate store upgrade` makes one"):
            asyncio.run(ask(make=False))
    if url.startswith("sqlite"):
        assert file.read_bytes() == b""
    asyncio.run(ask(make=True))
    asyncio.run(ask(make=False))


def test_an_older_store_is_migrated_also_by_who_may_make_none(in_store) -> None:
    async def scenario(store):
        async with store.writing() as connection:
            await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0001"))
        with pytest.raises(StoreError, match="the tables are missing or old"):
            await store.check_schema()
        await store.upgrade(make=False)
        await store.check_schema()
        return await store.check()

    assert in_store(scenario) == []


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


def test_hits_survive_the_way_to_versions_of_rules_and_back(url) -> None:
    """0001 to 0002 with what a store of the first release holds, down again, and up once more."""

    async def scenario():
        store = open_store(url)
        try:
            await store.upgrade()
            async with store.writing() as connection:
                await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0001"))
                await connection.execute(
                    text("INSERT INTO rule_hit (rule, route, count) VALUES ('r', 'GET /x', 7), ('s', 'GET /y', 1)")
                )
            await store.upgrade()
            usage, hits = await store.rule_usage(), await store.rule_hits()
            async with store.writing() as connection:
                await connection.execute(
                    text(
                        "INSERT INTO rule_use (rule, version, route, count, differences, matched, sampled, alone, needed, covered) "
                        "VALUES ('r', 'v2', 'GET /x', 3, 3, 0, 0, 0, 0, 0), ('quiet', 'v1', 'GET /x', 0, 0, 4, 0, 0, 0, 0)"
                    )
                )
                await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0001"))
                back = (await connection.execute(text("SELECT rule, route, count FROM rule_hit ORDER BY rule"))).all()
            await store.upgrade()
            return usage, hits, [tuple(row) for row in back], await store.rule_hits()
        finally:
            await store.close()

    usage, hits, back, again = asyncio.run(scenario())
    assert [(tally.rule, tally.version, tally.responses, tally.first_at) for tally in usage.tallies] == [
        ("r", "", 7, None),
        ("s", "", 1, None),
    ]
    assert hits == [("r", "GET /x", 7), ("s", "GET /y", 1)]
    assert back == again == [("r", "GET /x", 10), ("s", "GET /y", 1)]


def test_examples_that_only_a_rule_kept_go_with_the_table_that_kept_them(in_store, mismatch) -> None:
    async def scenario(store):
        rule = RuleSample(RuleTally("r", "v", "GET /x"), examples=(mismatch("rule").example,))
        await store.write(Batch(ended=(mismatch("cluster"),), samples=(rule,)), 5)
        async with store.writing() as connection:
            await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0001"))
        await store.upgrade()
        return await store.example("rule"), await store.example("cluster") is not None, await store.check()

    assert in_store(scenario) == (None, True, [])
