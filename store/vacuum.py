"""Gives free pages of a SQLite file back to the file system, a few at a time, so that writers wait for milliseconds only.

PostgreSQL does this by itself (autovacuum) and keeps the space for later rows; only `compact` gives its indexes' free room back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiosqlite
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.engine import make_engine, reading, writing
from store.errors import SQLITE, explain, is_database_error
from store.schema import Base
from store.steps import Step

PAGES = 500
COMPACT_S = 3_600.0
"""How long one table may take on PostgreSQL."""
_LEFT_BEHIND = """SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND pg_table_is_visible(i.indrelid)"""
"""What a `compact` that was stopped half-way has left: useless, and kept up with every row that is written."""
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
    """Takes all free room out. Raises StoreError.

    Writes a SQLite file anew, so that it can shrink by itself from now on: needs as much room again, and keeps writers waiting until it is
    done. On PostgreSQL builds each index anew beside the old one, while everybody goes on writing.
    """
    if url.drivername != SQLITE:
        await _compact_postgres(url)
        return
    async with reading(engine, url) as connection:
        # Neither is allowed inside a transaction, so the one that `reading` opened is left for a while.
        for statement in ("COMMIT", f"PRAGMA auto_vacuum={_INCREMENTAL}", "VACUUM", "BEGIN"):
            await connection.exec_driver_sql(statement)


async def _compact_postgres(url: URL) -> None:
    engine = make_engine(url, command_s=COMPACT_S)
    try:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            quoted = connection.dialect.identifier_preparer.quote
            for name in await connection.scalars(text(_LEFT_BEHIND)):
                await connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {quoted(name)}")
            for table in sorted(Base.metadata.tables):
                await connection.exec_driver_sql(f"VACUUM {quoted(table)}")
                await connection.exec_driver_sql(f"REINDEX TABLE CONCURRENTLY {quoted(table)}")
    except Exception as error:
        if is_database_error(error):
            raise explain(error, url) from error
        raise
    finally:
        await engine.dispose()


async def overwrite(engine: AsyncEngine, url: URL) -> None:
    """Takes what was deleted out of the write-ahead log, too; whoever reads at this moment holds it up (the next one does it then)."""
    if url.drivername != SQLITE:
        return
    async with reading(engine, url) as connection:
        for statement in ("COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)", "BEGIN"):
            await connection.exec_driver_sql(statement)


async def _free(connection: AsyncConnection) -> int:
    return int(await connection.scalar(text("PRAGMA freelist_count")) or 0)
