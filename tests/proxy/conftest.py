"""The stage of the proxy's tests: a real proxy on loopback between a real client and two real, scripted backends."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from gate import decision as signed
from gate.facts import Decision, State
from settings.model import Settings
from store.openings import read_openings
from tests.certificates import Pair, make_pair
from tests.one_process import serve
from tests.ports import free_port
from traffic.codec import Alarm, FrameReader, Hello, encode
from traffic.ledger import Ledger, build_ledger
from traffic.message import Exchange

sys.path.insert(0, str(Path(__file__).parent))  # helpers of this folder, importable by a name of their own

KEY = b"k" * 32
DEADLINE = 15.0


@pytest.fixture
def pair(folder: Path) -> Pair:
    """A certificate for 127.0.0.1 and its key."""
    return make_pair(folder)


async def until(condition: Callable[[], Any], what: str = "", deadline: float = DEADLINE) -> Any:
    """Waits for a condition; fails by name when it does not come true in time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    while not (value := condition()):
        assert loop.time() < end, f"never came true: {what or condition}"
        await asyncio.sleep(0.01)
    return value


@dataclass
class Asked:
    """A request as a backend received it."""

    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""

    @property
    def method(self) -> bytes:
        return self.line.split(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ")[1]

    def values(self, name: bytes) -> list[bytes]:
        return [v for n, v in self.headers if n.lower() == name]


Script = Callable[[Asked, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]
"""Writes the answer; True keeps the connection open for the next request."""


async def read_message(reader: asyncio.StreamReader) -> Asked | None:
    head = await reader.readuntil(b"\r\n\r\n")
    line, *rest = head[:-4].split(b"\r\n")
    headers = [(n, v.strip()) for n, _, v in (h.partition(b":") for h in rest)]
    return Asked(line, headers)


async def read_body(asked: Asked, reader: asyncio.StreamReader) -> bytes:
    if asked.values(b"transfer-encoding"):
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return body
    length = int((asked.values(b"content-length") or [b"0"])[0])
    return await reader.readexactly(length)


class Backend:
    """A backend that answers as its script says and notes what it was asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[Asked] = []
        self.scripts: dict[bytes, Script] = {}
        self.connections = 0
        self.port = free_port()  # its own also while it is stopped
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        await until(lambda: not self._writers, f"{self.name} closed")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                asked = await read_message(reader)
                assert asked is not None
                self.asked.append(asked)
                script = self.scripts.get(asked.target.partition(b"?")[0], self._plain)
                if script is self._plain or not getattr(script, "reads_itself", False):
                    asked.body = await read_body(asked, reader)
                if not await script(asked, reader, writer):
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _plain(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        body = b"" if asked.method == b"HEAD" else self.name.encode() + b" " + asked.target + b" " + asked.body[:50]
        length = len(self.name.encode() + b" " + asked.target + b" " + asked.body[:50])
        writer.write(b"HTTP/1.1 200 OK\r\nX-Side: %s\r\nContent-Length: %d\r\n\r\n" % (self.name.encode(), length) + body)
        await writer.drain()
        return b"close" not in b"".join(asked.values(b"connection"))

    def says(self, path: bytes, raw: bytes, keep: bool = True) -> None:
        """The path answers with exactly these bytes."""

        async def script(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            writer.write(raw)
            await writer.drain()
            return keep and b"close" not in b"".join(asked.values(b"connection"))

        self.scripts[path] = script


class Shadow:
    """The other end of the hand-off."""

    def __init__(self, path: Path, reads: bool = True) -> None:
        self.path = path
        self.reads = reads
        self.hellos: list[Hello] = []
        self.exchanges: list[Exchange] = []
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._listen, str(self.path))

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self.path.unlink(missing_ok=True)

    def alarm(self, route: str) -> None:
        self._writers[-1].write(encode(Alarm(route, "test")))

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        frames = FrameReader()
        try:
            if not self.reads:
                reader._transport.pause_reading()  # type: ignore[attr-defined]
                await asyncio.Event().wait()
            while data := await reader.read(65536):
                for message in frames.feed(data):
                    if isinstance(message, Hello):
                        self.hellos.append(message)
                    elif isinstance(message, Exchange):
                        self.exchanges.append(message)
        except (OSError, asyncio.CancelledError):
            pass


@dataclass
class Answer:
    """An answer as a client received it: `raw` is every byte, `body` is without chunk framing."""

    raw: bytes
    status: int
    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    trailers: bytes = b""

    def values(self, name: bytes) -> list[bytes]:
        return [v for n, v in self.headers if n.lower() == name]


def parse_answer(raw: bytes, head_only: bool = False) -> Answer:
    head, _, rest = raw.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    headers = [(n, v.strip()) for n, _, v in (h.partition(b":") for h in lines)]
    body, trailers = rest, b""
    if not head_only and any(n.lower() == b"transfer-encoding" for n, _ in headers) and b" 304 " not in line:
        body = b""
        while True:
            size, _, rest = rest.partition(b"\r\n")
            if int(size, 16) == 0:
                trailers = rest
                break
            body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return Answer(raw, int(line.split(b" ")[1]), line, headers, body, trailers)


async def ask(
    port: int, target: str = "/", method: str = "GET", headers: str = "", body: bytes = b"", raw: bytes = b""
) -> Answer:
    """One request on a connection of its own, read to the end of the connection."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    request = (
        raw or f"{method} {target} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n{headers}{length}\r\n".encode() + body
    )
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            await writer.drain()
            return parse_answer(await reader.read(-1), method == "HEAD")
        finally:
            writer.close()


@dataclass
class Stage:
    """A running proxy with its surroundings."""

    folder: Path
    settings: Settings
    primary: Backend
    candidate: Backend
    shadow: Shadow
    port: int
    admin_port: int
    task: asyncio.Task[None] | None = None
    key: bytes = KEY
    seq: int = field(default=0)

    async def ask(self, target: str = "/", **more: Any) -> Answer:
        return await ask(self.port, target, **more)

    async def admin(self, method: str, path: str, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            return await client.request(method, f"http://127.0.0.1:{self.admin_port}{path}", **more)

    def decision(self, route: str, weight_bp: int, state: State = State.CUTOVER, **more: Any) -> Decision:
        self.seq += 1
        state = state if weight_bp else State.ROLLED_BACK
        made = Decision(
            route, more.pop("seq", self.seq), state, "e", weight_bp, "salt", 0.0, more.pop("lease", None), "ann", "test"
        )
        return signed.sign(made, more.pop("key", self.key))

    async def decide(self, route: str, weight_bp: int, **more: Any) -> httpx.Response:
        return await self.admin("POST", "/decisions", content=signed.encode(self.decision(route, weight_bp, **more)))

    def ledgers(self) -> dict[str, Ledger]:
        """Each route's ledger, from the openings file and nothing else."""
        files = list(self.settings.state_dir.glob("openings-*.bin"))
        assert len(files) == 1, files
        return {route: build_ledger(slots, []) for route, slots in read_openings(files[0])[0].routes.items()}

    def ledger(self) -> Ledger:
        total = Ledger()
        for ledger in self.ledgers().values():
            total = total + ledger
        assert total.violations() == []
        return total

    async def at_rest(self, seen: int) -> Ledger:
        """The total once `seen` requests have been seen and none is open."""
        await until(lambda: self.ledger().seen >= seen and self.ledger().open == 0, f"{seen} settled: {self.ledger()}")
        assert self.ledger().seen == seen
        return self.ledger()


@asynccontextmanager
async def staged(folder: Path, shadow: str = "reads", **sections: Any) -> AsyncIterator[Stage]:
    """A proxy that serves. `shadow` is reads, hangs or absent; `sections` are tables of the configuration."""
    primary, candidate = Backend("primary"), Backend("candidate")
    await primary.start()
    await candidate.start()
    port, admin_port = free_port(), free_port()
    document: dict[str, Any] = {
        "primary": {"url": f"http://127.0.0.1:{primary.port}"},
        "candidate": {"url": f"http://127.0.0.1:{candidate.port}"},
        "route": [{"match": "GET /items/{id}"}, {"match": "GET /old", "candidate_path": "/new"}, {"match": "POST /items/{id}"}],
        **sections,
    }
    document["proxy"] = {"listen": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{admin_port}", **sections.get("proxy", {})}
    settings = Settings(**document).located(folder, None)
    other_end = Shadow(settings.channel_path, reads=shadow == "reads")
    if shadow != "absent":
        await other_end.start()
    ready = asyncio.Event()
    stage = Stage(folder, settings, primary, candidate, other_end, port, admin_port)
    stage.task = asyncio.get_running_loop().create_task(serve(settings, KEY, ready.set), name="serve")
    waiting = asyncio.get_running_loop().create_task(ready.wait())
    try:
        async with asyncio.timeout(DEADLINE):
            await asyncio.wait([stage.task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if not ready.is_set():
            stage.task.result()
        if shadow == "reads":
            await until(lambda: other_end.hellos, "the proxy says hello")
        yield stage
    finally:
        waiting.cancel()
        stage.task.cancel()
        await asyncio.wait([stage.task], timeout=DEADLINE)
        await other_end.stop()
        await primary.stop()
        await candidate.stop()
        if stage.task.done() and not stage.task.cancelled():
            stage.task.result()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: the path of a Unix socket has at most 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="pg-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def stage(folder: Path) -> Callable[..., Any]:
    """`async with stage(shadow=..., mirror={...}) as s:` runs a proxy for a test."""
    return lambda **more: staged(folder, **more)


@pytest.fixture
def wait() -> Callable[..., Any]:
    return until


@pytest.fixture
def send() -> Callable[..., Any]:
    return ask


@pytest.fixture(scope="session")
def backend_and_shadow() -> tuple[type[Backend], type[Shadow]]:
    """For stages that live longer than one test."""
    return Backend, Shadow


@pytest.fixture
def crew(folder: Path) -> Callable[..., Any]:
    """`async with crew(workers=2) as s:` runs a parent with worker processes; `own_process=True` makes a process of the parent, too."""
    from crew_stage import crewed

    return lambda **more: crewed(folder, Backend, Shadow, **more)
