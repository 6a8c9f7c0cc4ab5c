"""Puts a damaged SQLite file aside and starts anew: a person's decision, never a process's own.

A damaged file may hold most of what it held, and a backup or `.recover` may bring it back. What stands in it is also the record of who
moved which route and why. A process that replaced it by itself would throw that away at the first fault of a disk, and at each further
one; and whoever looked afterwards would see few mismatches, which is just how parity looks. Waiting costs little: clients are served
as the last decisions say, results wait in memory within bounds and are counted as lost beyond them, and everything that meets the damage
says so (exit code 4, the log, the dashboard). So damage is told, and `paritygate store quarantine` is what a person does about it.

The new store knows of no evidence: every route is in shadow again and its n is 0, so no parity is claimed from before. Its audit begins
with a link that names the file that was put aside. What proxies had handed over and the new store does not know of shows
as lost.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL

from store import engine, migrate
from store.audit import append, hold_chain
from store.errors import SQLITE, NoStore, StoreError, checked_url, explain

BUSY_S = 15.0
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BESIDE = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What was done: where the damaged file lies now, and what was found wrong with it, in the database's words."""

    path: Path
    damage: str


async def quarantine(url: str, now: float, actor: str) -> Quarantined:
    """Moves the damaged file of this store, with its log, aside under a name with the time; makes a new store in its place.

    `now` is Unix time, `actor` the person who asked. Running processes may go on: they come to the new store by themselves.
    Raises StoreError, and changes nothing, where the file is whole, is not there, is in use just now, or is not SQLite's.
    """
    place = checked_url(url)
    if place.drivername != SQLITE:
        raise StoreError("store quarantine is for a SQLite file; a PostgreSQL server's database is restored from its backup")
    path = _path_of(place)
    if not await asyncio.to_thread(path.is_file):
        raise NoStore(f"{path}: there is no store; `paritygate store upgrade` makes one")
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside, fresh = path.with_name(f"{path.name}.damaged-{stamp}"), path.with_name(f"{path.name}.new-{stamp}")
    damage = await asyncio.to_thread(_damage, path, place)
    if damage is None:
        raise StoreError(
            f"{path}: the file is whole, nothing was changed; `paritygate store check` says what else may be wrong"
        )
    if await asyncio.to_thread(aside.exists):
        raise StoreError(f"{aside}: is there already; try again in a second")
    await asyncio.to_thread(_remove, fresh)
    await _make(place.set(database=str(fresh)), now, actor, aside.name, damage)
    await asyncio.to_thread(_exchange, path, aside, fresh, place)
    return Quarantined(aside, damage)


async def _make(url: URL, now: float, actor: str, before: str, damage: str) -> None:
    """A new store whose audit begins with what happened; closed, so that all of it is in its file."""
    made = engine.make_engine(url)
    try:
        await migrate.upgrade(made, url, make=True)
        async with engine.writing(made, url) as connection:
            await hold_chain(connection)
            detail = f"the store was damaged ({damage}) and put aside; nothing of it is known here"
            await append(connection, now, actor, "quarantine", "", before, "a new store", detail)
    finally:
        await made.dispose()


def _path_of(place: URL) -> Path:
    return Path(str(place.database)).absolute()


def _damage(path: Path, url: URL) -> str | None:
    """What is wrong with the file, None where nothing is. Reads all of it. Raises StoreError where that cannot be found out."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=BUSY_S)) as connection:
            lines = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(5)")]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _DAMAGE:
            raise explain(error, url) from error
        return str(error)
    return None if lines == ["ok"] else "; ".join(" ".join(line.split()) for line in lines)[:300]


def _exchange(path: Path, aside: Path, fresh: Path, url: URL) -> None:
    """The damaged file goes aside and the new one takes its place, while no other process can commit anything to the damaged one."""
    try:
        with closing(_held(path, url)):
            # The log first: a database must never lie beside the log of another one.
            for ending in _BESIDE:
                if os.path.exists(f"{path}{ending}"):
                    os.rename(f"{path}{ending}", f"{aside}{ending}")
            os.link(path, aside)
            os.replace(fresh, path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be moved aside: {error.strerror}; see the rights of its folder") from error


def _held(path: Path, url: URL) -> sqlite3.Connection:
    """A connection that keeps writers out, where the damage leaves that possible; otherwise nobody can write anyway."""
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _DAMAGE:
            connection.close()
            raise explain(error, url) from error
    return connection


def _remove(fresh: Path) -> None:
    """What an earlier attempt left that did not come to its end."""
    for ending in ("", *_BESIDE):
        Path(f"{fresh}{ending}").unlink(missing_ok=True)
