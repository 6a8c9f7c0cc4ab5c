"""`paritygate proxy` with real worker processes between scripted backends and a shadow that reads. The parent is a process of its
own, or a task of the test's event loop where the test is not about the parent."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from gate import decision as signed
from gate.facts import Decision, State
from proxy.parent import run
from settings.keyfile import make_key, read_key
from settings.load import load_settings
from settings.model import Settings
from store.openings import read_openings
from tests.ports import free_ports
from traffic.ledger import Ledger, build_ledger

READY_S = 30.0
ROUTE = "GET /items/{id}"


async def until(holds: Callable[[], Any], what: str, within_s: float = 15.0) -> Any:
    end = asyncio.get_running_loop().time() + within_s
    while True:
        found = holds()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert asyncio.get_running_loop().time() < end, f"never came true: {what}"
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> set[int]:
    """The processes whose parent is `pid`."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.add(int(stat.parent.name))
        except (OSError, ValueError, IndexError):
            continue
    return found


def worker_pids(port: int) -> set[int]:
    """The workers that serve, or have served, this port, whoever their parent is."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"proxy.worker" in words and b"127.0.0.1:%d" % port in words and is_alive(int(entry.name)):
            found.add(int(entry.name))
    return found


@dataclass
class CrewStage:
    """A proxy with its surroundings."""

    folder: Path
    primary: Any
    candidate: Any
    shadow: Any
    settings: Settings
    port: int
    admin_port: int
    task: asyncio.Task[None] | None = None
    process: asyncio.subprocess.Process | None = None
    seq: int = field(default=0)

    # The proxy.

    async def start(self) -> None:
        """Starts the parent as a process, as people do, and waits until every worker serves."""
        command = [sys.executable, "-P", "-m", "cli.main", "proxy", "--config", str(self.settings.source)]
        with (self.folder / "proxy.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        await self.serves()

    async def start_here(self) -> None:
        """Starts the parent as a task of this event loop; its workers are processes all the same."""
        ready = asyncio.Event()
        parent = run(self.settings, read_key(self.settings.key_path), ready.set)
        task = self.task = asyncio.get_running_loop().create_task(parent, name="parent")
        await until(lambda: ready.is_set() or task.done(), "the parent is ready", READY_S)
        if not ready.is_set():
            await task

    async def serves(self) -> None:
        wanted = self.settings.proxy.workers

        async def all_ready() -> bool:
            if self.process is not None and self.task is None:
                assert self.process.returncode is None, self.log()
            try:
                return bool((await self.admin("GET", "/readyz")).json()["workers"]["ready"] == wanted)
            except httpx.HTTPError:
                return False

        await until(all_ready, "all workers serve", READY_S)

    async def end(self, number: int = signal.SIGTERM, within_s: float = 25.0) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(within_s):
            return await self.process.wait()

    def log(self) -> str:
        path = self.folder / "proxy.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def admin(self, method: str, path: str, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            return await client.request(method, f"http://127.0.0.1:{self.admin_port}{path}", **more)

    async def status(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.admin("GET", "/status")).json()
        return found

    async def workers(self) -> list[dict[str, Any]]:
        return list((await self.status())["workers"]["alive"])

    async def metric(self, line: str) -> float:
        text = (await self.admin("GET", "/metrics")).text
        return next(float(row.rpartition(" ")[2]) for row in text.splitlines() if row.startswith(f"{line} "))

    # Decisions.

    def decision(self, weight_bp: int, route: str = ROUTE, state: State | None = None, seq: int | None = None) -> Decision:
        self.seq = seq if seq is not None else self.seq + 1
        state = state or (State.CUTOVER if weight_bp else State.ROLLED_BACK)
        made = Decision(route, self.seq, state, "e", weight_bp, "salt", 0.0, None, "ann", "test")
        return signed.sign(made, read_key(self.settings.key_path))

    async def decide(self, weight_bp: int, **more: Any) -> httpx.Response:
        return await self.admin("POST", "/decisions", content=signed.encode(self.decision(weight_bp, **more)))

    # Clients.

    async def client(self) -> Client:
        return await Client.connected(self.port)

    async def ask(self, path: str = "/items/1") -> tuple[int, bytes]:
        """One request on a connection of its own."""
        client = await self.client()
        try:
            return await client.ask(path)
        finally:
            client.close()

    # Books.

    def ledger(self) -> Ledger:
        """The sum over all openings files there are: of the dead and of the living."""
        total = Ledger()
        for path in self.settings.state_dir.glob("openings-*.bin"):
            for slots in read_openings(path)[0].routes.values():
                total = total + build_ledger(slots, [])
        assert total.violations() == []
        return total

    async def at_rest(self) -> dict[str, Any]:
        """The proxy's own total once nothing is open: a client may have its answer a moment before it is counted."""
        found: dict[str, Any] = {}

        async def resting() -> bool:
            found.update((await self.status())["total"])
            return bool(found["open"] == 0)

        await until(resting, "nothing is open")
        assert found["violations"] == []
        return found


