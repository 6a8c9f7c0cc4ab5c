"""Brings a store to the newest schema, from any event loop and from several processes at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

import store.migrations
from store.engine import BUSY_S, create_file, reading, writing
from store.errors import SQLITE, NoStore, StoreError, place_of

# Any number will do, as long as all processes use the same: the lock of PostgreSQL's side of an upgrade.
_ADVISORY_LOCK = 0x7061726974790001


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for the migrations that ship with this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(store.migrations.__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


async def upgrade(engine: AsyncEngine, url: URL, make: bool) -> None:
    """Migrates the store; where there is none, makes one if `make`, else raises NoStore and changes nothing.

    Raises StoreError, also for a schema newer than this release.
    """
    if make and url.drivername == SQLITE:
        create_file(url)
    if not make:
        await _require_tables(engine, url)
    if url.drivername == SQLITE:
        await _write_ahead_log(engine, url)
    async with writing(engine, url) as connection:
        if url.drivername != SQLITE:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
        await connection.run_sync(_to_head, place_of(url))


async def check_schema(engine: AsyncEngine, url: URL) -> None:
    """Raises StoreError unless the schema is the one of this release."""
    async with reading(engine, url) as connection:
        current, head = await connection.run_sync(_revisions, place_of(url))
    if current != head:
        raise StoreError(f"{place_of(url)}: the tables are missing or old; `paritygate store upgrade` brings it up to date")


async def _require_tables(engine: AsyncEngine, url: URL) -> None:
    async with reading(engine, url) as connection:
        current, _ = await connection.run_sync(_revisions, place_of(url))
    if current is None:
        raise NoStore(
            f"{place_of(url)}: there is no store in this database; `paritygate store upgrade` makes one, and so does `paritygate up`"
        )


async def _write_ahead_log(engine: AsyncEngine, url: URL) -> None:
    """WAL mode is kept in the file, and so is that it can shrink, which only an empty one can be told.

    Changing the mode needs the file for itself and does not wait: so it is tried again for a while.
    """
    deadline = asyncio.get_running_loop().time() + BUSY_S
    while True:
        try:
            async with reading(engine, url) as connection:
                # Not allowed inside a transaction, so the one that `reading` opened is left for a moment.
                for statement in ("COMMIT", "PRAGMA auto_vacuum=INCREMENTAL", "PRAGMA journal_mode=WAL", "BEGIN"):
                    await connection.exec_driver_sql(statement)
                return
        except StoreError as error:
            locked = isinstance(error.__cause__, OperationalError) and "locked" in str(error.__cause__)
            if not locked or asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.05)


def _to_head(connection: Connection, place: str) -> None:
    current, head = _revisions(connection, place)
    if current != head:
        command.upgrade(alembic_config(connection), "head")


def _revisions(connection: Connection, place: str) -> tuple[str | None, str | None]:
    script = ScriptDirectory.from_config(alembic_config())
    current = MigrationContext.configure(connection).get_current_revision()
    known = {step.revision for step in script.walk_revisions()}
    if current is not None and current not in known:
        raise StoreError(f"{place}: the schema ({current}) is newer than this release; upgrade paritygate on this machine")
    return current, script.get_current_head()
