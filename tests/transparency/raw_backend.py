"""A backend that plays what the case under way says, byte by byte, and notes what it was asked."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass

from tests.transparency.exchange import CLOSE, GATE, PROBE, READ, RESET, Act, Drip, Exchange, Pause, Step
from tests.transparency.wire import Body, Head, Incoming, read_request_body

PATIENCE_S = 5.0
"""How long a step may wait for the other end before the case counts as stalled or hanging."""
PROBE_ANSWER = b"HTTP/1.1 200 OK\r\nX-Probe: yes\r\nContent-Length: 5\r\n\r\nprobe"


@dataclass(frozen=True)
class Received:
    """A request as the backend got it."""

    head: Head
    body: Body


class RawBackend:
    """Plays one case at a time; `begin` starts the next one."""

    def __init__(self) -> None:
        self.port = 0
        self.received: list[Received] = []
        self.gate = asyncio.Event()
        self.stalled = False
        self.connections = 0
        self.busy = 0
        self._exchange: Exchange | None = None
        self._turn = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._silence()

    async def begin(self, exchange: Exchange) -> None:
        await self._silence()
        self._exchange, self._turn = exchange, 0
        self.received, self.stalled, self.connections = [], False, 0
        self.gate = asyncio.Event()

    async def settled(self) -> None:
        """Waits until every request of the case has come and was played; a request that never comes is not waited for long."""
        wanted = len(self._exchange.says) if self._exchange is not None else 0
        for turn in range(200):
            if not self.busy and (self._turn >= wanted or turn > 10):
                return
            await asyncio.sleep(0.005)

    async def _silence(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        incoming = Incoming(reader)
        pump = asyncio.get_running_loop().create_task(incoming.pump())
        try:
            while await self._serve(incoming, writer):
                pass
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            pump.cancel()
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, incoming: Incoming, writer: asyncio.StreamWriter) -> bool:
        head = await incoming.head()
        if head is None:
            return False
        if head.line.split(b" ")[1] == PROBE:
            writer.write(PROBE_ANSWER)
            return True
        exchange = self._exchange
        if exchange is None or self._turn >= len(exchange.says):
            writer.write(b"HTTP/1.1 500 Nothing More To Say\r\nContent-Length: 0\r\n\r\n")
            return True
        steps = exchange.says[self._turn]
        self._turn += 1
        self.busy += 1
        number = len(self.received)
        self.received.append(Received(head, Body(whole=False)))
        try:
            keep = await self._play(exchange, steps, head, number, incoming, writer)
        finally:
            self.busy -= 1
        if not keep and not writer.is_closing():  # an orderly end: over unread bytes, closing would reset
            writer.write_eof()
            await incoming.until_end()
        return keep

    async def _play(
        self,
        exchange: Exchange,
        steps: tuple[Step, ...],
        head: Head,
        number: int,
        incoming: Incoming,
        writer: asyncio.StreamWriter,
    ) -> bool:
        pending = True

        async def read() -> None:
            nonlocal pending
            if pending:
                pending = False
                self.received[number] = Received(head, await read_request_body(head, incoming))

        if not exchange.early:
            await read()
        for step in steps:
            if step is READ:
                await read()
            elif step is CLOSE:
                await writer.drain()
                return False
            elif step is RESET:
                await writer.drain()
                await asyncio.sleep(0.02)  # what was written should arrive before the reset takes the rest away
                reset(writer)
                return False
            else:
                await self._say(step, writer)
        await writer.drain()
        if b"upgrade" in b",".join(head.values(b"connection")).lower() and steps and b" 101 " in bytes_of(steps)[:20]:
            await echo(incoming, writer)
            return False
        await read()
        return persistent(head)

    async def _say(self, step: Step, writer: asyncio.StreamWriter) -> None:
        if isinstance(step, bytes):
            writer.write(step)
        elif isinstance(step, Drip):
            for i in range(len(step.data)):
                writer.write(step.data[i : i + 1])
                await asyncio.sleep(0.001)
        elif isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif step is GATE:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self.gate.wait()
            except TimeoutError:
                self.stalled = True
        else:
            assert not isinstance(step, Act), step


def persistent(head: Head) -> bool:
    """Whether a backend keeps the connection after this request, as RFC 9112 9.3 has it."""
    tokens = [token.strip().lower() for token in b",".join(head.values(b"connection")).split(b",")]
    return b"close" not in tokens and (head.line.endswith(b"HTTP/1.1") or b"keep-alive" in tokens)


def bytes_of(steps: tuple[Step, ...]) -> bytes:
    return b"".join(step for step in steps if isinstance(step, bytes))


async def echo(incoming: Incoming, writer: asyncio.StreamWriter) -> None:
    """Another protocol: gives every byte back in capitals, and ends when the other side has ended."""
    while await incoming.more(0):
        writer.write(incoming.take(len(incoming.data)).upper())
        await writer.drain()
    writer.write(b"BYE")
    await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with RST."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
