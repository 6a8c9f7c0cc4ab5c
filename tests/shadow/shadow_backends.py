"""Small real HTTP backends on loopback for the shadow's tests: what they do is one function from request to bytes or actions."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Seen:
    """One request as it arrived on the wire."""

    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    at: float
    head: bytes = b""
    """All of it, to the blank line."""

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


Act = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Backend:
    """Where a backend listens and what it got."""

    url: str
    seen: list[Seen] = field(default_factory=list)
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    """The connections that are open now."""
    connections: int = 0
    """All that were ever accepted."""
    most_open: int = 0


def answer(status: int = 200, body: bytes = b"{}", headers: list[tuple[str, str]] | None = None, head: bool = False) -> bytes:
    lines = [f"HTTP/1.1 {status} X"]
    given = headers or []
    if not any(name.lower() == "content-type" for name, _ in given):
        lines.append("Content-Type: application/json")
    lines.extend(f"{name}: {value}" for name, value in given)
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if head else body)


def document(value: object, status: int = 200, headers: list[tuple[str, str]] | None = None) -> bytes:
    return answer(status, json.dumps(value).encode(), headers)


async def _one(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *rest = head[:-4].split(b"\r\n")
    method, target, _ = first.split(b" ", 2)
    headers = [(name, value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in rest)]
    length = next((int(value) for name, value in headers if name.lower() == b"content-length"), 0)
    body = await reader.readexactly(length) if length else b""
    return Seen(method.decode("latin-1"), target, headers, body, asyncio.get_running_loop().time(), head)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The URL of a server that runs `serve` for each connection; all of them are closed at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(kept, "127.0.0.1", 0, ssl=tls, backlog=1000, limit=1 << 20)
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(list(tasks), timeout=5)
        for _ in range(3):  # so that what was aborted is closed before the loop is
            await asyncio.sleep(0)


@asynccontextmanager
async def backend(act: Act, tls: ssl.SSLContext | None = None) -> AsyncIterator[Backend]:
    """A backend that runs `act` for each request, keep-alive as in life."""
    made = Backend("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.open.add(writer)
        made.connections += 1
        made.most_open = max(made.most_open, len(made.open))
        try:
            while (seen := await _one(reader)) is not None:
                made.seen.append(seen)
                await act(seen, writer)
                await writer.drain()
                if writer.is_closing():
                    return
        finally:
            made.open.discard(writer)

    async with listening(serve, tls) as made.url:
        yield made


def always(data: bytes) -> Act:
    async def act(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return act


def by(choose: Callable[[Seen], bytes]) -> Act:
    async def act(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(choose(seen))

    return act


ESTABLISHED = 1


async def hang(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Never answers; ends with the connection."""
    connection: socket.socket = writer.get_extra_info("socket")
    while connection.fileno() >= 0 and connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == bytes((ESTABLISHED,)):
        await asyncio.sleep(0.01)
    writer.transport.abort()
