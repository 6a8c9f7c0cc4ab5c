"""What a store that cannot be used says: the place, what is wrong, what to do. Never a password, a statement or a payload."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text

from store.database import StoreError, open_store
from store.errors import explain
from store.records import Batch

ROOT = Path(__file__).resolve().parents[2]


def failure(url: str, method: str = "upgrade", *arguments: object) -> str:
    """The sentence of a store's failure."""

    async def scenario() -> str:
        store = open_store(url)
        try:
            with pytest.raises(StoreError) as caught:
                await getattr(store, method)(*arguments)
            return str(caught.value)
        finally:
            await store.close()

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "no database URL|not a database URL"),
        ("mysql://x/y", "scheme 'mysql' is not supported"),
        ("sqlite:///a.db", r"did you mean sqlite\+aiosqlite"),
        ("postgresql://u:secret@h/d", r"did you mean postgresql\+asyncpg"),
        ("sqlite+aiosqlite://", "needs a plain file"),
        ("sqlite+aiosqlite:///:memory:", "needs a plain file"),
    ],
)
def test_a_url_of_something_else_is_refused_before_any_io(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_opening_a_store_does_no_io(tmp_path) -> None:
    open_store(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    open_store("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    assert list(tmp_path.iterdir()) == []


def test_reading_where_there_is_no_store_is_an_error_and_makes_none(tmp_path) -> None:
    said = failure(f"sqlite+aiosqlite:///{tmp_path}/none.db", "ledgers")
    assert f"{tmp_path}/none.db: there is no store" in said
    assert "`paritygate store upgrade`" in said
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path) -> None:
    assert f"the folder {tmp_path}/no does not exist" in failure(f"sqlite+aiosqlite:///{tmp_path}/no/a.db")


def test_a_folder_in_place_of_the_file_is_named(tmp_path) -> None:
    assert "this is a folder" in failure(f"sqlite+aiosqlite:///{tmp_path}")


def test_a_file_that_is_no_database_is_left_alone(tmp_path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("my notes, which nobody must overwrite\n" * 100)
    assert "this file is not a SQLite database" in failure(f"sqlite+aiosqlite:///{path}")
    assert path.read_text().startswith("my notes")


def test_a_damaged_database_is_named(sqlite_url, tmp_path, end) -> None:
    async def fill():
        store = open_store(sqlite_url)
        await store.upgrade()
        await store.write(Batch(ended=tuple(end(unit=f"u{i}") for i in range(300))), 5)
        await store.close()

    asyncio.run(fill())
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with (tmp_path / "store.db").open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    assert "the database file is damaged" in failure(sqlite_url, "route_rows")


def test_a_store_without_tables_says_how_to_make_them(tmp_path) -> None:
    path = tmp_path / "empty.db"
    sqlite3.connect(path).close()
    path.touch()
    assert "`paritygate store upgrade`" in failure(f"sqlite+aiosqlite:///{path}", "ledgers")
    assert "`paritygate store upgrade`" in failure(f"sqlite+aiosqlite:///{path}", "check_schema")


AS_NOBODY = """
import asyncio, os, sys
from store.database import open_store, StoreError
from store.records import Batch, Ended
from traffic.outcome import Ending
async def use(url, what):
    store = open_store(url)
    try:
        if "upgrade" in what:
            await store.upgrade()
        if "write" in what:
            await store.write(Batch(ended=(Ended("b", "GET /x", 1.0, Ending.COMPARED, "match"),)), 5)
    except StoreError as error:
        print(error)
    finally:
        await store.close()
asyncio.run(use(sys.argv[2], "upgrade write"))  # loads every module while this user may still read them
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
asyncio.run(use(sys.argv[1], sys.argv[3]))
"""


def as_nobody(url: str, what: str, tmp_path: Path) -> str:
    """What a process without rights is told."""
    command = [sys.executable, "-c", AS_NOBODY, url, f"sqlite+aiosqlite:///{tmp_path}/first.db", what]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter; pytest's own may not be."""
    with tempfile.TemporaryDirectory(prefix="paritygate-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_a_folder_without_the_right_to_write_is_named(open_folder, tmp_path) -> None:
    open_folder.chmod(0o555)
    assert "this user may not write there" in as_nobody(f"sqlite+aiosqlite:///{open_folder}/a.db", "upgrade", tmp_path)


def test_a_read_only_file_is_named(open_folder, tmp_path) -> None:
    url = f"sqlite+aiosqlite:///{open_folder}/a.db"

    async def make():
        store = open_store(url)
        await store.upgrade()
        await store.close()

    asyncio.run(make())
    (open_folder / "a.db").chmod(0o444)
    said = as_nobody(url, "write", tmp_path)
    assert "read-only" in said or "cannot be opened" in said


def test_an_unreachable_postgres_is_named_without_its_password() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        said = failure(f"postgresql+asyncpg://me:hush@127.0.0.1:{port}/d", "ledgers")
    assert "the server cannot be reached" in said
    assert "hush" not in said


def test_a_missing_postgres_database_is_named(postgres) -> None:
    said = failure(f"postgresql+asyncpg://postgres@/nowhere?host={postgres}")
    assert "there is no such database on the server" in said


def test_an_unknown_postgres_user_is_named(postgres) -> None:
    assert "does not know this user" in failure(f"postgresql+asyncpg://stranger@/postgres?host={postgres}")


def test_a_postgres_database_without_tables_says_how_to_make_them(postgres_url) -> None:
    assert "`paritygate store upgrade`" in failure(postgres_url, "ledgers")


def test_a_failure_never_quotes_what_was_to_be_written(in_store) -> None:
    async def scenario(store):
        with pytest.raises(StoreError) as caught:
            async with store.writing() as connection:
                await connection.execute(
                    text("INSERT INTO boot (boot, node) VALUES (:boot, :node)"), {"boot": "hush", "node": "hush"}
                )
        return str(caught.value)

    assert "hush" not in in_store(scenario)


def test_a_store_works_again_after_an_error(in_store, end, batch) -> None:
    async def scenario(store):
        with pytest.raises(StoreError):
            async with store.writing() as connection:
                await connection.execute(text("SELECT * FROM nowhere"))
        await store.write(batch(end()), 5)
        return await store.ended_counts("boot")

    assert in_store(scenario) == {"GET /x": 1}


def test_a_cancelled_write_leaves_nothing_and_the_store_usable(in_store, end, batch) -> None:
    async def scenario(store):
        task = asyncio.get_running_loop().create_task(store.write(batch(*(end(unit=f"u{i}") for i in range(50))), 5))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        before = await store.ended_counts("boot")
        await store.write(batch(end()), 5)
        return before, await store.ended_counts("boot")

    assert in_store(scenario) == ({}, {"GET /x": 1})


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
        asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
        asyncpg.InterfaceError("connection is closed"),
    ],
)
def test_a_connection_that_was_cut_is_no_fault_of_the_data(error: Exception) -> None:
    said = explain(error, make_url("postgresql+asyncpg://me@h/d"))
    assert ("the server does not answer" in str(said), said.about_data) == (True, False)
