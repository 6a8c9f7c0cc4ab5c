"""Clients with sessions that ask all the time through every proxy, and keep each answer with who gave it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cutover_backend import BUILD, body_of

DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer, or `fault` where there was none. Times are Unix seconds; `user` is "" for a client without a session."""

    asked: float
    ended: float
    proxy: int
    segment: str
    path: str
    user: str
    status: int
    by_candidate: bool
    wrong: bool
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many ask how often: `rate` requests a second over `connections` to each proxy, by `users` in turns and every tenth by nobody."""

    rate: float = 210.0
    connections: int = 6
    users: int = 120
    segments: tuple[str, ...] = ("a", "b", "c")


class Clients:
    """`seen` grows until `stop`."""

    def __init__(self, ports: Sequence[int], crowd: Crowd) -> None:
        self._ports, self._crowd = ports, crowd
        self._numbers = itertools.count()
        self._over = False
        self._tasks: list[asyncio.Task[None]] = []
        self.seen: list[Seen] = []

    def start(self) -> None:
        places = [(proxy, port) for _ in range(self._crowd.connections) for proxy, port in enumerate(self._ports)]
        self._tasks = [
            asyncio.get_running_loop().create_task(self._ask_on(proxy, port, place / len(places)), name=f"client {place}")
            for place, (proxy, port) in enumerate(places)
        ]

    async def stop(self) -> None:
        """Ends the load; every request under way gets its answer first."""
        self._over = True
        await asyncio.gather(*self._tasks)

    async def _ask_on(self, proxy: int, port: int, phase: float) -> None:
        crowd = self._crowd
        every = crowd.connections * len(self._ports) / crowd.rate
        due = time.monotonic() + phase * every
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self._over:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due + every, time.monotonic() - 1.0)
            number = next(self._numbers)
            user = "" if number % 10 == 9 else f"user-{number % crowd.users}"
            segment = crowd.segments[(number // 7) % len(crowd.segments)]
            path = f"/{segment}/{number}"
            asked = time.time()
            try:
                async with asyncio.timeout(DEADLINE_S):
                    if streams is None:
                        streams = await asyncio.open_connection("127.0.0.1", port)
                    seen = await _ask(*streams, asked, proxy, segment, path, user)
            except (OSError, EOFError, ValueError) as error:
                seen = Seen(asked, time.time(), proxy, segment, path, user, 0, False, False, type(error).__name__)
                if streams is not None:
                    streams[1].transport.abort()
                streams = None
            self.seen.append(seen)
        if streams is not None:
            streams[1].transport.abort()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: float, proxy: int, segment: str, path: str, user: str
) -> Seen:
    cookie = f"Cookie: sessionid={user}\r\n" if user else ""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: shop.test\r\n{cookie}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    line, *lines = head[:-4].split(b"\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (text.partition(b":") for text in lines)}
    body = await reader.readexactly(int(fields[b"content-length"]))
    by_candidate = BUILD in fields
    wrong = by_candidate and body == body_of(path, user, wrong=True)
    fault = "" if wrong or body == body_of(path, user) else f"another body: {body[:80]!r}"
    return Seen(asked, time.time(), proxy, segment, path, user, int(line.split(b" ")[1]), by_candidate, wrong, fault)
