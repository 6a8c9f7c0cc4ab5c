"""The hand-off: finished exchanges go to the shadow over a local socket. The live path offers and never waits.

An exchange is counted as sent *before* its first byte is written and is never written twice: whatever the connection then does,
it is either judged by the shadow or counted as lost, and no request is copied two times.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from store.tasks import spawn
from traffic.codec import Alarm, CodecError, FrameReader, Hello, Leaving, encode

MAX_BYTES = 64 * 1024 * 1024
"""Bodies and headers that may wait at once, whatever `mirror.queue` says."""
BATCH_BYTES = 128 * 1024
GATHER_S = 0.025
"""How long exchanges are gathered before they are sent: waking up and writing once for many costs the live path a tenth."""
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
        self._waiting: deque[tuple[str, Sequence[bytes], int]] = deque()
        self._bytes = 0
        self._transport: asyncio.WriteTransport | None = None
        self._due: asyncio.TimerHandle | None = None
        self._blocked = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._flushing = False
        self.connected = False

    @property
    def waiting(self) -> int:
        """How many exchanges wait to be sent."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether nothing more would be taken; asked before a frame is made."""
        return len(self._waiting) >= self._limit

    def offer(self, route: str, frame: Sequence[bytes]) -> bool:
        """Takes an exchange's frame to send it soon; False, at once, when there is no room. Never waits, never raises."""
        waiting, added = self._waiting, sum(map(len, frame))
        size = self._bytes + added
        if len(waiting) >= self._limit or (waiting and size > MAX_BYTES):
            return False
        waiting.append((route, frame, added))
        self._bytes = size
        if len(waiting) == 1:
            self._emptied.clear()
            if self._transport is not None:
                self._due = asyncio.get_running_loop().call_later(0.0 if self._flushing else GATHER_S, self._push)
        if size >= BATCH_BYTES > size - added:
            self._push()
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
        """Sends what waits without gathering from now on, and waits until it has been sent; False when that took too long."""
        self._flushing = True
        self._push()
        try:
            async with asyncio.timeout(deadline_s):
                await self._emptied.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, writer: asyncio.StreamWriter, listening: asyncio.Task[None]) -> None:
        """Until the connection ends. Only here it is waited for: `_push` sends as long as the kernel takes it at once."""
        listening.add_done_callback(lambda _: self._blocked.set())
        writer.transport.set_write_buffer_limits(high=0)  # what was written is with the kernel, and survives our end
        writer.write(encode(self._hello()))
        self._transport = writer.transport
        try:
            while not listening.done():
                async with asyncio.timeout(STALL_S):
                    await writer.drain()
                self._blocked.clear()
                self._push()
                await self._blocked.wait()
        finally:
            self._transport = None

    def _push(self) -> None:
        """Sends what waits, until the kernel takes no more; the task then waits for it."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        try:
            while self._waiting and not transport.get_write_buffer_size():
                # Not `writelines`: until Python 3.13.1 it fills its buffer without end (CPython's gh-127655).
                transport.write(b"".join(self._batch()))
        except Exception:  # whatever it was, the live path goes on
            _log.exception("the hand-off failed and connects anew")
            transport.abort()
        if transport.get_write_buffer_size():
            self._blocked.set()
        elif not self._waiting:
            self._emptied.set()

    def _batch(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        while self._waiting and size < BATCH_BYTES:
            route, frame, length = self._waiting.popleft()
            self._bytes -= length
            self._sent(route)
            batch += frame
            size += length
        return batch

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Reads what the shadow says until it ends or leaves; what is no frame of ours ends it too."""
        frames = FrameReader()
        try:
            while data := await reader.read(65536):
                for message in frames.feed(data):
                    if isinstance(message, Alarm):
                        self._on_alarm(message)
                    elif isinstance(message, Leaving):
                        return
        except (OSError, CodecError):
            return
