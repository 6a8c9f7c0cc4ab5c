"""One worker process, as its parent sees it: started, told what to do, listened to, ended."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog

from proxy.orders import MOST_FROM_PARENT, MOST_FROM_WORKER, Begin, FrameReader, Order, Word, encode
from proxy.standing import Standing
from store.tasks import spawn

LOOK_S = 3.0
SILENT_LOOKS = 10
"""A worker that says nothing for so many looks serves nobody either; it is ended by force."""
STARTING_LOOKS = 60
"""The same for one that is only starting: it may have to compile everything first, on a busy machine."""
REAP_S = 5.0
"""A worker that has closed its channel has so long to be gone."""

_log = structlog.get_logger("paritygate.proxy")


class Listening(Protocol):
    """Whoever is told what a worker says."""

    def heard(self, member: Member, word: Order | Word) -> None:
        """One word of a worker. May raise OrderError, which ends that worker."""
        ...


class Member:
    """A worker in its place. `standing` is what it reported last."""

    def __init__(self, place: int, boot: str) -> None:
        self.place, self.boot = place, boot
        self.standing = Standing(place, boot)
        self.openings: str | None = None
        """The path of its counters, once it is ready."""
        self.admitted_by = 0
        """The number of the order to accept clients, 0 while it was not given."""
        self.confirmed = 0
        """The number of the last order it has carried out."""
        self.failure: str | None = None
        self.gone = asyncio.Event()
        """It has ended, or it drains and needs a successor."""
        self._process: Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._heard = True

    @property
    def pid(self) -> int:
        """The process id, 0 before it is started."""
        return self._process.pid if self._process is not None else 0

    @property
    def serves(self) -> bool:
        """Whether it accepts clients."""
        return 0 < self.admitted_by <= self.confirmed and not self.standing.draining and not self.gone.is_set()

    async def start(
        self, arguments: Mapping[str, int | str], files: Sequence[int], env: Mapping[str, str], begin: Begin
    ) -> None:
        """Starts the process with `files` inherited. Raises OSError when the machine gives none."""
        ours, theirs = socket.socketpair()
        # -O: mitmproxy's own checks cost a quarter of the throughput. -P: a folder of the user's must not hide our packages.
        command = [sys.executable, "-O", "-P", "-m", "proxy.worker"]
        for name, value in {**arguments, "orders": theirs.fileno()}.items():
            command += [f"--{name}", str(value)]
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=2,  # standard output is for data
                    pass_fds=(*files, theirs.fileno()),
                    env=dict(env),
                )
        except BaseException:
            ours.close()
            raise
        ours.setblocking(False)
        self._reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self.tell(begin)

    def tell(self, order: Order) -> None:
        """Gives an order without waiting. A worker that does not take its orders is ended: it would serve by old ones."""
        writer = self._writer
        if writer is None or writer.is_closing():
            return
        writer.write(encode(order))
        if writer.transport.get_write_buffer_size() > MOST_FROM_PARENT:
            _log.error("a worker does not take its orders and is ended", place=self.place, pid=self.pid)
            self.kill()

    def kill(self) -> None:
        """Ends the process at once, if it is still there."""
        if self._process is not None and self._process.returncode is None:
            try:
                self._process.kill()
            except ProcessLookupError:
                return

    async def listen(self, listening: Listening) -> int:
        """Passes on what the worker says until it has ended; its exit code (negative: the signal that ended it)."""
        process, writer = self._process, self._writer
        if process is None or writer is None:
            return os.EX_OSERR
        watching = spawn(self._watch(), f"watch-{self.place}")
        try:
            frames = FrameReader(MOST_FROM_WORKER)
            while data := await self._reader.read(65536):
                self._heard = True
                for word in frames.feed(data):
                    listening.heard(self, word)
        except ConnectionError:
            pass  # it died with orders unread
        except Exception as error:
            _log.error("a worker is ended: it cannot be understood", place=self.place, pid=self.pid, reason=str(error))
            self.kill()
        finally:
            watching.cancel()
            writer.transport.abort()
        try:
            async with asyncio.timeout(REAP_S):
                return await process.wait()
        except TimeoutError:
            self.kill()
            return await process.wait()

    async def _watch(self) -> None:
        """Counts looks, not seconds: a parent that was stopped itself has heard nothing either."""
        silent = 0
        while silent < (SILENT_LOOKS if self.openings is not None else STARTING_LOOKS):
            self._heard = False
            await asyncio.sleep(LOOK_S)
            silent = 0 if self._heard else silent + 1
        _log.error("a worker says nothing and is ended", place=self.place, pid=self.pid)
        self.kill()
