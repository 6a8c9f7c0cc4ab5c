"""Sends many exchanges to a shadow whose candidate misbehaves, and holds its books against what was sent."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadow_backends import always, backend, document
from shadow_stage import KEY, Proxy, configured, ok, until
from shadow_store import ListStore

from rules.load import EMPTY
from shadow.serve import Shadow
from traffic.ledger import build_ledger
from traffic.message import Headers, Response
from traffic.outcome import ENDING_REASONS
from traffic.route import Route, RouteTable

LIVE = {"a": 1}
SYN_SENT = b"\x02"


@dataclass
class Battery:
    """A running shadow. `send` sends; `ended` waits until all that was sent has ended and checks the books."""

    shadow: Shadow
    store: ListStore
    proxy: Proxy
    port: int
    """The candidate's."""
    sent: int = 0
    most_connected: int = 0

    def send(self, count: int, live: Response | None = None, headers: Headers = (), clients: int = 50) -> None:
        for _ in range(count):
            self.sent += 1
            target = b"/a?n=%d" % self.sent
            self.proxy.send(self.proxy.exchange(live or ok(LIVE), target, client=f"c{self.sent % clients}", headers=headers))

    async def ended(self, deadline_s: float = 20.0) -> dict[str, int]:
        """How the exchanges ended, `ending:reason` with its count. Counts connections to the candidate meanwhile."""
        async with asyncio.timeout(deadline_s):
            while self.shadow.received < self.sent or self.shadow.held:
                self.most_connected = max(self.most_connected, connections_to(self.port))
                await asyncio.sleep(0.01)
        return self.checked()

    def checked(self) -> dict[str, int]:
        """The same for what has ended so far, the ledger's law checked."""
        ended = self.store.ended
        assert all(item.reason in ENDING_REASONS[item.ending] for item in ended)
        for route in {item.route for item in ended}:
            rows = [(str(item.ending), str(item.reason), item.count) for item in ended if item.route == route]
            assert build_ledger(self.proxy.openings.counts().routes.get(route, {}), rows).violations() == []
        counts = self.store.reasons()
        assert sum(counts.values()) <= self.sent
        return counts


@asynccontextmanager
async def battery(folder: Path, candidate: str, **mirror: Any) -> AsyncIterator[Battery]:
    """A shadow between a primary that answers as the live side did and the candidate at that URL."""
    async with backend(always(document(LIVE))) as primary:
        limits = {"timeout": "3s", "max_in_flight": 8, **mirror}
        settings = configured(folder, primary.url, candidate, mirror=limits)
        store = ListStore()
        shadow = Shadow(settings, KEY, EMPTY, store, RouteTable([Route("GET", "/a")]))  # type: ignore[arg-type]
        await shadow.start()
        proxy = Proxy.made(settings)
        await proxy.connect()
        made = Battery(shadow, store, proxy, int(candidate.rpartition(":")[2]))
        try:
            yield made
        finally:
            await shadow.stop()
            await proxy.die()
        assert shadow.held == 0
        assert sum(made.checked().values()) == made.sent, "an exchange was lost without a count"
        await until(lambda: connections_to(made.port) == 0)


def connections_to(port: int) -> int:
    """How many sockets of this process are connected to that port, or on their way to one."""
    held = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as one:
                if one.family == socket.AF_INET:
                    connecting = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == SYN_SENT
                    held += connecting or one.getpeername()[1] == port
        except OSError:
            continue  # closed meanwhile, or listening, or without a peer any more
    return held


def only(counts: dict[str, int], *allowed: str) -> bool:
    """Whether nothing else happened."""
    return set(counts) <= set(allowed)
