"""One proxy's socket as the shadow holds it. No asyncio transport: whatever happens to the proxy, what it has sent is read to its end.

A transport closes both directions when a write fails, and a stream forgets what it holds when the other end resets; a proxy that was
killed does both to us, and all that it had announced is still to be read.
"""

from __future__ import annotations

import asyncio
import socket

from shadow.ring_reader import RingReader, map_ring

MAX_UNSENT = 1024 * 1024
MOST_DESCRIPTORS = 4


class ProxyEnd:
    """Owns a connected socket that does not block."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._unsent = bytearray()
        self._writing = False

    async def receive_first(self, size: int, patience_s: float) -> tuple[bytes, RingReader | None]:
        """The first bytes, and the ring that came with them; b"" at the end. What comes later than `patience_s` is without a ring."""
        try:
            async with asyncio.timeout(patience_s):
                await _readable(self._sock)
            data, descriptors, _, _ = socket.recv_fds(self._sock, size, MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        except (TimeoutError, BlockingIOError):
            return await self.receive(size), None
        except ConnectionError:
            return b"", None
        return data, map_ring(descriptors)

    async def receive(self, size: int) -> bytes:
        """Some bytes; b"" at the end, and also when the proxy died without reading what we said: the kernel tells that last."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._sock, size)
        except ConnectionError:
            return b""

    def say(self, frame: bytes) -> bool:
        """Sends a frame soon and never waits; False when the proxy has not read much else before. A proxy that is gone is no error."""
        if len(self._unsent) >= MAX_UNSENT:
            return False
        self._unsent += frame
        if not self._writing:
            self._write()
        return True

    def _write(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent, socket.MSG_NOSIGNAL)]
        except BlockingIOError:
            if not self._writing:
                self._writing = True
                asyncio.get_running_loop().add_writer(self._sock, self._write)
            return
        except OSError:
            self._unsent.clear()  # it is gone; that shows when what it sent has been read
        self._stop_writing()

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            asyncio.get_running_loop().remove_writer(self._sock)

    def close(self) -> None:
        """Closes the socket, with what was not sent."""
        self._stop_writing()
        self._sock.close()


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sock, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sock)
