"""The stage of the fault suite: the product's own processes between a load client and two scripted backends, and a SQLite store."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from faults_backend import Backend

from cli.overview import current_ledgers
from gate import decision as signed
from gate.facts import Decision, State
from settings.keyfile import make_key, read_key
from settings.load import load_settings
from settings.model import Settings
from store.database import open_store
from store.openings import openings_in
from tests.ports import free_ports
from traffic.ledger import Ledger

READY_S = 60.0
REST_S = 30.0
"""How long the mirror may take to come to rest: 10 s, and three times that on machines that do other things as well."""
ROUTES = ("GET /items/{id}", "POST /items/{id}", "GET /moved/{id}")
FAULTS_OF_OURS = ("Traceback", "never retrieved", "this is a bug", "hook %s failed", "a fault of ours", "failed inside")


async def until(what: str, holds: Callable[[], Awaitable[bool] | bool], within_s: float, every_s: float = 0.05) -> None:
    """Waits until `holds`; fails, naming `what`, when it takes longer."""
    end = time.monotonic() + within_s
    while True:
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < end, f"{what} within {within_s:g} s"
        await asyncio.sleep(every_s)


class Part:
    """One process of the product, with its log."""

    def __init__(self, name: str, config: Path, log: Path, *prefix: str) -> None:
        self.name, self.log = name, log
        self._command = [*prefix, sys.executable, "-P", "-m", "cli.main", name, "--config", str(config)]
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self, *prefix: str) -> None:
        """Starts it; `prefix` is put before its command line."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*prefix, *self._command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.starts += 1

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.is_file() else ""

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)

    async def ended(self, within_s: float = 30.0) -> int:
        """Its exit code, once it has ended."""
        process = self._process
        assert process is not None
        await until(f"{self.name} ended", lambda: process.poll() is not None, within_s, 0.01)
        return int(process.returncode)

    async def kill(self) -> None:
        """kill -9 of it and of all its children, at once."""
        if self.alive:
            os.killpg(self.pid, signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        return await self.ended()

    @property
    def children(self) -> list[int]:
        """Its workers, none while it is on its way up."""
        return [int(child) for child in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    @property
    def workers(self) -> list[int]:
        """The processes that do its work: its children, itself where it has none."""
        return self.children or [self.pid]

    @property
    def memory(self) -> int:
        """Resident bytes of its largest worker."""
        texts = [Path(f"/proc/{pid}/status").read_text() for pid in self.workers]
        lines = [line for text in texts for line in text.splitlines() if line.startswith("VmRSS")]
        return max(int(line.split()[1]) for line in lines) * 1024

    @property
    def descriptors(self) -> int:
        """Open descriptors of all its workers."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.workers)

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU time its workers have used."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.workers]
        return sum(int(found[11]) + int(found[12]) for found in fields) / os.sysconf("SC_CLK_TCK")


class Stage:
    """`primary`, `candidate`, `proxy`, `shadow`, and what the product says about itself."""

    def __init__(self, folder: Path, sections: dict[str, dict[str, Any]], store_folder: Path | None) -> None:
        self.folder = folder
        self.primary, self.candidate = Backend(), Backend()
        self.port, self.admin_port = free_ports(2)
        self.config = folder / "paritygate.toml"
        self._sections = sections
        self.store_path = (store_folder or folder) / "paritygate.db"
        self.proxy = Part("proxy", self.config, folder / "proxy.log")
        self.shadow = Part("shadow", self.config, folder / "shadow.log")
        self.settings: Settings

    async def start(self, candidate: str = "ok") -> None:
        await self.primary.start()
        await self.candidate.start()
        await self.candidate.behave(candidate)
        make_key(self.folder / "paritygate.key")
        self.configure()
        await self.start_parts()

    async def start_parts(self) -> None:
        """Starts proxy and shadow."""
        self.shadow.start()
        self.proxy.start()
        await self.proxy_ready()
        await self.shadow_ready()

    async def recovered(self) -> None:
        """Whatever happened: both backends are well and both parts run."""
        await self.primary.behave("ok")
        await self.candidate.behave("ok")
        for part in (self.shadow, self.proxy):
            if part.alive:
                part.send(signal.SIGCONT)
            else:
                part.start()
        await self.proxy_ready()
        await self.shadow_ready()

    async def new_shadow(self) -> None:
        """kill -9 of the shadow and another one in its place, connected."""
        await self.shadow.kill()

        async def gone() -> bool:
            return (await self.readiness()).get("shadow") is False

        await until("the proxy has noticed", gone, 10.0)
        self.shadow.start()
        await self.shadow_ready()

    async def stop_parts(self) -> None:
        """Ends them, the proxy first."""
        for part in (self.proxy, self.shadow):
            if part.alive:
                await part.stop()

    def configure(self, **sections: dict[str, Any]) -> None:
        """Writes the configuration file, with these sections changed."""
        self._sections = {**self._sections, **sections}
        document: dict[str, dict[str, Any]] = {
            "primary": {"url": f"http://127.0.0.1:{self.primary.port}"},
            "candidate": {"url": f"http://127.0.0.1:{self.candidate.port}"},
            "proxy": {"listen": f"127.0.0.1:{self.port}", "admin": f"127.0.0.1:{self.admin_port}"},
            "mirror": {"timeout": "500ms"},
            "store": {"url": f"sqlite+aiosqlite:///{self.store_path}"},
            "rules": {"files": []},
        }
        for name, keys in self._sections.items():
            document[name] = {**document.get(name, {}), **keys}
        lines = []
        for name, keys in document.items():
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
        for route in ROUTES:
            lines += ["[[route]]", f'match = "{route}"', f'mirror = "{"writes" if route.startswith("POST") else "reads"}"']
        fresh = self.config.with_suffix(".new")
        fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
        fresh.replace(self.config)
        self.settings = load_settings(self.config)

    async def stop(self) -> None:
        """Ends everything."""
        await self.stop_parts()
        self.primary.stop()
        self.candidate.stop()
        await asyncio.sleep(0)

    async def admin(self, method: str, path: str, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
            return await client.request(method, f"http://127.0.0.1:{self.admin_port}{path}", **more)

    async def readiness(self) -> dict[str, Any]:
        """What `/readyz` says; empty while nobody answers."""
        try:
            document: dict[str, Any] = (await self.admin("GET", "/readyz")).json()
        except httpx.HTTPError:
            return {}
        return document

    async def proxy_ready(self, within_s: float = READY_S) -> None:
        async def ready() -> bool:
            assert self.proxy.alive, f"the proxy ended: {self.proxy.said()}"
            return (await self.readiness()).get("ready") is True

        await until("the proxy is ready", ready, within_s)

    async def shadow_ready(self, within_s: float = READY_S) -> None:
        async def connected() -> bool:
            assert self.shadow.alive, f"the shadow ended: {self.shadow.said()}"
            return (await self.readiness()).get("shadow") is True

        await until("the proxy is connected to the shadow", connected, within_s)

    async def ledger(self) -> Ledger:
        """The total, as `paritygate status` counts it."""
        store = open_store(self.settings.store_url)
        try:
            return sum((await current_ledgers(store, self.settings)).values(), Ledger())
        finally:
            await store.close()

    async def at_rest(self, within_s: float = REST_S) -> Ledger:
        """The total once nothing is open or pending any more, which takes at most `within_s`."""
        last = Ledger()

        async def resting() -> bool:
            nonlocal last
            settled = not self._dead_books()  # asked before the books are read: they may be closed in between
            last = await self.ledger()
            return settled and last.open == 0 and last.pending == 0

        try:
            await until("nothing is open or pending", resting, within_s, 0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}: {last}") from None
        return last

    def _dead_books(self) -> bool:
        """Whether there is a dead proxy whose books are open."""
        files = openings_in(self.settings.state_dir)
        return len(files) > (self.settings.proxy.workers if self.proxy.alive else 0)

    def status(self) -> dict[str, Any]:
        """What `paritygate status --json` prints. Fails when it says that an equation does not hold."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "cli.main", "status", "--json", "--config", str(self.config)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-3000:])
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    async def decide(self, route: str, weight_bp: int, state: State = State.CUTOVER, lease_s: float | None = None) -> None:
        """Has the proxy enforce a decision; newer than what is in force, which may be the shadow's own (an alarm that it recorded)."""
        for _ in range(3):
            enforced = (await self.admin("GET", "/decisions")).json()["decisions"]
            now = time.time()
            seq = 1 + max((found["seq"] for found in enforced if found["route"] == route), default=0)
            lease = now + lease_s if lease_s is not None else None
            made = signed.sign(
                Decision(route, seq, state, "e", weight_bp, "salt", now, lease, "ann", "test"), read_key(self.settings.key_path)
            )
            answer = await self.admin("POST", "/decisions", content=signed.encode(made))
            if answer.status_code == 200:
                return
        raise AssertionError(answer.text)

    def faults(self) -> list[str]:
        """Lines of the parts' logs that tell of a fault of our own."""
        return [
            f"{part.name}: {line[:300]}"
            for part in (self.proxy, self.shadow)
            for line in part.log.read_text(errors="replace").splitlines()
            if any(words in line for words in FAULTS_OF_OURS)
        ]


@asynccontextmanager
async def staged(
    folder: Path, store_folder: Path | None = None, candidate: str = "ok", **sections: dict[str, Any]
) -> AsyncIterator[Stage]:
    """A stage that is up and mirrors. Its logs must tell of no fault of ours. `candidate` is how that one behaves at first."""
    stage = Stage(folder, sections, store_folder)
    try:
        await stage.start(candidate)
        yield stage
    finally:
        await stage.stop()
    assert stage.faults() == []
