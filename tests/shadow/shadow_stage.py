"""A whole shadow in the test's own process, with a test's end of the channel beside it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rules.load import EMPTY
from rules.model import RuleSet
from settings.model import Settings
from shadow.serve import serve
from store.openings import OpeningsFile
from store.tasks import spawn
from traffic.codec import Alarm, FrameReader, Hello, encode
from traffic.message import Exchange, Headers, Request, Response, Side
from traffic.route import Route, RouteTable

KEY = b"k" * 32
JSON: Headers = ((b"Content-Type", b"application/json"),)


def configured(folder: Path, primary: str, candidate: str, **sections: Mapping[str, Any]) -> Settings:
    """Settings for a shadow in `folder`; sections as in the file."""
    given: dict[str, Any] = {"primary": {"url": primary}, "candidate": {"url": candidate}, "gate": {"profile": "demo"}}
    for name, section in sections.items():
        given[name] = {**given.get(name, {}), **section}
    return Settings(**given).located(folder, None)


@asynccontextmanager
async def running(
    settings: Settings, store: Any, routes: RouteTable | None = None, rules: RuleSet = EMPTY
) -> AsyncIterator[asyncio.Task[None]]:
    """A shadow that is ready; cancelled (and so drained) at the end unless the test did it."""
    ready = asyncio.Event()
    table = routes if routes is not None else RouteTable([Route("GET", "/a"), Route("GET", "/items/{id}")])
    task = spawn(serve(settings, KEY, rules, store, ready.set, table), "shadow")
    waiting = spawn(ready.wait(), "ready")
    await asyncio.wait({task, waiting}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        task.result()
    assert ready.is_set()
    try:
        yield task
    finally:
        if not task.done():
            task.cancel()
        await asyncio.wait({task}, timeout=30)
        assert task.done(), "the shadow did not stop"


@dataclass
class Proxy:
    """The proxy's end of the channel, with a real openings file."""

    boot: str
    openings: OpeningsFile
    path: Path
    seq: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    @classmethod
    def made(cls, settings: Settings, boot: str = "boot1") -> Proxy:
        path = settings.state_dir / f"openings-{boot}.bin"
        return cls(boot, OpeningsFile.create(path, boot, "node", 100), settings.channel_path)

    async def connect(self) -> None:
        self.reader, self.writer = await asyncio.open_unix_connection(str(self.path))
        self.writer.write(encode(Hello(self.boot, "node", str(self.openings.path), dict(self.sent))))

    def exchange(
        self,
        live: Response,
        target: bytes = b"/a",
        route: str = "GET /a",
        client: str = "c1",
        headers: Headers = (),
        method: str = "GET",
        body: bytes = b"",
        live_side: Side = Side.PRIMARY,
        live_ms: float = 1.0,
    ) -> Exchange:
        self.seq += 1
        request = Request(method, target, ((b"Host", b"shop.example"), *headers), body)
        return Exchange(self.boot, self.seq, route, client, live_side, time.time(), live_ms, request, live)

    def send(self, exchange: Exchange) -> None:
        assert self.writer is not None
        self.openings.seen(exchange.route)
        side = "served_primary" if exchange.live_side is Side.PRIMARY else "served_candidate"
        self.openings.ended(exchange.route, side, "handed")
        self.openings.sent(exchange.route)
        self.sent[exchange.route] = self.sent.get(exchange.route, 0) + 1
        self.writer.write(encode(exchange))

    async def alarm(self) -> Alarm:
        assert self.reader is not None
        frames = FrameReader()
        while True:
            for message in frames.feed(await asyncio.wait_for(self.reader.read(4096), 10)):
                assert isinstance(message, Alarm)
                return message

    async def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            try:
                await self.writer.wait_closed()
            except OSError:
                pass
            self.writer = None

    async def die(self) -> None:
        await self.close()
        self.openings.close()


async def until(condition: Callable[[], bool], deadline_s: float = 10.0) -> None:
    """Waits for a condition, looking often."""
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.01)


def ok(value: object, *headers: tuple[bytes, bytes], status: int = 200) -> Response:
    """A JSON answer as the proxy captured it."""
    body = json.dumps(value).encode()
    return Response(status, (*JSON, *headers, (b"Content-Length", str(len(body)).encode())), body)
