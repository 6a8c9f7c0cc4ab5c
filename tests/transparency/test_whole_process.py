"""The catalogue, and gigabytes, through `paritygate proxy` as people start it: a parent with workers under `python -O`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from settings.keyfile import make_key
from tests.ports import free_port
from tests.proxy.conftest import Backend
from tests.transparency.differences import differences
from tests.transparency.raw_backend import RawBackend
from tests.transparency.raw_client import play
from tests.transparency.test_catalogue import EXCHANGES, EXPECTED
from tests.transparency.test_streams import PIECE, _both_ways, _echo

pytestmark = pytest.mark.soak


@contextmanager
def proxy_process(folder: Path, backend: int) -> Iterator[tuple[int, int]]:
    """A proxy before `backend`: its port, and the port of its admin listener."""
    port, admin = free_port(), free_port()
    config = folder / "paritygate.toml"
    config.write_text(
        f'[primary]\nurl = "http://127.0.0.1:{backend}"\n[candidate]\nurl = "http://127.0.0.1:{free_port()}"\n'
        f'[proxy]\nlisten = "127.0.0.1:{port}"\nadmin = "127.0.0.1:{admin}"\n[rules]\nfiles = []\n'
    )
    make_key(folder / "paritygate.key")
    with (folder / "proxy.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "cli.main", "proxy", "--config", str(config)], stdout=log, stderr=log
        )
    try:
        yield port, admin
    finally:
        child.terminate()
        child.wait(30)


async def _ready(admin: int, folder: Path) -> dict[str, Any]:
    async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                if (await client.get(f"http://127.0.0.1:{admin}/readyz")).status_code == 200:
                    found: dict[str, Any] = (await client.get(f"http://127.0.0.1:{admin}/status")).json()
                    return found
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)


def test_the_catalogue_through_a_process(folder: Path) -> None:
    """[R-TRA-1] Without assertions and behind a parent process the same differs, and nothing else."""

    async def scenario() -> None:
        backend = RawBackend()
        await backend.start()
        with proxy_process(folder, backend.port) as (port, admin):
            await _ready(admin, folder)
            wrong = {}
            for name, exchange in EXCHANGES.items():
                found = differences(await play(exchange, backend.port, backend), await play(exchange, port, backend))
                if found != EXPECTED.get(name, frozenset()):
                    wrong[name] = found
            assert wrong == {}
        await backend.stop()

    asyncio.run(scenario())


def test_a_worker_does_not_grow_with_what_passes(folder: Path) -> None:
    """[F-21] [B2] 1 GiB each way at once, and two downloads of 1 GiB beside it: resident memory stays where it was."""

    async def scenario() -> None:
        backend = Backend("primary")
        await backend.start()
        size = 1 << 30

        async def large(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(size // len(PIECE)):
                writer.write(PIECE)
                await writer.drain()
            return True

        backend.scripts[b"/large"], backend.scripts[b"/echo"] = large, _echo
        with proxy_process(folder, backend.port) as (port, admin):
            status = await _ready(admin, folder)
            pid = status["workers"]["alive"][0]["pid"]
            before = _resident_mib(pid)

            async def download() -> None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
                await reader.readuntil(b"\r\n\r\n")
                for _ in range(size // len(PIECE)):
                    assert await reader.readexactly(len(PIECE)) == PIECE
                writer.close()

            _, _, got = await asyncio.gather(download(), download(), _both_ways(port, size // len(PIECE)))
            assert got == size
            assert _resident_mib(pid) - before < 60
        await backend.stop()

    asyncio.run(scenario())


def _resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
