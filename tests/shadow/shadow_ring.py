"""Both ends of the hand-off's ring for the tests: ours, and ones that do by hand what a test asks of them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from proxy.handoff import HandOff
from proxy.ring import Ring
from shadow.channel import Channel, Connection
from shadow.ring_reader import map_ring
from store.tasks import spawn
from traffic.codec import Filled, FrameReader, Hello, Taken, encode
from traffic.message import Exchange, Request, Response, Side

SMALL = 16 * 1024
HELLO = Hello("b", "n", "", {})


def exchange(seq: int, body: int = 0) -> Exchange:
    return Exchange("b", seq, f"r{seq}", "c", Side.PRIMARY, 0.0, 1.0, Request("GET", b"/a"), Response(200, (), b"x" * body))


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


class Listening:
    """A shadow's channel; without `open` there is no room for more."""

    def __init__(self, path: Path) -> None:
        self.taken: list[Exchange] = []
        self.connections: list[Connection] = []
        self.room = asyncio.Event()
        self.room.set()
        self.channel = Channel(path, self._greet, self.taken.append, self._room, lambda connection: None)

    @property
    def seqs(self) -> list[int]:
        return [item.seq for item in self.taken]

    async def _greet(self, connection: Connection) -> None:
        self.connections.append(connection)

    async def _room(self) -> None:
        await self.room.wait()

    async def close(self) -> None:
        await self.channel.close()
        self.channel.release()


class Offering:
    """A proxy's end: everything it offers goes by its own route, so that `sent` tells which were counted."""

    def __init__(self, path: Path, limit: int = 10_000) -> None:
        self.sent: list[str] = []
        self.handoff = HandOff(path, limit, lambda: HELLO, self.sent.append, lambda alarm: None)
        self.offered: list[int] = []
        self._running: asyncio.Task[None] | None = None

    def offer(self, body: int = 0) -> None:
        made = exchange(len(self.offered), body)
        frame = encode(made)
        cut = len(frame) // 2
        assert self.handoff.offer(made.route, (frame[:cut], frame[cut:]))
        self.offered.append(made.seq)

    @property
    def ring(self) -> Ring | None:
        return self.handoff._ring

    async def start(self, ring: bool = True) -> None:
        self._running = spawn(self.handoff.run(), "hand-off")
        await until(lambda: self.ring is not None if ring else self.handoff.connected)

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
            self._running = None


@asynccontextmanager
async def both(folder: Path, limit: int = 10_000) -> AsyncIterator[tuple[Offering, Listening]]:
    listening, offering = Listening(folder / "s"), Offering(folder / "s", limit)
    await listening.channel.open()
    await offering.start()
    try:
        yield offering, listening
    finally:
        listening.room.set()
        await offering.stop()
        await listening.close()


class Hand:
    """A proxy by hand: a plain socket, and a ring of its own."""

    def __init__(self, path: Path, size: int = SMALL) -> None:
        self.ring = Ring(size)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(path))
        self.sock.setblocking(False)

    def hello(self) -> None:
        self.ring.send_with(self.sock, encode(HELLO))

    def put(self, seq: int, body: int = 0) -> bytes:
        frame = encode(exchange(seq, body))
        assert self.ring.put([frame], len(frame))
        return encode(Filled(self.ring.head))

    async def said(self, number: int) -> list[Any]:
        frames, got = FrameReader(), []
        async with asyncio.timeout(5):
            while len(got) < number:
                data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
                assert data, "the shadow closed the connection"
                got += frames.feed(data)
        return got

    async def is_cut(self) -> bool:
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                while await asyncio.get_running_loop().sock_recv(self.sock, 65536):
                    pass
        return True

    def close(self) -> None:
        self.sock.close()
        self.ring.close()


class HandShadow:
    """A shadow by hand: takes one connection with its ring and reads what it is asked to."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.setblocking(False)
        self.frames = FrameReader()

    async def take(self) -> None:
        async with asyncio.timeout(5):
            self.sock, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            while True:
                try:
                    data, descriptors, _, _ = socket.recv_fds(self.sock, 65536, 1)
                    break
                except BlockingIOError:
                    await asyncio.sleep(0.001)
        assert [type(message) for message in self.frames.feed(data)] == [Hello]
        ring = map_ring(descriptors)
        assert ring is not None
        self.ring = ring
        self.sock.send(encode(Taken(0)))

    async def next(self) -> list[Any]:
        async with asyncio.timeout(5):
            while True:
                data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
                if got := list(self.frames.feed(data)):
                    return got

    def die(self) -> None:
        self.sock.close()
        self.ring.close()
        self._listener.close()
