"""The demo's stage: twins, configuration, supervised parts and traffic, each startable by itself so that tests can play on it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path

import httpx
import orjson

from cli.codes import CommandError, Exit
from cli.overview import current_ledgers
from cli.run import parts_of
from cli.supervise import Supervisor
from demo import twins
from demo.traffic_plan import write_routes
from settings.keyfile import make_key
from settings.load import load_settings
from settings.model import Settings
from store.database import Store, open_store
from traffic.ledger import Ledger

READY_DEADLINE = 60.0
REST_DEADLINE = 60.0
POLL = 0.1

CONFIG = """\
# Written by `paritygate demo`. The twins, their client and Paritygate share this machine's few cores, so the latency margin is wide:
# the slow route is slower by far more, and a busy scheduler is no finding.
[primary]
url = "http://127.0.0.1:{primary}"
[candidate]
url = "http://127.0.0.1:{candidate}"
[proxy]
listen = "127.0.0.1:{proxy}"
admin = "127.0.0.1:{admin}"
[dashboard]
listen = "127.0.0.1:{dashboard}"
[mirror]
timeout = "10s"
[gate]
profile = "demo"
[gate.latency]
p50 = [1.1, "150ms"]
p95 = [10.0, "2s"]
p99 = [10.0, "2s"]
calibrate = 30
[routes]
openapi = ["openapi.json"]
"""


def free_ports(count: int) -> list[int]:
    """`count` different loopback ports that nobody listens on right now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


async def until(what: str, holds: Callable[[], Awaitable[bool]], deadline: float) -> None:
    """Polls until `holds`; raises CommandError (unreachable) naming `what` when the deadline passes."""
    try:
        async with asyncio.timeout(deadline):
            while not await holds():  # noqa: ASYNC110 - another process changes what is polled, no event can be set
                await asyncio.sleep(POLL)
    except TimeoutError as error:
        raise CommandError(f"{what} within {deadline:.0f} s", Exit.UNREACHABLE) from error


class Stage:
    """One demo in one folder. Use as `async with Stage(folder, report) as stage`; leaving it ends everything it started."""

    def __init__(self, folder: Path, report: Callable[[str], None], fix: str = "", dashboard: bool = True) -> None:
        self.folder = folder
        self._report = report
        self._fix = fix
        self._with_dashboard = dashboard
        self.settings: Settings
        self.store: Store
        self.supervisor: Supervisor
        self.twins: twins.Twins

    async def __aenter__(self) -> Stage:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://{self.settings.proxy.listen}"

    async def _start(self) -> None:
        primary, candidate, proxy, admin, dashboard = free_ports(5)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.twins = await asyncio.to_thread(twins.start, primary, candidate, self.folder / "twins", self._fix)
        await asyncio.to_thread(self.twins.wait_ready, READY_DEADLINE)
        await self._configure(primary, candidate, proxy, admin, dashboard)
        self.store = open_store(self.settings.store_url)
        await self.store.upgrade()
        parts = parts_of(self.settings, dict(os.environ), logs=self.folder)
        self.supervisor = Supervisor([p for p in parts if self._with_dashboard or p.name != "dashboard"], self._report)
        self.supervisor.start()
        await until(f"the proxy did not get ready (see {self.folder / 'proxy.log'})", self._proxy_ready, READY_DEADLINE)
        await until(f"the shadow did not get ready (see {self.folder / 'shadow.log'})", self._shadow_ready, READY_DEADLINE)

    async def _configure(self, primary: int, candidate: int, proxy: int, admin: int, dashboard: int) -> None:
        """Writes the configuration a user would write, with the candidate's own OpenAPI document naming the routes."""
        async with httpx.AsyncClient(trust_env=False, timeout=10.0) as client:
            document = (await client.get(f"http://127.0.0.1:{candidate}/openapi.json")).json()
        (self.folder / "openapi.json").write_bytes(orjson.dumps(document))
        text = CONFIG.format(primary=primary, candidate=candidate, proxy=proxy, admin=admin, dashboard=dashboard)
        # The candidate has its own database, so all of its writes may be mirrored.
        text += "".join(f'[[route]]\nmatch = "{match}"\nmirror = "writes"\n' for match in write_routes())
        config = self.folder / "paritygate.toml"
        config.write_text(text, encoding="utf-8")
        rules = self.folder / "rules"
        rules.mkdir(exist_ok=True)
        (rules / "demo.yaml").write_bytes(files("demo").joinpath("rules/demo.yaml").read_bytes())
        make_key(self.folder / "paritygate.key")
        self.settings = load_settings(config)

    async def _proxy_ready(self) -> bool:
        return await answers(f"http://{self.settings.proxy.admin}/readyz")

    async def _shadow_ready(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(self.settings.channel_path))
        except OSError:
            return False
        writer.close()
        return True

    async def dashboard_ready(self) -> None:
        """Waits until the dashboard answers."""
        url = f"http://{self.settings.dashboard.listen}/_stcore/health"
        await until(
            f"the dashboard did not get ready (see {self.folder / 'dashboard.log'})", lambda: answers(url), READY_DEADLINE
        )

    async def ledgers(self) -> dict[str, Ledger]:
        """The ledgers as of now."""
        return await current_ledgers(self.store, self.settings)

    async def rest(self) -> dict[str, Ledger]:
        """Waits until nothing is open or pending; the ledgers at rest."""
        found: dict[str, Ledger] = {}

        async def resting() -> bool:
            found.clear()
            found.update(await self.ledgers())
            total = sum(found.values(), Ledger())
            return total.open == 0 and total.pending == 0

        await until("the mirror did not come to rest", resting, REST_DEADLINE)
        return found

    async def _stop(self) -> None:
        if hasattr(self, "supervisor"):
            await self.supervisor.stop()
        if hasattr(self, "store"):
            await self.store.close()
        if hasattr(self, "twins"):
            await asyncio.to_thread(self.twins.stop)


async def answers(url: str) -> bool:
    """Whether the URL gives a success within two seconds."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
            return (await client.get(url)).is_success
    except httpx.HTTPError:
        return False
