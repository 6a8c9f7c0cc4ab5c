"""A damaged file is put aside by a person: it stays whole as it is, the new store says so, and nothing that waits is lost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from store_feed import fed

from store.database import Store, StoreError, open_store
from store.errors import NoStore
from store.quarantine import quarantine
from store.records import Batch

NOW = 1_700_000_000.0
PAGE = 4096


def made(url: str, end, ends: int = 400) -> Path:
    """A store with something in it, all of it in its file; that file."""

    async def run() -> None:
        store = open_store(url)
        await store.upgrade()
        await store.write(Batch(tuple(end(unit=f"u{number}") for number in range(ends))), 5)
        await store.close()

    asyncio.run(run())
    return Path(url.partition(":///")[2])


def damage(path: Path, at: int, size: int = PAGE) -> bytes:
    """Noise in the place of a page; the whole file as it is then."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(size))
    return path.read_bytes()


@pytest.mark.parametrize("where", ["header", "middle", "everywhere"])
def test_a_damaged_file_goes_aside_and_the_new_store_says_so(sqlite_url: str, end, where: str) -> None:
    """[F-15] Its bytes are kept, its evidence is not: n is 0, and the audit begins with who put what aside."""
    path = made(sqlite_url, end)
    at, size = {"header": (0, PAGE), "middle": (PAGE * 3, PAGE * 6), "everywhere": (PAGE, path.stat().st_size - PAGE)}[where]
    damaged = damage(path, at, size)
    done = asyncio.run(quarantine(sqlite_url, NOW, "ann"))
    assert done.path == path.with_name("store.db.damaged-20231114T221320Z")
    assert done.path.read_bytes() == damaged
    assert done.damage

    async def look() -> None:
        store = open_store(sqlite_url)
        await store.check_schema()
        assert await store.check() == []
        assert await store.route_rows() == []
        (link,) = await store.audit(10)
        assert (link.seq, link.actor, link.action, link.at) == (1, "ann", "quarantine", NOW)
        assert link.before == done.path.name
        assert done.damage in link.detail
        await store.close()

    asyncio.run(look())
    names = {entry.name for entry in path.parent.iterdir()}
    assert {name for name in names if not name.startswith(done.path.name)} == {"store.db"}


def test_a_whole_file_stays_where_it_is(sqlite_url: str, end) -> None:
    """[F-15] Also one that is in use, with its log full."""

    async def scenario(store: Store) -> None:
        await store.upgrade()
        await store.write(Batch((end(),)), 5)
        with pytest.raises(StoreError, match="the file is whole, nothing was changed"):
            await quarantine(sqlite_url, NOW, "ann")
        assert await store.ended_counts("boot") == {"GET /x": 1}
        await store.close()

    asyncio.run(scenario(open_store(sqlite_url)))


def test_where_nothing_can_be_put_aside_it_says_why(sqlite_url: str) -> None:
    with pytest.raises(NoStore, match="there is no store"):
        asyncio.run(quarantine(sqlite_url, NOW, "ann"))
    with pytest.raises(StoreError, match="for a SQLite file"):
        asyncio.run(quarantine("postgresql+asyncpg://u@h/d", NOW, "ann"))


def test_what_waits_goes_into_the_new_store(sqlite_url: str, end) -> None:
    """[F-15] The shadow runs on: it says what is wrong until somebody acts, and loses nothing of what it judged since."""
    path = made(sqlite_url, end, 1)

    async def run() -> None:
        async with fed(sqlite_url) as feed:
            feed.put(300)
            await feed.settled()
            damage(path, PAGE, path.stat().st_size - PAGE)
            before = feed.given
            while not feed.said:
                feed.put(10)
                await asyncio.sleep(0.02)
                if not feed.recorder.waiting:
                    before = feed.given  # its pages were in memory still: these are in the damaged file
            assert "the database file is damaged; restore a backup, or `paritygate store quarantine`" in feed.said[0]
            with pytest.raises(StoreError, match="the database file is damaged"):
                await feed.store.route_rows()
            before = feed.given - feed.recorder.waiting
            feed.put(40)
            await quarantine(sqlite_url, NOW, "ann")
            await feed.nothing_is_missing(before)

    asyncio.run(run())
