"""The hand-off: finished exchanges go to the shadow through a ring (proxy/ring.py) or over a local socket. Nobody waits for it.

An exchange is counted as sent *before* its first byte is written, or before the shadow is told of it in the ring, and is never sent
twice: whatever the connection then does, it is either judged by the shadow or counted as lost, and no request is copied two times.

The socket alone gives the order: a Filled stands in its stream where the ring's frames would, which are older than what waits for the
socket. While anything waits for the socket, nothing goes into the ring.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from proxy.ring import Ring, new_ring
from store.tasks import spawn
from traffic.codec import Alarm, CodecError, Filled, FrameReader, Hello, Leaving, Taken, encode

MAX_BYTES = 64 * 1024 * 1024
"""Bodies and headers that may wait at once, whatever `mirror.queue` says."""
BATCH_BYTES = 128 * 1024
RING_BATCH_BYTES = 1024 * 1024
"""The same for the ring, where gathering costs no more memory."""
MOST_UNREAD = 1024 * 1024
"""The shadow is told of no more while it has so much of the ring to read: its death costs what it was told of."""
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
        self._ring: Ring | None = None
        self._fresh: deque[tuple[str, int, int]] = deque()
        """What lies in the ring and the shadow was not told of: the route, the position behind it, the size."""
        self._told: deque[tuple[int, int]] = deque()
        """What the shadow was told of and has not read: the position behind it, how many exchanges."""
        self._unread = 0
        self._transport: asyncio.WriteTransport | None = None
        self._due: asyncio.TimerHandle | None = None
        self._blocked = asyncio.Event()
        self._readable = asyncio.Event()
        """The shadow may be told of more in the ring."""
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._flushing = False
        self.connected = False

    @property
    def waiting(self) -> int:
        """How many exchanges wait to be sent."""
        return len(self._waiting) + len(self._fresh)

    @property
    def full(self) -> bool:
        """Whether nothing more would be taken; asked before a frame is made."""
        return len(self._waiting) + len(self._fresh) + self._unread >= self._limit

    def offer(self, route: str, frame: Sequence[bytes]) -> bool:
        """Takes an exchange's frame to send it soon; False, at once, when there is no room. Never waits, never raises."""
        waiting, fresh, ring = self._waiting, self._fresh, self._ring
        added = sum(map(len, frame))
        if len(waiting) + len(fresh) + self._unread >= self._limit:
            return False
        if ring is not None and not waiting and (end := ring.put(frame, added)):
            fresh.append((route, end, added))
            if len(fresh) == 1:
                self._gather()
            if (size := end - ring.told) >= RING_BATCH_BYTES > size - added:
                self._push()
            return True
        size = self._bytes + added
        if waiting and size > MAX_BYTES:
            return False
        waiting.append((route, frame, added))
        self._bytes = size
        if len(waiting) == 1 and not fresh:
            self._gather()
        if size >= BATCH_BYTES > size - added:
            self._push()
        return True

    def _gather(self) -> None:
        """Something waits, and nothing did."""
        self._emptied.clear()
        if self._transport is not None:
            self._due = asyncio.get_running_loop().call_later(0.0 if self._flushing else GATHER_S, self._push)

    async def run(self) -> None:
        """Connects, sends, and connects again for as long as it lives."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                async with asyncio.timeout(CONNECT_S):
                    sock, reader, writer = await self._connect()
            except (OSError, TimeoutError):
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
                continue
            pause = FIRST_PAUSE_S
            ring = new_ring()
            listening = spawn(self._listen(reader, ring), "handoff-alarms")
            try:
                self.connected = True
                await self._send(sock, writer, ring, listening)
            except (OSError, TimeoutError, CodecError) as error:
                _log.info("the shadow's connection ended", error=type(error).__name__)
            except Exception:  # whatever it was, it must not end the mirroring for good
                _log.exception("the hand-off failed and connects anew")
                pause = LONGEST_PAUSE_S
            finally:
                self.connected = False
                listening.cancel()
                self._part()
                writer.transport.abort()
                if ring is not None:
                    ring.close()
            await asyncio.sleep(pause)

    async def _connect(self) -> tuple[socket.socket, asyncio.StreamReader, asyncio.StreamWriter]:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            await asyncio.get_running_loop().sock_connect(sock, str(self._path))
            return sock, *await asyncio.open_unix_connection(sock=sock)
        except BaseException:
            sock.close()
            raise

    def _part(self) -> None:
        """From here on nothing is sent on this connection: what its shadow was not told of goes to the next one."""
        self._transport = None
        ring, self._ring = self._ring, None
        self._told.clear()
        self._unread = 0
        if ring is not None:
            while self._fresh:
                route, end, size = self._fresh.pop()
                self._waiting.appendleft((route, (ring.copy(end, size),), size))
                self._bytes += size

    async def flush(self, deadline_s: float) -> bool:
        """Sends what waits without gathering from now on, and waits until it has been sent; False when that took too long."""
        self._flushing = True
        self._readable.set()
        self._push()
        try:
            async with asyncio.timeout(deadline_s):
                await self._emptied.wait()
        except TimeoutError:
            return False
        return True

    async def _send(
        self, sock: socket.socket, writer: asyncio.StreamWriter, ring: Ring | None, listening: asyncio.Task[None]
    ) -> None:
        """Until the connection ends. Only here it is waited for: `_push` sends as long as the kernel takes it at once."""

        def ended(_: asyncio.Task[None]) -> None:
            self._blocked.set()
            self._readable.set()

        listening.add_done_callback(ended)
        writer.transport.set_write_buffer_limits(high=0)  # what was written is with the kernel, and survives our end
        hello, begun = encode(self._hello()), 0
        if ring is not None:
            try:
                begun = ring.send_with(sock, hello)
            except OSError:
                pass  # the shadow then never says that it can read the ring
        writer.write(hello[begun:])
        self._transport = writer.transport
        self._readable.set()
        try:
            while not listening.done():
                async with asyncio.timeout(STALL_S):
                    await writer.drain()
                    await self._readable.wait()
                if listening.done():  # it ended while the above waited, and its wake-up must not be cleared
                    return
                self._blocked.clear()
                self._push()
                await self._blocked.wait()
        finally:
            self._transport = None

    def _push(self) -> None:
        """Sends what waits, until the kernel takes no more, or the shadow has much to read; the task then waits for it."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        try:
            if self._fresh and not transport.get_write_buffer_size():
                self._announce(transport)
            while self._waiting and not self._fresh and not transport.get_write_buffer_size():
                # Not `writelines`: until Python 3.13.1 it fills its buffer without end (CPython's gh-127655).
                transport.write(b"".join(self._batch()))
        except Exception:  # whatever it was, the live path goes on
            _log.exception("the hand-off failed and connects anew")
            transport.abort()
        if transport.get_write_buffer_size() or self._fresh:
            self._blocked.set()
        elif not self._waiting:
            self._emptied.set()

    def _announce(self, transport: asyncio.WriteTransport) -> None:
        """Tells the shadow of what is fresh in the ring, as far as it may be told."""
        ring, fresh = self._ring, self._fresh
        if ring is None:
            return
        until = ring.told
        most = ring.head if self._flushing else ring.taken + MOST_UNREAD
        count = 0
        while fresh and until < most:
            route, until, _ = fresh.popleft()
            self._sent(route)
            count += 1
        if fresh:
            self._readable.clear()
        if until > ring.told:
            ring.told = until
            self._told.append((until, count))
            self._unread += count
            transport.write(encode(Filled(until)))

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

    async def _listen(self, reader: asyncio.StreamReader, ring: Ring | None) -> None:
        """Reads what the shadow says until it ends or leaves; what is no frame of ours ends it too."""
        frames = FrameReader()
        try:
            while data := await reader.read(65536):
                for message in frames.feed(data):
                    if isinstance(message, Taken) and ring is not None:
                        ring.give_back(message.until)
                        while self._told and self._told[0][0] <= message.until:
                            self._unread -= self._told.popleft()[1]
                        self._ring = ring
                        self._readable.set()
                    elif isinstance(message, Alarm):
                        self._on_alarm(message)
                    elif isinstance(message, Leaving):
                        self._part()
                        return
        except (OSError, CodecError):
            return
