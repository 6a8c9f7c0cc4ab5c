"""The file is locked, full, read-only, without its log, gone, old or foreign: results wait, and nothing is missing afterwards."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import inspect, make_url, text
from store_feed import Feed, fed
from store_writers import ROOT

import store.engine
from store.database import StoreError, open_store
from store.engine import create_file

HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
"""
LOOKER = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT sum(count) FROM ledger_end').fetchone())"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that waits a fifth of a second for a lock."""
    monkeypatch.setattr(store.engine, "BUSY_S", 0.2)


def played(path: Path, scenario: Callable[[Feed], Awaitable[None]]) -> None:
    async def run() -> None:
        async with fed(f"sqlite+aiosqlite:///{path}") as feed:
            feed.put(30)
            await feed.settled()
            await scenario(feed)
            await feed.nothing_is_missing()

    asyncio.run(run())


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process has the database for itself."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
        holder.communicate("\n", timeout=30)


def test_locked_by_another_process(path: Path) -> None:
    """[F-13] For a second, which the database waits for by itself: nobody is told anything."""

    async def scenario(feed: Feed) -> None:
        with held(path):
            await feed.steadily(1.0)
        await feed.settled()
        assert feed.said == []

    played(path, scenario)


def test_locked_for_longer_than_the_database_waits(path: Path, impatient: None) -> None:
    """[F-13] It is said, reading goes on, and all is stored once the lock is gone."""

    async def scenario(feed: Feed) -> None:
        with held(path):
            feed.put(50)
            sentence = await feed.saying("another process has kept the database locked for too long; see what holds it")
            assert sentence.startswith(f"{path}: ")
            assert len(await feed.store.route_rows()) == 1

    played(path, scenario)


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [10, 60])
def test_locked_for_long(path: Path, seconds: int) -> None:
    """[F-13] 10 and 60 s, with the time limits that are shipped."""

    async def scenario(feed: Feed) -> None:
        with held(path):
            await feed.steadily(seconds)

    played(path, scenario)


