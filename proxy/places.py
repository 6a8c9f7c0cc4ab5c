"""Keeps a worker process in each of N places: starts it, replaces it when it has died, ends all of them."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
from collections.abc import Callable

import structlog

from proxy.backoff import Backoff
from proxy.drain import WORKER_S
from proxy.errors import ProxyError
from proxy.headcount import make_headcount
from proxy.member import Listening, Member
from proxy.orders import Begin, Drain
from proxy.port import Port
from proxy.worker_environment import worker_environment
from settings.model import Settings, as_document
from store.tasks import spawn

GIVE_UP_S = 1.0
"""Workers have so long to take whom the kernel has accepted already; then the port is closed."""
CUT_S = 2.0
"""A drain that was cut short has so long."""
HOPELESS = 3
"""So many workers that ended before any was ready: there is no use in trying on."""

_log = structlog.get_logger("paritygate.proxy")


class Places:
    """`listening` hears what workers say, `ended` is called in a thread with the boot of each one that is gone."""

    def __init__(self, settings: Settings, key: bytes, port: Port, listening: Listening, ended: Callable[[str], None]) -> None:
        self.members: list[Member] = []
        self.restarts = 0
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with a ProxyError when no worker can be started at all."""
        self.accept_failures = 0
        """Those of workers that are gone."""
        self.news = asyncio.Event()
        """Set whenever a worker has said something or is gone."""
        self._settings, self._key, self._port, self._listening, self._ended = settings, key, port, listening, ended
        self.count = settings.proxy.workers
        self._headcount = make_headcount(self.count)
        self._keeping: list[asyncio.Task[None]] = []
        self._attending: set[asyncio.Task[None]] = set()
        self._stillborn = 0

    def start(self) -> None:
        """Starts the workers; returns at once."""
        self._keeping = [spawn(self._keep(place), f"worker-{place}") for place in range(self.count)]

    async def end(self, number: Callable[[], int], cut_short: asyncio.Event) -> None:
        """Drains all workers; those that have not ended after WORKER_S, or CUT_S after `cut_short`, are ended by force.

        `number` gives the numbers of orders.
        """
        for task in self._keeping:
            task.cancel()
        for member in self.members:
            if member.admitted_by:
                member.tell(Drain(number(), at_once=False))
            else:
                member.kill()  # nobody is connected to it
        cutting = spawn(self._cut(number, cut_short), "cut-short")
        try:
            await self._give_up_port()
            await self._all_gone(WORKER_S - GIVE_UP_S)
        finally:
            cutting.cancel()
            for member in self.members:
                _log.error("a worker does not end and is ended by force", place=member.place, pid=member.pid)
                member.kill()
            await self._all_gone(5.0)
            os.close(self._headcount)

    async def _give_up_port(self) -> None:
        """Ends the listening, for a worker that is stuck as well."""
        front = self._port.front
        try:
            async with asyncio.timeout(GIVE_UP_S):
                while not all(member.standing.draining for member in self.members):
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            pass
        try:
            front.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # a worker has ended it
        front.close()

    async def _cut(self, number: Callable[[], int], cut_short: asyncio.Event) -> None:
        await cut_short.wait()
        _log.warning("the drain is cut short")
        for member in self.members:
            member.tell(Drain(number(), at_once=True))
        await asyncio.sleep(CUT_S)
        for member in self.members:
            member.kill()

    async def _all_gone(self, within_s: float) -> None:
        if self._attending:
            await asyncio.wait(set(self._attending), timeout=within_s)

    async def _keep(self, place: int) -> None:
        """Keeps a worker in this place. One that drains by itself gets its successor at once."""
        backoff, loop = Backoff(), asyncio.get_running_loop()
        while True:
            begun = loop.time()
            member = Member(place, secrets.token_hex(8))
            try:
                await self._launch(member)
                await member.gone.wait()
            except OSError as error:
                member.failure = f"a worker cannot be started: {error.strerror}"
                _log.error(member.failure, place=place)
            self._note_stillborn(member)
            if self.failed.done():
                return
            pause = backoff.after(loop.time() - begun)
            await asyncio.sleep(pause)
            self.restarts += 1
            _log.warning("a worker is replaced", place=place, waited_s=pause)

    async def _launch(self, member: Member) -> None:
        port, settings = self._port, self._settings
        holders = port.holders if port.holders is not None else -1
        arguments: dict[str, int | str] = {
            "front": port.front.fileno(),
            "holders": holders,
            "headcount": self._headcount,
            "place": member.place,
            "places": self.count,
            "serves": settings.proxy.listen,
        }
        files = [number for number in (port.front.fileno(), holders, self._headcount) if number >= 0]
        begin = Begin(
            settings=json.dumps(as_document(settings)),
            base=str(settings.base),
            source=str(settings.source or ""),
            key=self._key,
            boot=member.boot,
            node=socket.gethostname(),
        )
        self.members.append(member)
        try:
            await member.start(arguments, files, worker_environment(settings.state_dir), begin)
        except BaseException:
            self.members.remove(member)
            member.kill()
            raise
        _log.info("a worker is started", place=member.place, pid=member.pid, boot=member.boot)
        task = spawn(self._attend(member), f"worker-{member.place}-{member.boot}")
        self._attending.add(task)
        task.add_done_callback(self._attending.discard)

    async def _attend(self, member: Member) -> None:
        try:
            code = await member.listen(self._listening)
        finally:
            self.members.remove(member)
            self.accept_failures += member.standing.accept_failures
            member.gone.set()
            self.news.set()
        await asyncio.to_thread(self._ended, member.boot)
        tell, ended = (_log.info, "a worker has ended") if code == 0 else (_log.error, "a worker has died")
        tell(ended, place=member.place, pid=member.pid, boot=member.boot, code=code)

    def _note_stillborn(self, member: Member) -> None:
        """Workers that never get ready, from the start on, mean that there is nothing to be kept alive."""
        if self.failed.done() or member.admitted_by:
            self._stillborn = -1
        if self._stillborn < 0:
            return
        self._stillborn += 1
        if member.failure is not None or self._stillborn >= HOPELESS:
            reason = member.failure or "the workers end before they serve; their messages say why"
            self.failed.set_exception(ProxyError(reason))
            self.failed.exception()  # seen, also where nobody waits for it
