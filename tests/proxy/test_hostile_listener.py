"""Crowds, storms and floods against a proxy process of its own: memory, processor and descriptors are measured from outside."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from store.openings import read_openings
from tests.ports import free_ports
from traffic.ledger import Ledger, build_ledger

GET = b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MIB = 1024 * 1024
RECOVERY_S = 6.0
"""2 s on a machine of its own."""
CHILD = """
import asyncio, sys
from pathlib import Path
from tests.one_process import serve
from settings.load import load_settings
asyncio.run(serve(load_settings(Path(sys.argv[1])), b"k" * 32, lambda: None))
"""


@dataclass
class Running:
    """The proxy's process and its books."""

    pid: int
    port: int
    state: Path
    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        """One more client; whoever is left at the end of the test is closed then."""
        client = await Client.connected(self.port)
        self.clients.append(client)
        return client

    @property
    def rss(self) -> int:
        """Resident bytes."""
        line = next(line for line in Path(f"/proc/{self.pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def cpu_s(self) -> float:
        """Seconds of processor time used so far."""
        parts = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def ledger(self) -> Ledger:
        total = Ledger()
        for file in self.state.glob("openings-*.bin"):
            for slots in read_openings(file)[0].routes.values():
                total = total + build_ledger(slots, [])
        assert total.violations() == []
        return total


class Backend(threading.Thread):
    """Answers each request and keeps its connections, beside the test's own loop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.loop = asyncio.new_event_loop()
        self._server = self.loop.run_until_complete(asyncio.start_server(self._answer, "127.0.0.1", 0, backlog=4096))
        self.port = self._server.sockets[0].getsockname()[1]

    def run(self) -> None:
        self.loop.run_forever()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join(10)
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0.05))
        self.loop.close()

    @staticmethod
    async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()


@contextmanager
def proxy_process(folder: Path, files: int | None = None) -> Iterator[Running]:
    """A proxy in a process of its own, with at most `files` descriptors if given."""
    backend = Backend()
    backend.start()
    port, admin = free_ports(2)
    config, log = folder / "paritygate.toml", folder / "proxy.log"
    config.write_text(
        f'[primary]\nurl = "http://127.0.0.1:{backend.port}"\n[candidate]\nurl = "http://127.0.0.1:9"\n'
        f'[proxy]\nlisten = "127.0.0.1:{port}"\nadmin = "127.0.0.1:{admin}"\n[[route]]\nmatch = "GET /items/{{id}}"\nmirror = "off"\n'
    )
    command = [sys.executable, "-O", "-P", "-c", CHILD, str(config)]
    if files is not None:
        command = ["sh", "-c", f'ulimit -n {files}; exec "$0" "$@"', *command]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with log.open("wb") as output:
        child = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, env=env)
    try:
        running = Running(child.pid, port, folder / ".paritygate")
        end = time.monotonic() + 60
        # Exactly one request, counted (which comes after its answer): one that was given up would be served in the middle of a test.
        while not asyncio.run(asked(port, 60)):
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < end, "the proxy never served"
            time.sleep(0.05)
        asyncio.run(eventually(lambda: not running.ledger().open, 20, "the first request is settled"))
        assert running.ledger().seen == 1
        yield running
        assert child.poll() is None
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(30)
        backend.stop()


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One process for all tests that need no other limits."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    with proxy_process(folder) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def play(p: Running, scenario: Callable[[], Awaitable[None]]) -> None:
    """Runs a scenario, closes whoever is still connected, and checks that every request was settled once."""

    async def whole() -> None:
        try:
            await scenario()
        finally:
            for client in p.clients:
                client.close()
            p.clients.clear()
        await eventually(lambda: not p.ledger().open, 30, "all requests are settled")
        ledger = p.ledger()
        assert ledger.seen == ledger.served_primary + sum(ledger.refused.values())

    asyncio.run(whole())


async def asked(port: int, within_s: float = 20.0) -> bool:
    """Whether a new client is served."""
    try:
        client = await Client.connected(port)
    except OSError:
        return False
    try:
        return await client.ask(within_s)
    finally:
        client.close()


@dataclass
class Client:
    """One keep-alive client, as light as can be."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def connected(cls, port: int) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, within_s: float = 20.0) -> bool:
        """Whether a request on this connection is answered with 200."""
        try:
            async with asyncio.timeout(within_s):
                self.writer.write(GET)
                return (await self.reader.readexactly(len(ANSWER))) == ANSWER
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            return False

    def close(self) -> None:
        self.writer.transport.abort()


async def crowd(p: Running, count: int, asking: int = 1, together: int = 200) -> list[Client]:
    """So many connected clients, of which every `asking`-th has been answered once."""
    clients: list[Client] = []
    for start in range(0, count, together):
        some = await asyncio.gather(*(p.connect() for _ in range(min(together, count - start))))
        assert all(await asyncio.gather(*(client.ask() for client in some[::asking])))
        clients += some
    return clients


async def probe(p: Running, times: int) -> list[float]:
    """The sorted times of some requests of one more client, in seconds."""
    client = await p.connect()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        assert await client.ask()
        taken.append(time.perf_counter() - begun)
        await asyncio.sleep(0.002)
    client.close()
    return sorted(taken)


def slack() -> float:
    """How much longer things may take while this machine has more to do than it has processors."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


async def eventually(holds: Any, within_s: float, what: str) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)


async def idle_crowd(p: Running, count: int, asking: int, rss: int) -> None:
    base, before, seen = p.descriptors, p.rss, p.ledger().served_primary
    clients = await crowd(p, count, asking)
    await eventually(lambda: p.descriptors < base + count + 50, 30, "idle clients cost one descriptor each")
    assert p.rss - before < rss
    # Other load on the machine can only make it slower: the best of three rounds is the proxy's.
    assert min([(await probe(p, 100))[98] for _ in range(3)]) <= 0.05 * slack()
    for start in range(0, count, 500):
        assert all(await asyncio.gather(*(client.ask() for client in clients[start : start + 500])))
    for client in p.clients:
        client.close()
    await eventually(lambda: p.descriptors <= base + 3, 30, "descriptors return to where they began")
    await eventually(lambda: not p.ledger().open, 30, "all requests are settled")
    assert p.ledger().served_primary - seen == count + count // asking + 300


def test_a_crowd_of_idle_clients_costs_little_and_is_served_when_it_asks(shared: Running) -> None:
    """[F-22] 2,000 idle keep-alive clients: memory, a stranger's p99, all answered afterwards, descriptors back."""
    play(shared, lambda: idle_crowd(shared, 2000, 4, 90 * MIB))


@pytest.mark.soak
def test_nine_thousand_idle_clients(folder: Path) -> None:
    """[F-22] The full size: RSS <= 500 MB, p99 <= 50 ms, all 9,000 answered, descriptors back."""
    with proxy_process(folder) as p:
        play(p, lambda: idle_crowd(p, 9000, 1, 500 * MIB - p.rss))


def test_a_storm_of_connects_is_served_at_once(shared: Running) -> None:
    """[B15] [T18] 2,000 back-to-back connects, each with a request: nobody is turned away, a stranger is served meanwhile."""
    p = shared

    async def scenario() -> None:
        cpu, before = p.cpu_s, p.ledger()
        async with asyncio.timeout(30):
            clients = await asyncio.gather(*(p.connect() for _ in range(2000)))
            stranger = asyncio.get_running_loop().create_task(probe(p, 20))
            assert all(await asyncio.gather(*(client.ask(30) for client in clients)))
        await stranger
        assert p.cpu_s - cpu < 6
        assert p.ledger().refused == before.refused

    play(p, scenario)


def test_out_of_descriptors_those_who_are_there_are_served_and_the_rest_is_told(folder: Path) -> None:
    """[F-23] [T18] 200 descriptors, 300 more clients: no crash, no spinning, each refusal counted, recovery within 2 s."""

    async def starved(p: Running) -> None:
        known = await crowd(p, 40)
        more = [await p.connect() for _ in range(300)]
        told = await asyncio.gather(*(first_word(client) for client in more))
        refused = sum(word.startswith(b"HTTP/1.1 503") for word in told)
        assert refused >= 200
        cpu, begun = p.cpu_s, time.monotonic()
        while time.monotonic() < begun + 2:
            assert all(await asyncio.gather(*(client.ask() for client in known[:5])))
            await asyncio.sleep(0.2)
        assert p.cpu_s - cpu <= 0.2 * (time.monotonic() - begun)
        for client in more:
            client.close()
        async with asyncio.timeout(RECOVERY_S):
            while not await asked(p.port):
                await asyncio.sleep(0.02)
        assert p.ledger().refused["overload"] >= refused

    with proxy_process(folder, files=200) as p:
        play(p, lambda: starved(p))


async def first_word(client: Client) -> bytes:
    """What a client that says nothing is told within a moment."""
    try:
        async with asyncio.timeout(4):
            return await client.reader.read(100)
    except (OSError, TimeoutError):
        return b""


def test_without_a_single_descriptor_left_nothing_spins_and_nobody_is_dropped(shared: Running) -> None:
    """[F-23] accept() itself fails: those who wait are taken as soon as there is room."""
    p = shared

    async def scenario() -> None:
        known = await crowd(p, 5)
        limits = resource.prlimit(p.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(p.pid, resource.RLIMIT_NOFILE, (p.descriptors, limits[1]))
        try:
            waiting = [await p.connect() for _ in range(50)]  # the kernel takes them, nobody else can
            asking = [asyncio.get_running_loop().create_task(client.ask()) for client in waiting]
            assert all([await client.ask() for client in known])
            cpu, begun = p.cpu_s, time.monotonic()
            await asyncio.sleep(1.5)
            assert p.cpu_s - cpu <= 0.2 * (time.monotonic() - begun)
        finally:
            resource.prlimit(p.pid, resource.RLIMIT_NOFILE, limits)
        async with asyncio.timeout(RECOVERY_S):
            assert all(await asyncio.gather(*asking))

    play(p, scenario)


FLOODS = {
    "a head without end": (GET[:-4] + b"\r\nX: ", b"x" * 65536),
    "fields without end": (GET[:-2], b"X: y\r\n" * 10_000),
    "a chunk header without end": (b"POST /items/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"x" * 65536),
    "trailers without end": (
        b"POST /items/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X: y\r\n" * 10_000,
    ),
    "empty lines without end": (b"", b"\r\n" * 32_768),
    "requests without end": (b"", GET * 1000),
}


async def pour(p: Running, beginning: bytes, more: bytes, times: int) -> None:
    """Sends `more` so often, or until the proxy has had enough; reads nothing."""
    client = await p.connect()
    client.reader._transport.pause_reading()  # type: ignore[attr-defined]
    try:
        async with asyncio.timeout(3):
            client.writer.write(beginning)
            for _ in range(times):
                client.writer.write(more)
                await client.writer.drain()
    except (OSError, TimeoutError):
        pass
    finally:
        client.close()


async def floods(p: Running, together: int, times: int) -> None:
    for name, (beginning, more) in FLOODS.items():
        before, cpu, begun = p.rss, p.cpu_s, time.monotonic()
        await asyncio.gather(*(pour(p, beginning, more, times) for _ in range(together)))
        assert p.rss - before < together * MIB, name
        assert p.cpu_s - cpu < 1 + (time.monotonic() - begun), name
        assert await asked(p.port), name


def test_a_flood_costs_less_than_a_mebibyte_for_each_connection(shared: Running) -> None:
    """[F-24] [T18] 20 connections at a time send a few MiB each of what never ends."""
    play(shared, lambda: floods(shared, 20, 40))


@pytest.mark.soak
def test_floods_without_end(folder: Path) -> None:
    """[F-24] [T18] Up to 200 MiB on each of 20 connections."""
    with proxy_process(folder) as p:
        play(p, lambda: floods(p, 20, 3200))
