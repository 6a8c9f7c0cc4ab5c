"""A real proxy, a relay with its tapes, and a real server behind it; plays payloads and says where readings part."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from smuggling_payload import Payload
from smuggling_reading import Ambiguous, Reading
from smuggling_relay import Relay, raw_origin

from settings.model import Settings
from store.openings import read_openings
from tests.one_process import serve
from tests.ports import free_port, free_ports
from traffic.codec import FrameReader
from traffic.ledger import Ledger, build_ledger
from traffic.message import Exchange
from traffic.route import METHODS

SERVERS = ["gunicorn", "gunicorn-gthread", "waitress", "uvicorn-h11", "uvicorn-httptools", "hypercorn"]
ORIGIN = Path(__file__).with_name("smuggling_origin.py")
QUIET_S = 0.15
"""A connection that says nothing for so long, with nothing under way behind it, has nothing more to say."""
PATIENCE_S = 20.0


def can_run(server: str) -> bool:
    """Whether the server is installed on this interpreter."""
    return importlib.util.find_spec(server.partition("-")[0]) is not None


@asynccontextmanager
async def origin(server: str, folder: Path) -> AsyncIterator[tuple[int, Path | None]]:
    """The port of a running server, and its log."""
    if server == "raw":
        listener = await asyncio.start_server(raw_origin, "127.0.0.1", 0, backlog=1024)
        yield listener.sockets[0].getsockname()[1], None
        listener.close()
        return
    port = free_port()
    log = folder / f"{server}.log"
    log.touch()
    child = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-P", str(ORIGIN), server, str(port), str(log)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    assert child.poll() is None, f"{server} has ended"
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield port, log
    finally:
        child.terminate()
        try:
            await asyncio.to_thread(child.wait, 10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@dataclass
class Play:
    """A proxy in front of `relay`. `exchanges` is what it thought each served request was."""

    settings: Settings
    relay: Relay
    port: int
    exchanges: list[Exchange] = field(default_factory=list)
    answers: dict[bytes, bytes] = field(default_factory=dict)
    hung: list[str] = field(default_factory=list)
    left: set[bytes] = field(default_factory=set)
    """Payloads whose client has left by itself: what the proxy took up at that moment may be unanswered."""
    patience_s: float = PATIENCE_S
    together: int = 60
    cuts: random.Random | None = None
    """Where it is given, payloads are sent in up to four pieces."""

    def ledger(self) -> Ledger:
        """The total, from the openings file and nothing else."""
        total = Ledger()
        (file,) = self.settings.state_dir.glob("openings-*.bin")
        for slots in read_openings(file)[0].routes.values():
            total = total + build_ledger(slots, [])
        assert total.violations() == []
        return total

    async def at_rest(self) -> Ledger:
        """The total once no request is open and what was mirrored has arrived."""
        async with asyncio.timeout(PATIENCE_S):
            while self.ledger().open or len(self.exchanges) < self.ledger().pending:
                await asyncio.sleep(0.02)
        return self.ledger()

    async def play(self, payloads: Iterable[Payload]) -> None:
        """Sends each payload on a connection of its own and waits until nothing more can come of it."""
        gate = asyncio.Semaphore(self.together)

        async def one(payload: Payload) -> None:
            async with gate:
                await self._send(payload)

        await asyncio.gather(*(one(payload) for payload in payloads))

    async def _send(self, payload: Payload) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        answer = bytearray()
        loop = asyncio.get_running_loop()
        end = loop.time() + self.patience_s
        reading = loop.create_task(self._read(reader, answer))
        try:
            for piece in self._pieces(payload.raw):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.001)
            known, quiet = -1, 0
            while not reading.done():
                await asyncio.wait([reading], timeout=QUIET_S)
                owed = any(self._owed(tape) for tape in self.relay.of_payload.get(payload.id, []))
                quiet = quiet + 1 if len(answer) == known and not owed else 0
                if quiet == 2:
                    self.left.add(payload.id)
                    break
                if loop.time() > end:
                    self.hung.append(payload.name)
                    break
                known = len(answer)
        except OSError:
            pass
        finally:
            reading.cancel()
            writer.transport.abort()
        self.answers[payload.id] = bytes(answer)

    def _pieces(self, raw: bytes) -> list[bytes]:
        if self.cuts is None:
            return [raw]
        places = sorted(self.cuts.randrange(len(raw)) for _ in range(3))
        return [raw[start:end] for start, end in pairwise([0, *places, len(raw)]) if start < end]

    @staticmethod
    async def _read(reader: asyncio.StreamReader, into: bytearray) -> None:
        try:
            while data := await reader.read(65536):
                into += data
        except OSError:
            pass

    @staticmethod
    def _owed(tape: Any) -> bool:
        """Whether the backend still owes an answer to a whole request."""
        if tape.over:
            return False
        try:
            return sum(reading.complete for reading in tape.readings()) > len(tape.statuses())
        except Ambiguous:
            return False


@asynccontextmanager
async def playing(folder: Path, port: int, **sections: Any) -> AsyncIterator[Play]:
    """A proxy whose primary is the server on `port`, behind a relay; everything is mirrored to a reader of the hand-off."""
    relay = Relay(port)
    await relay.start()
    listen, admin = free_ports(2)
    document: dict[str, Any] = {
        "primary": {"url": f"http://127.0.0.1:{relay.port}"},
        "candidate": {"url": "http://127.0.0.1:9"},
        "proxy": {"listen": f"127.0.0.1:{listen}", "admin": f"127.0.0.1:{admin}"},
        "mirror": {"queue": 100_000},
        "route": [{"match": f"{method} /{{rest:path}}", "mirror": "writes"} for method in sorted(METHODS)],
        **sections,
    }
    settings = Settings(**document).located(folder, None)
    play = Play(settings, relay, listen)

    async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader()
        while data := await reader.read(65536):
            play.exchanges += [message for message in frames.feed(data) if isinstance(message, Exchange)]
        writer.close()

    shadow = await asyncio.start_unix_server(collect, str(settings.channel_path))
    ready = asyncio.Event()
    task = asyncio.get_running_loop().create_task(serve(settings, b"k" * 32, ready.set), name="serve")
    waiting = asyncio.get_running_loop().create_task(ready.wait())
    try:
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_S)
        if task.done():
            task.result()
        assert ready.is_set()
        yield play
    finally:
        waiting.cancel()
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE_S)
        shadow.close()
        await relay.stop()


def entries(log: Path) -> dict[bytes, list[dict[str, Any]]]:
    """What the server's app saw, by payload."""
    found: dict[bytes, list[dict[str, Any]]] = defaultdict(list)
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        found[entry["id"].encode()].append(entry)
    return found


def differences(entry: dict[str, Any], reading: Reading) -> list[str]:
    """In what a server's reading of one request departs from the right one."""
    found = []
    if entry["method"].encode() != reading.method:
        found.append(f"METHOD {entry['method']}")
    path, seen = unquote_to_bytes(reading.target.partition(b"?")[0]), bytes.fromhex(entry["path"])
    if seen not in (path, path.decode("utf-8", "replace").encode()):
        found.append(f"PATH {seen!r} for {reading.target!r}")
    if entry["complete"] and (not reading.complete or entry["body"] != hashlib.sha256(reading.body).hexdigest()):
        found.append(f"BODY of {entry['size']} bytes for {len(reading.body)}")
    return found