class Client:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connected(cls, port: int) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, path: str = "/items/1") -> tuple[int, bytes]:
        """Status and body; raises OSError or EOFError where there is no complete answer."""
        async with asyncio.timeout(20):
            self._writer.write(b"GET %s HTTP/1.1\r\nHost: shop.test\r\n\r\n" % path.encode())
            head = await self._reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
            return int(head.split(b" ")[1]), await self._reader.readexactly(length)

    async def closed(self) -> bool:
        """Whether the proxy has closed the connection, waiting a little for it."""
        try:
            async with asyncio.timeout(5):
                return await self._reader.read(1) == b""
        except OSError:
            return True

    def close(self) -> None:
        self._writer.close()


@dataclass
class Tally:
    """What the clients of a load saw."""

    answered: int = 0
    failed: int = 0
    bodies: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def load(stage: CrewStage, connections: int = 8, path: str = "/items/1") -> AsyncIterator[Tally]:
    """Clients that ask without a pause while the block runs, and connect anew when their connection ends."""
    tally, stop = Tally(), asyncio.Event()

    async def one() -> None:
        client: Client | None = None
        while not stop.is_set():
            try:
                client = client or await stage.client()
                status, body = await client.ask(path)
                assert status == 200, body
                tally.answered += 1
                tally.bodies.append(body)
            except (OSError, EOFError):
                tally.failed += 1
                if client is not None:
                    client.close()
                client = None
        if client is not None:
            client.close()

    tasks = [asyncio.get_running_loop().create_task(one()) for _ in range(connections)]
    try:
        yield tally
    finally:
        stop.set()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def crewed(
    folder: Path,
    make_backend: Any,
    make_shadow: Any,
    own_process: bool = False,
    workers: int = 2,
    tables: str = "",
    proxy: str = "",
) -> AsyncIterator[CrewStage]:
    """A proxy that serves. `tables` and `proxy` are lines of the configuration, `proxy` those of its own table."""
    primary, candidate = make_backend("primary"), make_backend("candidate")
    await primary.start()
    await candidate.start()
    port, admin_port = free_ports(2)
    config = folder / "paritygate.toml"
    config.write_text(
        f"[primary]\nurl = {json.dumps(f'http://127.0.0.1:{primary.port}')}\n"
        f"[candidate]\nurl = {json.dumps(f'http://127.0.0.1:{candidate.port}')}\n"
        f'[proxy]\nlisten = "127.0.0.1:{port}"\nadmin = "127.0.0.1:{admin_port}"\nworkers = {workers}\n{proxy}\n'
        f'[rules]\nfiles = []\n[[route]]\nmatch = "{ROUTE}"\n{tables}\n'
    )
    make_key(folder / "paritygate.key")
    settings = load_settings(config)
    shadow = make_shadow(settings.channel_path)
    await shadow.start()
    stage = CrewStage(folder, primary, candidate, shadow, settings, port, admin_port)
    try:
        if own_process:
            await stage.start()
        else:
            await stage.start_here()
        yield stage
    finally:
        if stage.task is not None and not stage.task.done():
            stage.task.cancel()
            await asyncio.wait([stage.task], timeout=25)
        if stage.process is not None and stage.process.returncode is None:
            await stage.end()
        await shadow.stop()
        await primary.stop()
        await candidate.stop()
        await until(lambda: not worker_pids(port), "no worker is left", 20)
