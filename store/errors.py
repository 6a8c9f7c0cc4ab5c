"""What is wrong with the store, as one sentence: the place, what happened, and what to do."""

from __future__ import annotations

import difflib

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
    """The sentence for a failure of the store at `url`. Statements and their parameters are never shown: they hold payloads."""
    place = place_of(url)
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = " ".join(str(cause).split())
    lower = text.lower()
    for words, sentence in _SQLITE_CASES if url.drivername == SQLITE else _POSTGRES_CASES:
        if any(word in lower for word in words):
            return StoreError(f"{place}: {sentence}")
    if url.drivername == POSTGRES and isinstance(error, OSError | PoolTimeout):
        return StoreError(f"{place}: the server cannot be reached ({text[:160] or 'time-out'}); start it, or correct store.url")
    # What a driver says about values may quote them: only its first sentence is shown, and never the statement.
    shown = text.partition(" DETAIL:")[0][:160] if isinstance(error, DBAPIError | OSError) else type(cause).__name__
    return StoreError(
        f"{place}: the database failed: {shown or type(cause).__name__}; see `paritygate store check`",
        about_data=not isinstance(error, OSError | PoolTimeout),
    )


_UPGRADE = "`paritygate store upgrade` brings it up to date"
_SQLITE_CASES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("not a database",), "this file is not a SQLite database; move it away, or correct store.url"),
    (
        ("malformed",),
        "the database file is damaged; move it away with its -wal and -shm files, then restore a backup or start anew",
    ),
    (
        ("unable to open",),
        "there is no store, or it cannot be opened; `paritygate store upgrade` makes one where the folder is writable",
    ),
    (("readonly database", "read-only"), "the file or its folder is read-only; make both writable for this user"),
    (("disk is full",), "the disk is full; free some space, nothing else is needed"),
    (("locked", "busy"), "another process has kept the database locked for too long; see what holds it, then try again"),
    (("no such table", "no such column"), f"the tables are missing or old; {_UPGRADE}"),
    (("disk i/o error",), "the disk reports an I/O error; check the file system"),
)
_POSTGRES_CASES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        (
            "starting up",
            "shutting down",
            "recovery mode",
            "terminating connection",
            "connection is closed",
            "connection was closed",
        ),
        "the server does not answer at the moment; try again",
    ),
    (("permission denied",), "this user lacks rights on the database; grant them, or correct store.url"),
    (("read-only transaction",), "the server is read-only (a standby?); point store.url at the primary server"),
    (("password authentication", "no password"), "the server refuses the user or password; correct store.url"),
    (
        ("too many clients", "too many connections", "connection slots"),
        "the server takes no more connections; raise max_connections",
    ),
    (('relation "',), f"the tables are missing or old; {_UPGRADE}"),
    (('role "',), "the server does not know this user; create it, or correct store.url"),
    (('database "',), "there is no such database on the server; create it (createdb), or correct store.url"),
)
