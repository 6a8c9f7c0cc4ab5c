"""Two machines on one PostgreSQL: two proxies, each with its own shadow, in front of the same two backends, and clients that never rest."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from cutover_backend import Backend
from cutover_clients import Clients, Crowd
from cutover_routes import Ruling, route_of
from faults_stage import FAULTS_OF_OURS, READY_S, Part, until

from cli.context import policy_of
from gate import decision as signed
from gate.facts import Decision
from gate.machine import Refused
from gate.policy import Policy
from settings.keyfile import make_key, read_key
from settings.load import load_settings
from settings.model import Settings
from store.cutover import act
from store.database import open_store
from tests.ports import free_ports

SEGMENTS = ("a", "b", "c")
GATE = """
[gate]
profile = "demo"
parity = 0.95
[gate.unit]
window = "500ms"
[gate.span]
min = "1s"
[gate.approvals]
count = 2
[gate.canary]
steps = [0.2, 0.6]
dwell = ["500ms", "500ms"]
step_p0 = 0.5
step_clean = 5
"""


@dataclass
class Machine:
    """One machine of the two: its processes and addresses."""

    config: Path
    port: int
    admin: int
    proxy: Part
    shadow: Part

    async def enforced(self, client: httpx.AsyncClient) -> dict[str, tuple[int, int, bool]]:
        """By route: the number in force, its weight, and whether an alarm overrules it."""
        document = (await client.get(f"http://127.0.0.1:{self.admin}/decisions")).json()
        return {
            item["route"]: (item["seq"], item["weight_bp"], item["route"] in document["alarms"])
            for item in document["decisions"]
        }


class Stage:
    """Up from `staged` on. `act` decides as a person or a pipeline would, in the store and nowhere else."""

    def __init__(self, folder: Path, store_url: str, gate: str, crowd: Crowd) -> None:
        self.primary, self.candidate = Backend(), Backend("b1")
        self._folder, self._gate = folder, gate
        ports = free_ports(4)
        self._admins = ports[2:]
        self.machines = [self._machine(number, ports[number], ports[2 + number], store_url) for number in (0, 1)]
        self.settings: Settings = load_settings(self.machines[0].config)
        self.policy: Policy = policy_of(self.settings)
        self.key = read_key(self.settings.key_path)
        self.clients = Clients([machine.port for machine in self.machines], crowd)
        self.ruling = Ruling(self.key)
        self.store = open_store(store_url, self.policy.unit_limits)
        self.http = httpx.AsyncClient(trust_env=False, timeout=5.0)
        self.agreed_after: list[tuple[str, float]] = []
        """For each decision, how long after it was stored both proxies enforced it."""

    def _machine(self, number: int, port: int, admin: int, store_url: str) -> Machine:
        folder = self._folder / f"m{number}"
        folder.mkdir()
        key = self._folder / "paritygate.key"
        if number == 0:
            make_key(key)
        config = folder / "paritygate.toml"
        proxies = json.dumps([f"127.0.0.1:{found}" for found in self._admins])
        lines = [
            f'[primary]\nurl = "http://127.0.0.1:{self.primary.port}"',
            f'[candidate]\nurl = "http://127.0.0.1:{self.candidate.port}"',
            f'[proxy]\nlisten = "127.0.0.1:{port}"\nadmin = "127.0.0.1:{admin}"',
            f"[store]\nurl = {json.dumps(store_url)}",
            f"[cutover]\nproxies = {proxies}\nkey_file = {json.dumps(str(key))}",
            "[rules]\nfiles = []",
            self._gate,
            *(f'[[route]]\nmatch = "{route_of(segment)}"' for segment in SEGMENTS),
        ]
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        parts = [Part(name, config, folder / f"{name}.log") for name in ("proxy", "shadow")]
        return Machine(config, port, admin, *parts)

    async def start(self) -> None:
        await self.store.upgrade()
        await self.primary.start()
        await self.candidate.start()
        for machine in self.machines:
            machine.shadow.start()
            machine.proxy.start()
        for machine in self.machines:
            await until("a proxy has its shadow", lambda found=machine: self._connected(found), READY_S)
        self.clients.start()

    async def stop(self) -> None:
        await self.clients.stop()
        for machine in self.machines:
            for part in (machine.proxy, machine.shadow):
                if part.alive:
                    await part.stop()
        await self.http.aclose()
        await self.store.close()
        self.primary.stop()
        self.candidate.stop()

    async def _connected(self, machine: Machine) -> bool:
        for part in (machine.proxy, machine.shadow):
            assert part.alive, f"the {part.name} ended: {part.said()}"
        try:
            document = (await self.http.get(f"http://127.0.0.1:{machine.admin}/readyz")).json()
        except httpx.HTTPError:
            return False
        return document.get("ready") is True and document.get("shadow") is True

    async def act(self, action: str, segment: str, actor: str = "ann") -> Decision:
        """One decision; raises Refused."""
        routes = len(SEGMENTS)
        return await act(
            self.store, action, route_of(segment), actor, "drill", self.policy, self.key, time.time(), "salt-" + segment,
            routes_total=routes,
        )  # fmt: skip

    async def promote(self, segment: str, within_s: float = 60.0) -> Decision:
        """The next step as soon as the gate permits it; agreed by two people where it takes them. Waits until both proxies enforce it."""
        end = time.monotonic() + within_s
        while True:
            begun = time.time()
            try:
                decision = await self.act("promote", segment)
                break
            except Refused as refused:
                if time.monotonic() > end:
                    raise AssertionError(f"{segment} was not promoted within {within_s:g} s: {refused}") from None
                if all(reason.startswith("approvals") for reason in refused.reasons):
                    for person in ("ann", "ben"):
                        await self.act("approve", segment, person)
                    continue
            await asyncio.sleep(0.2)
        await self.agree(decision, begun, segment)
        return decision

    async def agree(self, decision: Decision, begun: float, segment: str) -> None:
        """Waits until both proxies enforce a decision that was asked for at `begun` and is stored now; from here on it is the ruling."""
        stored = time.time()

        async def enforced() -> bool:
            found = [(await machine.enforced(self.http)).get(decision.route, (0, 0, False)) for machine in self.machines]
            return found == [(decision.seq, decision.weight_bp, False)] * 2

        await until(f"both proxies enforce {decision.state} of {decision.route}", enforced, 30.0, 0.02)
        settled = time.time()
        name = f"{decision.state} {decision.weight_bp}"
        self.agreed_after.append((name, settled - stored))
        self.ruling.begin(segment, begun, settled, decision, name)

    async def enforced(self, segment: str) -> list[tuple[int, int, bool]]:
        """What each proxy enforces for a route: number, weight, overruled by an alarm."""
        return [(await machine.enforced(self.http)).get(route_of(segment), (0, 0, False)) for machine in self.machines]

    async def tell(self, decision: Decision) -> list[int]:
        """Hands a decision to both proxies directly, as the command line does; their answers' statuses."""
        text = signed.encode(signed.sign(decision, self.key))
        answers = [
            await self.http.post(f"http://127.0.0.1:{machine.admin}/decisions", content=text) for machine in self.machines
        ]
        return [answer.status_code for answer in answers]

    def faults(self) -> list[str]:
        """Lines of the parts' logs that tell of a fault of our own."""
        return [
            f"{part.name}: {line[:300]}"
            for machine in self.machines
            for part in (machine.proxy, machine.shadow)
            for line in part.log.read_text(errors="replace").splitlines()
            if any(words in line for words in FAULTS_OF_OURS)
        ]


@asynccontextmanager
async def staged(folder: Path, store_url: str, gate: str = GATE, crowd: Crowd | None = None) -> AsyncIterator[Stage]:
    """A stage under load. Its logs must tell of no fault of ours."""
    stage = Stage(folder, store_url, gate, crowd or Crowd(segments=SEGMENTS))
    try:
        await stage.start()
        yield stage
    finally:
        await stage.stop()
    assert stage.faults() == []