def test_what_is_beyond_the_bound_is_counted_exactly(path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """[F-13] Folded as far as there is room, then one lost: store_failed each."""
    monkeypatch.setattr("shadow.recorder.MOST_UNWRITTEN", 100)
    monkeypatch.setattr("shadow.recorder.MAX_BACKLOG", 120)
    monkeypatch.setattr("shadow.recorder.MAX_SPOOL_BYTES", 40_000)

    async def run() -> None:
        async with fed(f"sqlite+aiosqlite:///{path}") as feed:
            with held(path):
                feed.put(1_000)
                await feed.saying("locked")
            await feed.settled()
            ledger = (await feed.store.ledgers())["GET /a"]
            assert feed.held.total == 0
            assert list(ledger.lost) == ["store_failed"]
            assert sum(ledger.verdicts.values()) + ledger.lost["store_failed"] == 1_000
            assert 150 < sum(ledger.verdicts.values()) < 600
            assert await feed.store.check() == []

    asyncio.run(run())


@pytest.fixture
def disk() -> Iterator[tuple[Path, Callable[[bool], None]]]:
    """A folder, and what makes its disk full or not: a small file system, or a bound on files where mounting is not allowed."""
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", name]
        mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

        def fill(full: bool) -> None:
            filling = folder / "filling"
            if not mounted:
                resource.setrlimit(
                    resource.RLIMIT_FSIZE, (folder.joinpath("store.db-wal").stat().st_size if full else soft, hard)
                )
            elif full:
                _write_until_full(filling)
            else:
                filling.unlink()

        yield folder, fill
        if mounted:
            subprocess.run(["umount", "-l", name], check=True)


def test_the_disk_is_full(disk: tuple[Path, Callable[[bool], None]]) -> None:
    """[F-14] Said as what it is, or as an I/O error where a bound on files stands for it; the file is whole afterwards."""
    folder, fill = disk

    async def scenario(feed: Feed) -> None:
        fill(True)
        try:
            async with asyncio.timeout(30):
                while not feed.said:
                    feed.put(50)
                    await asyncio.sleep(0.05)
            assert "the disk is full; free some space" in feed.said[0] or "the disk reports an I/O error" in feed.said[0]
        finally:
            fill(False)

    played(folder / "store.db", scenario)


def _write_until_full(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


AS_NOBODY = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[2])
from store_feed import fed
import shadow.recorder, store.database, store.example_codec, store.integrity
from store.errors import StoreError


async def main():
    async with fed(f"sqlite+aiosqlite:///{sys.argv[1]}/first/store.db") as feed:  # loads every module while this user may read them
        feed.put(10)
        await feed.nothing_is_missing()
    if os.geteuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    async with fed(f"sqlite+aiosqlite:///{sys.argv[1]}/own/store.db", upgrade=False) as feed:
        feed.put(30)
        print(await feed.saying("writable"), flush=True)
        print(sys.stdin.readline(), end="", flush=True)
        await feed.nothing_is_missing()
    print("whole", flush=True)

asyncio.run(main())
"""


def test_the_folder_and_the_file_are_read_only() -> None:
    """[F-15] It says what to make writable, and once that is done it writes."""
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for inner in ("first", "own"):
            (folder / inner).mkdir()

        async def make() -> None:
            made = open_store(f"sqlite+aiosqlite:///{folder}/own/store.db")
            await made.upgrade()
            await made.close()

        asyncio.run(make())
        (folder / "own" / "store.db").chmod(0o444)
        (folder / "own").chmod(0o555)
        command = [sys.executable, "-c", AS_NOBODY, name, str(Path(__file__).parent)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            said = child.stdout.readline()
            (folder / "own").chmod(0o777)
            (folder / "own" / "store.db").chmod(0o666)
            rest = child.communicate("go\n", timeout=60)[0]
        assert said.startswith(f"{name}/own/store.db: ")
        assert "the file or its folder is read-only; make both writable" in said or "cannot be opened" in said
        assert rest.endswith("whole\n")


def test_the_log_is_deleted_while_it_is_in_use(path: Path) -> None:
    """[F-15] What was committed and only in the log is not lost, also not to other processes, which see every later batch too."""

    def looked() -> str:
        command = [sys.executable, "-c", LOOKER, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    async def scenario(feed: Feed) -> None:
        other = open_store(f"sqlite+aiosqlite:///{path}")
        for _ in range(3):
            await asyncio.gather(*(feed.store.route_rows() for _ in range(4)), other.route_rows())
            os.unlink(f"{path}-wal")
            feed.put(30)
            await feed.settled()
            assert await asyncio.to_thread(looked) == str(feed.given)
            assert sum((await other.ended_counts("boot")).values()) == feed.given
        assert await other.check() == []
        await other.close()

    played(path, scenario)


def test_the_database_is_older_than_this_release(path: Path) -> None:
    """[F-15] A table that is missing is not the fault of what was to be written: it waits for `store upgrade`."""

    async def scenario(feed: Feed) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("ALTER TABLE judged_day RENAME TO kept_for_later")
            connection.execute("ALTER TABLE ledger_end RENAME TO kept_too")
        feed.put(30)
        assert "`paritygate store upgrade` brings it up to date" in await feed.saying("the tables are missing or old")
        with pytest.raises(StoreError, match="the tables are missing or old"):
            await feed.store.ledgers()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("ALTER TABLE kept_for_later RENAME TO judged_day")
            connection.execute("ALTER TABLE kept_too RENAME TO ledger_end")

    played(path, scenario)


def test_the_database_is_newer_than_this_release(path: Path) -> None:
    """[F-15] Nothing is changed in what a later release has made."""

    async def said(method: str) -> str:
        opened = open_store(f"sqlite+aiosqlite:///{path}")
        try:
            with pytest.raises(StoreError) as caught:
                await getattr(opened, method)()
            return str(caught.value)
        finally:
            await opened.close()

    async def newer(feed: Feed) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            for method in ("upgrade", "check_schema"):
                assert "the schema (9999) is newer than this release; upgrade paritygate on this machine" in await said(method)
            connection.execute("UPDATE alembic_version SET version_num = ?", (version,))

    played(path, newer)


def test_the_database_is_another_programs(url: str) -> None:
    """[F-15] Names that ours have too: nothing is made, nothing is changed."""

    async def scenario() -> list[str]:
        foreign = open_store(url)
        if url.startswith("sqlite"):
            create_file(make_url(url))
        async with foreign.writing() as connection:
            await connection.execute(text("CREATE TABLE cluster (mine INTEGER)"))
        with pytest.raises(StoreError, match="another program has tables there") as caught:
            await foreign.upgrade()
        assert not caught.value.about_data
        async with foreign.reading() as connection:
            names = await connection.run_sync(lambda there: inspect(there).get_table_names())
        await foreign.close()
        return names

    assert asyncio.run(scenario()) == ["cluster"]


def test_a_page_is_noise(path: Path) -> None:
    """[F-15] Said as damage, by readers and writers; with the page back, everything goes on."""

    async def scenario(feed: Feed) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            whole = file.read()
            file.seek(4096)
            file.write(os.urandom(len(whole) - 4096))
        await feed.store.close()  # pages that are in memory would do for a while
        feed.put(30)
        await feed.saying("the database file is damaged; restore a backup, or `paritygate store quarantine`")
        with pytest.raises(StoreError, match="is damaged"):
            await feed.store.route_rows()
        with path.open("r+b") as file:
            file.write(whole)

    played(path, scenario)
