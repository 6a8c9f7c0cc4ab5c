"""The async engine of a store and its transactions: one writer at a time on SQLite, snapshots for readers on both databases."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.errors import SQLITE, NoStore, StoreError, explain, is_database_error

BUSY_S = 15.0
"""How long SQLite waits for a lock."""
CONNECT_S = 5.0
COMMAND_S = 30.0
"""How long one statement may take on PostgreSQL."""
LOCK_S = 10.0
"""How long a writer waits for another one's rows on PostgreSQL."""
STANDING_S = 20.0
"""How long a writer's transaction may stand still on PostgreSQL: one whose machine froze or fell off the net must not hold its rows."""
_WRITES = "paritygate_writes"
_LIMITS = (
    f"SELECT set_config('lock_timeout', '{int(LOCK_S * 1000)}', true), "
    f"set_config('idle_in_transaction_session_timeout', '{int(STANDING_S * 1000)}', true)"
)


def make_engine(url: URL, command_s: float | None = None) -> AsyncEngine:
    """An engine that has not connected yet. A SQLite file that is not there is an error later, never a new, empty store.

    `command_s` bounds one statement on PostgreSQL, COMMAND_S where it is not given.
    """
    if url.drivername != SQLITE:
        engine = create_async_engine(
            url,
            pool_size=4,
            max_overflow=4,
            pool_timeout=CONNECT_S,
            pool_pre_ping=True,
            connect_args={"timeout": CONNECT_S, "command_timeout": command_s or COMMAND_S},
        )
        event.listen(engine.sync_engine, "begin", _begin_postgres)
        return engine
    name = "file:" + quote(os.path.abspath(str(url.database)))
    located = url.set(database=name, query={"mode": "rw", "uri": "true"})
    engine = create_async_engine(located, pool_size=4, max_overflow=4, pool_timeout=BUSY_S, connect_args={"timeout": BUSY_S})
    event.listen(engine.sync_engine, "do_connect", _refuse_missing(str(url.database)))
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    watch = _FileWatch(str(url.database))
    event.listen(engine.sync_engine, "connect", watch.note)
    event.listen(engine.sync_engine, "checkout", watch.check)
    event.listen(engine.sync_engine, "checkin", watch.used)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _refuse_missing(path: str) -> Callable[..., None]:
    """Looks before the driver does: a failing connect of the driver leaves a thread that complains on stderr."""

    def check(*_arguments: object) -> None:
        if not os.path.exists(path):
            raise NoStore(f"{path}: there is no store; `paritygate store upgrade` makes one, and so does `paritygate up`")
        if not os.access(path, os.R_OK):
            raise StoreError(f"{path}: this user may not read it; make the file readable and writable")

    return check


class _FileWatch:
    """A connection stays with the files it was made for, also when they were deleted or replaced: what it wrote then, nobody would read.

    Where the database is another one, the connection is thrown away. Where only the write-ahead log was deleted, this connection still
    has all of it: it is brought into the database first. Emptying it also makes it harmless to connections that others still have to it.
    """

    def __init__(self, path: str) -> None:
        self._path, self._log = path, f"{path}-wal"

    def note(self, _connection: object, record: Any) -> None:
        """A new connection: which file this is. The log is opened with its first transaction."""
        record.info["file"] = _identity(self._path)
        record.info.pop("log", None)

    def used(self, connection: object, record: Any) -> None:
        """A connection was used: by now it has its log."""
        if connection is not None and "log" not in record.info:
            record.info["log"] = _identity(self._log)

    def check(self, connection: Any, record: Any, _proxy: object) -> None:
        """A pooled connection is about to be used: one of other files is thrown away, and a new one is made or refused."""
        if record.info.get("file") != _identity(self._path) or record.info["file"] is None:
            raise DisconnectionError("the database file was replaced")
        log = _identity(self._log)
        if "log" not in record.info or (log is not None and log == record.info["log"]):
            return
        if log is None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            held_up, pages, _ = cursor.fetchone()
            cursor.close()
            if pages < 0:
                return  # this database has no such log
            if held_up:
                raise StoreError(f"{self._path}: its write-ahead log was deleted, and others are still reading it; try again")
        raise DisconnectionError("the write-ahead log was replaced")


def _identity(path: str) -> tuple[int, int] | None:
    """Which file lies there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions by its own rules: ours start with the BEGIN below.
    connection.isolation_level = None
    cursor = connection.cursor()
    for setting in ("foreign_keys=ON", "synchronous=NORMAL", "secure_delete=ON", f"busy_timeout={int(BUSY_S * 1000)}"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer that first reads and then asks for the lock could find its snapshot outdated; IMMEDIATE waits at the start.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgres(connection: Connection) -> None:
    # With each transaction and not with the connection: whatever stands between, a pooler for one, may give it to others.
    if connection.get_execution_options().get(_WRITES, False):
        connection.exec_driver_sql(_LIMITS)


def create_file(url: URL) -> None:
    """Makes an empty SQLite file that only its owner may read, where there is none. Raises StoreError."""
    path = Path(str(url.database)).absolute()
    try:
        # An existing file is never opened and closed here: closing would take away the locks that this process' connections hold.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        return
    except FileExistsError:
        pass
    except FileNotFoundError as error:
        raise StoreError(f"{path}: the folder {path.parent} does not exist; make it, or correct store.url") from error
    except PermissionError as error:
        raise StoreError(f"{path}: this user may not write there; make the folder and the file writable") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}; correct store.url or the file system") from error
    if path.is_dir():
        raise StoreError(f"{path}: this is a folder; store.url must name a file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(f"{path}: this user may not write there; make the folder and the file writable")
    try:
        path.chmod(0o600)
    except PermissionError:
        pass  # another user's file that we may use: its mode is theirs to choose


@asynccontextmanager
async def reading(engine: AsyncEngine, url: URL) -> AsyncIterator[AsyncConnection]:
    """A transaction that sees one moment of the store. Raises StoreError."""
    level = {} if url.drivername == SQLITE else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    try:
        async with engine.connect() as connection:
            await connection.execution_options(**level)
            async with connection.begin():
                yield connection
    except Exception as error:
        if is_database_error(error):
            raise explain(error, url) from error
        raise


@asynccontextmanager
async def writing(engine: AsyncEngine, url: URL) -> AsyncIterator[AsyncConnection]:
    """A transaction that is kept as a whole or not at all. Raises StoreError; after a lost connection the outcome is unknown."""
    try:
        async with engine.connect() as connection:
            await connection.execution_options(**{_WRITES: True})
            async with connection.begin():
                yield connection
    except Exception as error:
        if is_database_error(error):
            raise explain(error, url) from error
        raise
