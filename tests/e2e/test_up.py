"""The five-minute path of the README: `init`, `up`, from the user's own folder, where folders have our rooms' names too."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from cli.demo_stage import answers
from tests.ports import free_ports

OWN_FOLDERS = ("settings", "store", "demo", "proxy", "traffic")
REQUESTS = 12


def paritygate(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "cli.main", *arguments]


async def backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n" + b'{"a": 1}')
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():
            await asyncio.sleep(0.1)


def test_up_works_from_a_folder_made_by_init_and_ends_on_sigterm(tmp_path: Path) -> None:
    """A user's `rules/` or `settings/` must not be taken for ours, whatever the working directory is."""
    for name in OWN_FOLDERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('the wrong package')\n")

    async def scenario() -> None:
        primary = await asyncio.start_server(backend, "127.0.0.1", 0)
        candidate = await asyncio.start_server(backend, "127.0.0.1", 0)
        urls = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in (primary, candidate)]
        await asyncio.to_thread(run, "init", ".", "--primary", urls[0], "--candidate", urls[1])
        proxy, admin, dashboard = free_ports(3)
        config = tmp_path / "paritygate.toml"
        text = config.read_text().replace(":8080", f":{proxy}").replace(":8081", f":{admin}").replace(":8501", f":{dashboard}")
        config.write_text(text)
        process = await asyncio.create_subprocess_exec(*paritygate("up"), cwd=tmp_path, env=environment)
        code = None
        try:
            await until(lambda: answers(f"http://127.0.0.1:{admin}/readyz"))
            await until(lambda: answers(f"http://127.0.0.1:{dashboard}/_stcore/health"))
            async with httpx.AsyncClient(trust_env=False) as client:
                for number in range(REQUESTS):
                    assert (await client.get(f"http://127.0.0.1:{proxy}/things/{number}")).json() == {"a": 1}

            async def all_matched() -> bool:
                document = json.loads(await asyncio.to_thread(run, "status", "--json"))
                return bool(document["total"]["verdicts"]["match"] == REQUESTS)

            await until(all_matched)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            code = await asyncio.wait_for(process.wait(), 40)
            primary.close()
            candidate.close()
        assert code == 0

    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            paritygate(*arguments), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode in (0, 1, 3), done.stderr
        return done.stdout

    asyncio.run(scenario())
