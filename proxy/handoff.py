"""The hand-off: finished exchanges go to the shadow over a local socket. The live path offers and never waits.

An exchange is counted as sent *before* its first byte is written and is never written twice: whatever the connection then does,
it is either judged by the shadow or counted as lost, and no request is copied two times.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path

import structlog

from store.tasks import spawn
from traffic.codec import Alarm, CodecError, FrameReader, Hello, encode
from traffic.message import Exchange

MAX_BYTES = 64 * 1024 * 1024
"""Bodies and headers that may wait at once, whatever `mirror.queue` says."""
BATCH_BYTES = 256 * 1024
CONNECT_S = 2.0
STALL_S = 30.0
"""A shadow that takes nothing for so long is left, and connected to anew."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0

_log = structlog.get_logger("paritygate.proxy")


class HandOff:
    """The bounded buffer and the connection. `hello` is asked anew for each connection; `sent` counts one exchange."""

    def __init__(
        self,
        path: Path,
        limit: int,
        hello: Callable[[], Hello],
        sent: Callable[[str], None],
        on_alarm: Callable[[Alarm], None],
    ) -> None:
        self._path = path
        self._limit = limit
        self._hello = hello
        self._sent = sent
        self._on_alarm = on_alarm
        self._waiting: deque[tuple[Exchange, int]] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()
        self.connected = False

    @property
    def waiting(self) -> int:
        """How many exchanges wait to be sent."""
        return len(self._waiting)

    def offer(self, exchange: Exchange) -> bool:
        """Takes an exchange to send it soon; False, at once, when there is no room. Never waits, never raises."""
        size = size_of(exchange)
        if len(self._waiting) >= self._limit or (self._waiting and self._bytes + size > MAX_BYTES):
            return False
        self._waiting.append((exchange, size))
        self._bytes += size
        self._emptied.clear()
        self._wake.set()
        return True

    async def run(self) -> None:
        """Connects, sends, and connects again for as long as it lives."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                async with asyncio.timeout(CONNECT_S):
                    reader, writer = await asyncio.open_unix_connection(str(self._path))
            except (OSError, TimeoutError):
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
                continue
            pause = FIRST_PAUSE_S
            listening = spawn(self._listen(reader), "handoff-alarms")
            try:
                self.connected = True
                await self._send(writer, listening)
            except (OSError, TimeoutError, CodecError) as error:
                _log.info("the shadow's connection ended", error=type(error).__name__)
            except Exception:  # whatever it was, it must not end the mirroring for good
                _log.exception("the hand-off failed and connects anew")
                pause = LONGEST_PAUSE_S
            finally:
                self.connected = False
                listening.cancel()
                writer.transport.abort()
            await asyncio.sleep(pause)

    async def flush(self, deadline_s: float) -> bool:
        """Waits until everything offered so far has been sent; False when that took too long."""
        try:
            async with asyncio.timeout(deadline_s):
                await self._emptied.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, writer: asyncio.StreamWriter, listening: asyncio.Task[None]) -> None:
        listening.add_done_callback(lambda _: self._wake.set())
        writer.transport.set_write_buffer_limits(high=0)  # what was written is with the kernel, and survives our end
        await self._write(writer, encode(self._hello()))
        while not listening.done():
            batch, size = [], 0
            while self._waiting and size < BATCH_BYTES:
                exchange, weight = self._waiting.popleft()
                self._bytes -= weight
                self._sent(exchange.route)
                try:
                    batch.append(encode(exchange))
                except CodecError as error:  # sent and never judged: the shadow's books show it as lost
                    _log.warning("an exchange cannot be handed over", route=exchange.route, reason=str(error))
                size += weight
            if size:
                await self._write(writer, b"".join(batch))
                continue
            self._emptied.set()
            self._wake.clear()
            await self._wake.wait()

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        async with asyncio.timeout(STALL_S):
            await writer.drain()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Reads what the shadow says until it ends; what is no frame of ours ends it too."""
        frames = FrameReader()
        try:
            while data := await reader.read(65536):
                for message in frames.feed(data):
                    if isinstance(message, Alarm):
                        self._on_alarm(message)
        except (OSError, CodecError):
            return


def size_of(exchange: Exchange) -> int:
    """About how many bytes an exchange holds."""
    heads = sum(len(n) + len(v) + 8 for n, v in (*exchange.request.headers, *exchange.live.headers))
    return 512 + heads + len(exchange.request.target) + len(exchange.request.body) + len(exchange.live.body)
