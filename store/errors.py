"""What is wrong with the store, as one sentence: the place, what happened, and what to do."""

from __future__ import annotations

import difflib
import sqlite3

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

SQLITE = "sqlite+aiosqlite"
POSTGRES = "postgresql+asyncpg"


class StoreError(Exception):
    """The store cannot be used as asked. The text names the place and the remedy and holds no password. Exit code 4."""

    def __init__(self, text: str, about_data: bool = False) -> None:
        super().__init__(text)
        self.about_data = about_data
        """The database refused what it was given. False where the place is the trouble, which refuses anything: a full disk, a lock."""


class NoStore(StoreError):
    """There is nothing at this place yet, or any more."""


class NotKept(StoreError):
    """Everything of a batch is counted, but its examples are not kept. Writing the batch again would bring nothing."""


def checked_url(text: str) -> URL:
    """The URL of a store. Raises StoreError for anything but a SQLite file or a PostgreSQL database."""
    allowed = f"'{SQLITE}:///paritygate.db' or '{POSTGRES}://user@host/database'"
    try:
        url = make_url(text)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise StoreError(f"store.url is not a database URL; expected {allowed}") from error
    if url.drivername not in (SQLITE, POSTGRES):
        aliases = {"sqlite": SQLITE, "postgres": POSTGRES, "postgresql": POSTGRES}
        near = aliases.get(url.drivername) or next(
            iter(difflib.get_close_matches(url.drivername, (SQLITE, POSTGRES), 1, 0.3)), ""
        )
        hint = f"; did you mean {near}" if near else ""
        raise StoreError(f"store.url: scheme '{url.drivername}' is not supported{hint}; expected {allowed}")
    if url.drivername == SQLITE and (not url.database or url.database == ":memory:" or url.database.startswith("file:")):
        raise StoreError(
            f"store.url: the store is shared by several processes and needs a plain file, e.g. {SQLITE}:///paritygate.db"
        )
    return url


def place_of(url: URL) -> str:
    """How messages name a store: the file, or the URL with its password hidden."""
    if url.drivername == SQLITE:
        return str(url.database)
    return url.render_as_string(hide_password=True)


def is_database_error(error: BaseException) -> bool:
    """Whether `explain` can say something about it: errors of the database or its driver, not bugs of ours."""
    driver = type(error).__module__.partition(".")[0] in ("asyncpg", "sqlite3", "aiosqlite")
    return isinstance(error, SQLAlchemyError | OSError) or driver


def explain(error: BaseException, url: URL) -> StoreError:
    """The sentence for a failure of the store at `url`. Statements and their parameters are never shown: they hold payloads.

    Goes by the databases' codes and not by their words, which a server may say in another language.
    """
    place = place_of(url)
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    sentence = _of_sqlite(cause) if url.drivername == SQLITE else _of_postgres(cause)
    if sentence is not None:
        return StoreError(f"{place}: {sentence}")
    # What a driver says about values may quote them: only its first sentence is shown, and never the statement.
    text = " ".join(str(cause).split())
    shown = text.partition(" DETAIL:")[0][:160] if isinstance(error, DBAPIError | OSError) else type(cause).__name__
    return StoreError(
        f"{place}: the database failed: {shown or type(cause).__name__}; see `paritygate store check`",
        about_data=not isinstance(error, OSError | PoolTimeout),
    )


def _of_sqlite(cause: BaseException) -> str | None:
    if isinstance(cause, PoolTimeout):
        return "this process uses all its connections for too long; try again"
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None:
        return None
    if code & 0xFF == sqlite3.SQLITE_ERROR:
        if "already exists" in str(cause).lower():
            return _FOREIGN
        missing = any(words in str(cause).lower() for words in ("no such table", "no such column", "has no column"))
        return f"the tables are missing or old; {_UPGRADE}" if missing else None
    return _SQLITE.get(code & 0xFF)


def _of_postgres(cause: BaseException) -> str | None:
    if isinstance(cause, PoolTimeout):
        return "the server is slow, and this process uses all its connections; try again"
    if isinstance(cause, TimeoutError):
        return (
            "the server does not answer in time; see whether it is stopped, unreachable or overloaded, nothing else is needed"
        )
    if isinstance(cause, OSError):
        return f"the server cannot be reached ({' '.join(str(cause).split())[:160]}); start it, or correct store.url"
    state = getattr(cause, "sqlstate", None)
    if not state:
        # The driver's own words, which are always English: connections that ended, or that a cancelled wait has left in disorder.
        own = str(cause).lower()
        return _AWAY if "connection" in own or ("operation" in own and "is in progress" in own) else None
    return _POSTGRES.get(state) or _POSTGRES.get(state[:2])


_UPGRADE = "`paritygate store upgrade` brings it up to date"
_FOREIGN = "another program has tables there with names that ours have; give the store a database of its own"
_AWAY = "the server does not answer at the moment; try again"
_SQLITE: dict[int, str] = {
    sqlite3.SQLITE_NOTADB: "this file is not a SQLite database; correct store.url, or, if it was one, restore a backup or "
    "`paritygate store quarantine` moves it aside and starts anew",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged; restore a backup, or `paritygate store quarantine` moves it aside "
    "and starts anew",
    sqlite3.SQLITE_CANTOPEN: "there is no store, or it cannot be opened; `paritygate store upgrade` makes one where the folder "
    "is writable",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only; make both writable for this user",
    sqlite3.SQLITE_PERM: "this user may not use the file; make it readable and writable",
    sqlite3.SQLITE_FULL: "the disk is full; free some space, nothing else is needed",
    sqlite3.SQLITE_BUSY: "another process has kept the database locked for too long; see what holds it, then try again",
    sqlite3.SQLITE_LOCKED: "another connection of this process has kept the database locked for too long; try again",
    sqlite3.SQLITE_PROTOCOL: "many processes open the database at once; try again",
    sqlite3.SQLITE_IOERR: "the disk reports an I/O error; check the file system",
    sqlite3.SQLITE_NOMEM: "there is no memory left for the database; see what needs it",
    sqlite3.SQLITE_INTERRUPT: "the statement was interrupted; try again",
}
"""By primary code. What is not here is about the data: constraints, sizes, types."""
_POSTGRES: dict[str, str] = {
    "08": _AWAY,
    "57": _AWAY,
    "57014": "the server broke the statement off (a time limit, or somebody cancelled it); try again",
    "58": "the server's disk reports an error; see the server's log",
    "XX": "the server reports damage or a fault of its own; see the server's log, then restore a backup",
    "42501": "this user lacks rights on the database; grant them, or correct store.url",
    "25006": "the server is read-only (a standby?); point store.url at the primary server",
    "25": "the server ended a transaction that had stood still for too long; try again",
    "28": "the server refuses the user or password; correct store.url",
    "28000": "the server does not know this user, or does not let it in; create it, or correct store.url",
    "53300": "the server takes no more connections; raise max_connections",
    "53100": "the server's disk is full; free some space there, nothing else is needed",
    "53200": "the server has no memory left; see what needs it",
    "53": "the server is at one of its limits; see the server's log",
    "40": "another writer was in the way; try again",
    "55": "another transaction has kept its rows locked for too long; see pg_stat_activity for what holds them, then try again",
    "42P07": _FOREIGN,
    "42": f"the tables are missing or old; {_UPGRADE}",
    "3D": "there is no such database on the server; create it (createdb), or correct store.url",
    "3F": "there is no such schema in the database; create it, or correct store.url",
}
"""By state, then by class. What is not here is about the data: 22 values, 23 constraints, 54 limits of size."""
