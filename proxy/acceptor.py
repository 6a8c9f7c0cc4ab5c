"""Takes clients off a listening socket that several processes may share, a few at a time and no more than its share.

asyncio's own server takes a whole backlog at once: the first process to wake would have all clients of a burst, and those that
are connected already would wait meanwhile.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

import structlog

from proxy.front import BACKLOG
from proxy.headcount import STALE_MS, Headcount

A_TURN = 8
"""Clients taken before those that are connected get their turn again."""
STEP_BACK_S = 0.002
STEPS_BACK = 5
"""A worker that is ahead steps back so often; what the others have not taken then is taken all the same."""
FREE_S = 0.004
"""And for so long it does not step back again: the others are busy or stuck."""
OUT_OF_FILES_S = 0.2
"""Pause after an accept that failed for want of descriptors or memory: trying on would spin."""

_SHORT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_GONE = frozenset({errno.EINVAL, errno.EBADF, errno.ENOTSOCK})
_log = structlog.get_logger("paritygate.proxy")


async def open_streams(client: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The streams of an accepted, non-blocking socket. Raises OSError when the client is gone already."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    try:
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, client)
    except BaseException:
        client.close()
        raise
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class Acceptor:
    """Calls `welcome` with each accepted, non-blocking socket. With a headcount, clients are shared evenly with the siblings."""

    def __init__(self, bound: socket.socket, welcome: Callable[[socket.socket], None], headcount: Headcount | None) -> None:
        self._bound, self._welcome, self._headcount = bound, welcome, headcount
        self._loop = asyncio.get_running_loop()
        self._steps = 0
        self._free_until = 0.0
        self._short_of_files = False
        self._later: asyncio.TimerHandle | None = None
        self._showing: asyncio.TimerHandle | None = None
        self.listening = False
        self.failures = 0
        """Clients that could not be accepted for want of descriptors or memory: counted once for each attempt."""

    def start(self) -> None:
        """Accepts from now on."""
        self.listening = True
        self._bound.setblocking(False)
        self._show()
        self._loop.add_reader(self._bound.fileno(), self._readable)

    def stop(self, for_all: bool = False) -> None:
        """Takes whoever is connected already and no more. `for_all` ends the listening of every process that shares the socket."""
        if not self.listening:
            return
        self._leave()
        try:
            for _ in range(BACKLOG):
                if not self._accept():
                    break
            if for_all:
                self._bound.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # out of descriptors, or a sibling has ended it
        self._bound.close()

    def _leave(self) -> None:
        self.listening = False
        for timer in (self._later, self._showing):
            if timer is not None:
                timer.cancel()
        self._loop.remove_reader(self._bound.fileno())
        if self._headcount is not None:
            self._headcount.show(accepting=False)

    def _show(self) -> None:
        if self._headcount is not None:
            self._headcount.show(accepting=not self._short_of_files)
            self._showing = self._loop.call_later(STALE_MS / 4000, self._show)

    def _readable(self) -> None:
        try:
            for _ in range(A_TURN):
                if self._steps_back() or not self._accept():
                    return
        except OSError as error:
            self._failed(error)

    def _steps_back(self) -> bool:
        headcount = self._headcount
        if headcount is None or not headcount.is_ahead():
            self._steps = 0
            return False
        if self._loop.time() < self._free_until:
            return False
        if self._steps == STEPS_BACK:
            self._steps = 0
            self._free_until = self._loop.time() + FREE_S
            return False
        self._steps += 1
        self._pause(STEP_BACK_S)
        return True

    def _accept(self) -> bool:
        """Takes one client; False when none waits. Raises OSError."""
        try:
            client, _ = self._bound.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        client.setblocking(False)
        self._welcome(client)
        return True

    def _failed(self, error: OSError) -> None:
        if error.errno in _GONE:  # a sibling has ended the listening for all
            self._leave()
            self._bound.close()
        elif error.errno in _SHORT_OF:
            if not self.failures:
                _log.error("clients cannot be accepted", error=error.strerror)
            self.failures += 1
            self._short_of_files = True
            self._pause(OUT_OF_FILES_S)
        # Anything else was one client's own trouble: its network failed before it was here.

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._bound.fileno())
        self._later = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._later, self._short_of_files = None, False
        if self.listening:
            self._loop.add_reader(self._bound.fileno(), self._readable)
