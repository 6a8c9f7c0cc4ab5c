"""A bounded load client: some keep-alive connections, a paced rate, and an id in each path that its answer has to echo."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

DEADLINE_S = 20.0
_runs = itertools.count(1)


@dataclass
class Answer:
    """What a client got: a status and a body, and whether the connection may be used again."""

    status: int
    body: bytes
    reusable: bool
    headers: dict[bytes, bytes]


@dataclass
class Load:
    """What clients asked for and got. `seconds` are the latencies of answered requests; `failed` and `wrong` tell id and reason."""

    attempts: set[str] = field(default_factory=set)
    acked: set[str] = field(default_factory=set)
    statuses: dict[str, int] = field(default_factory=dict)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    asked_at: dict[str, float] = field(default_factory=dict)

    def percentile(self, share: float) -> float:
        """A latency in seconds, e.g. `percentile(0.99)`."""
        if len(self.seconds) < 2:
            return max(self.seconds, default=0.0)
        return statistics.quantiles(self.seconds, n=1000, method="inclusive")[min(998, int(share * 1000) - 1)]

    def __add__(self, other: Load) -> Load:
        return Load(
            self.attempts | other.attempts,
            self.acked | other.acked,
            {**self.statuses, **other.statuses},
            self.wrong + other.wrong,
            self.failed + other.failed,
            self.seconds + other.seconds,
            {**self.asked_at, **other.asked_at},
        )

    def note(self, identifier: str, answer: Answer, began: float) -> None:
        """Judges one answer: a success has to carry its own id and no other."""
        self.statuses[identifier] = answer.status
        self.seconds.append(time.monotonic() - began)
        if answer.status != 200:
            self.failed.append((identifier, f"status {answer.status}"))
        elif answer.body != b'{"id": "%s"}' % identifier.encode():
            self.wrong.append((identifier, repr(answer.body[:60])))
        else:
            self.acked.add(identifier)


async def read_answer(reader: asyncio.StreamReader, method: str = "GET") -> Answer:
    """Reads one answer with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    line, *lines = head[:-4].split(b"\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (text.partition(b":") for text in lines)}
    length = 0 if method == "HEAD" else int(fields.get(b"content-length", b"0"))
    body = await reader.readexactly(length)
    return Answer(int(line.split(b" ")[1]), body, fields.get(b"connection", b"").lower() != b"close", fields)


class Client:
    """One client with one connection, which it makes anew when it was closed. `name` is its user."""

    def __init__(self, port: int, name: str) -> None:
        self._port, self._name = port, name
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.connects = 0

    async def ask(self, identifier: str, method: str = "GET", body: bytes = b"", route: str = "items") -> Answer:
        """One request. Raises OSError, EOFError or TimeoutError where there is no complete answer."""
        async with asyncio.timeout(DEADLINE_S):
            if self._streams is None:
                self.connects += 1
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            length = f"Content-Length: {len(body)}\r\n" if body else ""
            try:
                writer.write(
                    f"{method} /{route}/{identifier} HTTP/1.1\r\nHost: shop.test\r\n"
                    f"Authorization: Bearer {self._name}\r\n{length}\r\n".encode()
                    + body
                )
                answer = await read_answer(reader, method)
            except BaseException:
                self.close()
                raise
            if not answer.reusable:
                self.close()
            return answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def offer(
    port: int,
    seconds: float,
    rate: float = 200.0,
    connections: int = 20,
    method: str = "GET",
    body: bytes = b"",
    stop: Callable[[], bool] = lambda: False,
) -> Load:
    """Offers `rate` requests per second over `connections` for `seconds`, or until `stop`; a failed one is not asked again."""
    load, run, numbers = Load(), next(_runs), itertools.count()
    begun = time.monotonic()

    async def client(place: int) -> None:
        mine = Client(port, f"client-{place}")
        due = begun + place / rate
        try:
            while (now := time.monotonic()) < begun + seconds and not stop():
                if due > now:
                    await asyncio.sleep(due - now)
                due += connections / rate
                identifier = f"r{run}n{next(numbers)}"
                load.attempts.add(identifier)
                began = load.asked_at[identifier] = time.monotonic()
                try:
                    load.note(identifier, await mine.ask(identifier, method, body), began)
                except (OSError, EOFError, ValueError) as error:
                    load.failed.append((identifier, type(error).__name__))
                    await asyncio.sleep(0.02)
        finally:
            mine.close()

    await asyncio.gather(*(client(place) for place in range(connections)))
    return load
