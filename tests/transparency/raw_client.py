"""Plays a case's client against a port and notes everything that can be seen from there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tests.transparency.exchange import HALF_CLOSE, PROBE, Drip, Exchange, Pause, Sees, Step
from tests.transparency.raw_backend import PATIENCE_S, PROBE_ANSWER, RawBackend, Received
from tests.transparency.wire import Answer, Incoming, read_answer


@dataclass
class Seen:
    """What became of a case. `end` is open, closed, reset or "out of step"."""

    answers: list[Answer | None] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    end: str = "open"
    hung: bool = False
    stalled: bool = False
    rest: bytes = b""


async def play(exchange: Exchange, port: int, backend: RawBackend) -> Seen:
    """One run of a case."""
    await backend.begin(exchange)
    seen = Seen()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    incoming = Incoming(reader)
    loop = asyncio.get_running_loop()
    pump = loop.create_task(incoming.pump())
    try:
        async with asyncio.timeout(4 * PATIENCE_S):
            sending = loop.create_task(_send(exchange, incoming, writer, backend, seen))
            try:
                for method in exchange.methods:
                    async with asyncio.timeout(2 * PATIENCE_S):
                        seen.answers.append(await read_answer(method, incoming))
                await sending
            finally:
                sending.cancel()
            seen.end = await _ending(exchange, incoming, writer)
    except TimeoutError:
        seen.hung = True
    finally:
        pump.cancel()
        writer.close()
    await backend.settled()
    seen.rest = incoming.data
    seen.received = list(backend.received)
    seen.stalled = seen.stalled or backend.stalled
    return seen


async def _send(exchange: Exchange, incoming: Incoming, writer: asyncio.StreamWriter, backend: RawBackend, seen: Seen) -> None:
    try:
        for step in exchange.asks:
            await _take(step, incoming, writer, backend, seen)
    except OSError:
        pass  # the other end is gone: what it said is read all the same


async def _take(step: Step, incoming: Incoming, writer: asyncio.StreamWriter, backend: RawBackend, seen: Seen) -> None:
    if isinstance(step, bytes):
        writer.write(step)
        await writer.drain()
    elif isinstance(step, Drip):
        for i in range(len(step.data)):
            writer.write(step.data[i : i + 1])
            await asyncio.sleep(0.001)
    elif isinstance(step, Pause):
        await asyncio.sleep(step.seconds)
    elif isinstance(step, Sees):
        try:
            async with asyncio.timeout(PATIENCE_S):
                await incoming.saw(step.marker)
        except TimeoutError:
            seen.stalled = True
        backend.gate.set()
    elif step is HALF_CLOSE:
        writer.write_eof()


async def _ending(exchange: Exchange, incoming: Incoming, writer: asyncio.StreamWriter) -> str:
    """Whether the connection can still be used, shown by using it."""
    if incoming.ended:
        return "out of step" if incoming.data else incoming.ended
    if not exchange.probe or not writer.can_write_eof() or HALF_CLOSE in exchange.asks:
        async with asyncio.timeout(PATIENCE_S):
            left = await incoming.more(0)
        return "out of step" if left else incoming.ended
    try:
        writer.write(b"GET %b HTTP/1.1\r\nHost: shop.test\r\n\r\n" % PROBE)
        await writer.drain()
    except OSError:
        pass
    while len(incoming.data) < len(PROBE_ANSWER) and PROBE_ANSWER.startswith(incoming.data):
        if not await incoming.more(len(incoming.data)):
            return "out of step" if incoming.data else incoming.ended
    return "open" if incoming.data == PROBE_ANSWER else "out of step"
