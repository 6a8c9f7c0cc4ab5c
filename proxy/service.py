"""The live path of one process, at work: listener, hand-off, deadlines, and a bounded end. In a worker or on its own."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import structlog

from proxy.deadlines import Watch
from proxy.drain import DRAIN_S, FLUSH_S
from proxy.headcount import Headcount
from proxy.hooks import LiveHooks
from proxy.listener import Listener
from proxy.live_path import LivePath
from proxy.memory_ceiling import ceiling_of
from proxy.process_figures import own_open_files
from proxy.standing import Standing
from store.tasks import spawn
from traffic.outcome import Refused

POLL_S = 0.02

_log = structlog.get_logger("paritygate.proxy")


class Service:
    """Serves clients from `start` until `drain`. `place` is the worker's number among its siblings."""

    def __init__(self, path: LivePath, place: int = 0) -> None:
        self.path = path
        self._place = place
        self._hooks = LiveHooks(path)
        self._listener = Listener(self._hooks)
        self._tasks: list[asyncio.Task[Any]] = []
        self._cut_short = asyncio.Event()

    @property
    def listening(self) -> bool:
        """Whether new clients are accepted."""
        return self._listener.listening

    def start(self, front: socket.socket, headcount: Headcount | None = None) -> None:
        """Accepts clients on `front` from now on."""
        self._tasks = [
            spawn(self.path.handoff.run(), "handoff"),
            spawn(Watch(self._hooks, lambda: self._listener.handlers).run(), "deadlines"),
            spawn(_keep_openings(self.path), "openings-sync"),
        ]
        ceiling = ceiling_of(self.path.settings, self.path)
        if ceiling is not None:
            self._tasks.append(spawn(ceiling.run(), "memory"))
        self._listener.start(front, headcount)

    def standing(self) -> Standing:
        """What is under way at this moment."""
        path = self.path
        return Standing(
            place=self._place,
            boot=path.identity.boot,
            draining=path.draining,
            open=len(path.open),
            clients=self._listener.clients,
            accept_failures=self._listener.accept_failures,
            copies_bytes=path.copies.used,
            handoff_waiting=path.handoff.waiting,
            handoff_connected=path.handoff.connected,
            open_files=own_open_files(),
            copying=int(path.copies.copying),
            certificate_expires=self._listener.certificate_expires,
        )

    def cut_short(self) -> None:
        """A drain that is under way, or begins later, ends at once: what is open is refused."""
        self._cut_short.set()

    async def drain(self, for_all: bool = False) -> None:
        """Ends the service: whoever is connected gets an answer within DRAIN_S, what waits is handed over within FLUSH_S.

        `for_all` ends the listening of every process that shares the port. Cancellation cuts the wait short, not the book-keeping.
        """
        path, loop = self.path, asyncio.get_running_loop()
        begun = loop.time()
        _log.info("drain began", place=self._place, open=len(path.open), clients=self._listener.clients)
        path.draining = True
        self._listener.stop(for_all)
        try:
            await self._answered(begun + DRAIN_S)
        finally:
            cut = len(path.open)
            for live in list(path.open.values()):
                path.refused(live, Refused.DRAINING)
            self._listener.close_idle(set(), grace_s=0.0)
        await self._listener.emptied(max(1.0, begun + DRAIN_S - loop.time()) if not self._cut_short.is_set() else 0.1)
        flushed = not path.handoff.connected or await path.handoff.flush(0.5 if self._cut_short.is_set() else FLUSH_S)
        if not flushed:
            _log.warning("not everything could be handed over before the end", waiting=path.handoff.waiting)
        _log.info(
            "drain ended", place=self._place, refused=cut, waiting=path.handoff.waiting, took_s=round(loop.time() - begun, 3)
        )

    async def close(self) -> None:
        """Ends the tasks and gives the openings up."""
        try:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=2.0)
        finally:
            self.path.close()

    async def _answered(self, deadline: float) -> None:
        """Waits until nobody waits for an answer any more, or until the deadline."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(POLL_S)  # requests that have arrived and were not read yet are no idle connections
        while loop.time() < deadline and not self._cut_short.is_set():
            about_to_ask = self._listener.close_idle({live.client_id for live in self.path.open.values()})
            if not self.path.open and not about_to_ask:
                return
            await asyncio.sleep(POLL_S)


async def _keep_openings(path: LivePath) -> None:
    """Bounds what a power cut can take from the ledger. In a thread: a slow disk must not be felt here."""
    while True:
        await asyncio.sleep(1.0)
        try:
            await asyncio.to_thread(path.openings.sync)
        except OSError as error:
            _log.warning("the openings cannot be synced", error=error.strerror)
