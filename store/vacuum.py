"""Gives free pages of a SQLite file back to the file system, a few at a time, so that writers wait for milliseconds only.

PostgreSQL does this by itself (autovacuum) and keeps the space for later rows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiosqlite
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.engine import reading, writing
from store.errors import SQLITE
from store.steps import Step

PAGES = 500
_INCREMENTAL = 2


async def give_back(engine: AsyncEngine, url: URL) -> AsyncIterator[Step]:
    """Shrinks the file by its free pages. A file of a release that made none so (before 0003) keeps them: `compact` changes that."""
    if url.drivername != SQLITE:
        return
    async with reading(engine, url) as connection:
        if await connection.scalar(text("PRAGMA auto_vacuum")) != _INCREMENTAL:
            return
        total = left = await _free(connection)
    while left:
        async with writing(engine, url) as connection:
            # A page goes for each row that is fetched, and rows without columns are none to SQLAlchemy: so it is the driver that asks.
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, aiosqlite.Connection)
            await driver.execute_fetchall(f"PRAGMA incremental_vacuum({PAGES})")
            before, left = left, await _free(connection)
        yield Step("free pages", total - left, total, 0)
        if left >= before:
            return


async def compact(engine: AsyncEngine, url: URL) -> None:
    """Writes the whole file anew, without free pages and so that it can shrink by itself from now on.

    Needs as much room again, and keeps writers waiting until it is done. Nothing to do on PostgreSQL. Raises StoreError.
    """
    if url.drivername != SQLITE:
        return
    async with reading(engine, url) as connection:
        # Neither is allowed inside a transaction, so the one that `reading` opened is left for a while.
        for statement in ("COMMIT", f"PRAGMA auto_vacuum={_INCREMENTAL}", "VACUUM", "BEGIN"):
            await connection.exec_driver_sql(statement)


async def overwrite(engine: AsyncEngine, url: URL) -> None:
    """Takes what was deleted out of the write-ahead log, too; whoever reads at this moment holds it up (the next one does it then)."""
    if url.drivername != SQLITE:
        return
    async with reading(engine, url) as connection:
        for statement in ("COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)", "BEGIN"):
            await connection.exec_driver_sql(statement)


async def _free(connection: AsyncConnection) -> int:
    return int(await connection.scalar(text("PRAGMA freelist_count")) or 0)
