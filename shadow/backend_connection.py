"""One connection to a backend: one exchange at a time, and whatever comes unasked for ends it."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

import httpx

from shadow.answer_reader import AnswerReader, CutOff, NoAnswer, OverLimit


class BodyOverLimit(httpx.RemoteProtocolError):
    """The answer's body is longer than the limit; the rest of it was not read."""


class BackendConnection(asyncio.Protocol):
    """`sock` is the connected socket beneath. `is_open` says whether another exchange may begin."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self._loop, self._sock = loop, sock
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.is_open = False
        self.idle_since = 0.0

    async def exchange(self, request: bytes, reader: AnswerReader, deadline: float) -> None:
        """Sends `request` and feeds `reader` until the answer is complete. `deadline` is the loop's time.

        Raises httpx.ReadTimeout, ReadError, RemoteProtocolError or BodyOverLimit, after which the connection is closed.
        """
        transport = cast(asyncio.Transport, self._transport)
        self._reader = reader
        waiter = self._waiter = self._loop.create_future()
        transport.write(request)
        timer = self._loop.call_at(deadline, self._fail, httpx.ReadTimeout("no complete answer within the deadline"))
        try:
            await waiter
        except BaseException:
            self.abort()
            raise
        finally:
            timer.cancel()
            self._reader = self._waiter = None
        if not reader.reusable or transport.get_write_buffer_size():  # it answered before it had the whole request
            self.abort()

    def has_been_left(self) -> bool:
        """Whether the backend closed the connection or sent something, as the kernel knows it, which may be before our loop does."""
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def abort(self) -> None:
        """Closes at once; what was to be sent still is dropped."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Called by asyncio: part of the answer, or something that nobody asked for."""
        reader, waiter = self._reader, self._waiter
        if reader is None or waiter is None or waiter.done():
            self.abort()
            return
        try:
            if reader.feed(data):
                waiter.set_result(None)
        except NoAnswer as error:
            self._fail(httpx.RemoteProtocolError(str(error)))
        except OverLimit:
            self._fail(BodyOverLimit("the body is over the limit"))

    def eof_received(self) -> bool:
        """Called by asyncio: the backend sends no more."""
        self._ended()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Called by asyncio."""
        if error is not None:
            self._fail(httpx.ReadError(f"the connection broke: {type(error).__name__}"))
        self._ended()

    def _ended(self) -> None:
        self.is_open = False
        reader, waiter = self._reader, self._waiter
        if reader is None or waiter is None or waiter.done():
            return
        try:
            reader.end()
        except CutOff as error:
            self._fail(httpx.ReadError(str(error)))
        else:
            waiter.set_result(None)

    def _fail(self, error: httpx.TransportError) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self.abort()
