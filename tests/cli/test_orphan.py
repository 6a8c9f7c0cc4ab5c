"""A supervisor that is killed: its parts end by themselves, the proxy only after its clients have their answers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from cli.main import run_command
from cli.orphan import SUPERVISOR
from tests.ports import free_ports

PART = "from cli.orphan import *; end_with_supervisor(); print(SUPERVISOR in os.environ, flush=True); signal.pause()"


async def until(holds: Callable[[], object], what: str, within_s: float = 40.0) -> None:
    end = asyncio.get_running_loop().time() + within_s
    while not holds():
        assert asyncio.get_running_loop().time() < end, f"never came true: {what}"
        await asyncio.sleep(0.02)


def command_of(pid: int) -> bytes:
    """The command line of a process, empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def below(pid: int) -> dict[int, bytes]:
    """The command lines of the processes that descend from `pid`."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    found: dict[int, bytes] = {}
    ahead = [pid]
    while ahead:
        parent = ahead.pop()
        for child in [one for one, its in parents.items() if its == parent]:
            found[child] = command_of(child)
            ahead.append(child)
    return found


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_when_up_is_killed_everything_ends_and_no_client_is_dropped(tmp_path: Path) -> None:
    """[F-26] Proxy, its worker, shadow and dashboard; the ports are free for the next `up`."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                asked.set()
                await go_on.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(backend, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ports = proxy, admin, dashboard = free_ports(3)
        (tmp_path / "paritygate.toml").write_text(
            f'[primary]\nurl = "{url}"\n[candidate]\nurl = "http://127.0.0.1:9"\n[proxy]\nlisten = "127.0.0.1:{proxy}"\n'
            f'admin = "127.0.0.1:{admin}"\n[dashboard]\nlisten = "127.0.0.1:{dashboard}"\n[rules]\nfiles = []\n'
        )
        with (tmp_path / "log").open("wb") as log:
            up = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "cli.main", "up", "--config", str(tmp_path / "paritygate.toml")),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        parts: dict[int, bytes] = {}
        try:

            def all_run() -> bool:
                parts.update(below(up.pid))
                commands = b"\n".join(parts.values())
                said = (tmp_path / "log").read_bytes()
                return b"streamlit" in commands and b"proxy: http" in said and b"shadow: mirrors" in said

            await until(all_run, "proxy, shadow and dashboard run")
            parts.update(below(up.pid))
            assert len(parts) >= 4, parts
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy)
            writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await asked.wait()
            up.kill()
            assert await up.wait() == -signal.SIGKILL
            await until(lambda: refuses(proxy), "the proxy drains")
            go_on.set()
            answer = await reader.read(-1)
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert answer.endswith(b"done")
            writer.close()
            await until(lambda: not any(command_of(pid) == command for pid, command in parts.items()), "every part has ended")
            assert all(map(is_free, ports))
        finally:
            go_on.set()
            if up.returncode is None:
                up.kill()
                await up.wait()
            for pid, command in parts.items():
                if command_of(pid) == command:
                    os.kill(pid, signal.SIGKILL)
            server.close()

    assert run_command(["init", str(tmp_path)]) == 0
    asyncio.run(scenario())


def part(supervisor: str | None) -> subprocess.Popen[bytes]:
    env = {name: value for name, value in os.environ.items() if name != SUPERVISOR}
    if supervisor is not None:
        env[SUPERVISOR] = supervisor
    return subprocess.Popen([sys.executable, "-c", PART], env=env, stdout=subprocess.PIPE)


def test_a_part_whose_supervisor_is_gone_before_it_looks_ends_at_once() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    with part(str(gone.pid)) as process:
        assert process.wait(20) == -signal.SIGTERM


def test_a_part_keeps_running_beside_its_supervisor_and_hands_the_variable_to_nobody() -> None:
    for supervisor in (str(os.getpid()), None, "", "junk"):
        with part(supervisor) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"False\n"
            assert process.poll() is None
            process.kill()
