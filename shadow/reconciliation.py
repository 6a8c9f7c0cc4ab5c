"""Counts what died: exchanges a proxy sent to a shadow that is gone, and everything open of a proxy that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from shadow.channel import Channel, Connection
from shadow.faults import Outage
from shadow.held import Held, lost_counts
from shadow.recorder import Recorder
from store.database import Store
from store.openings import OpeningsError, read_openings
from store.reconcile import reconcile
from store.records import Batch, Ended, OpeningCounts
from store.tasks import spawn
from traffic.outcome import Ending, Lost

log = structlog.get_logger("paritygate.shadow")

EVICT_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
SWEEP_S = 2.0
MAX_TOLD = 100


class Reconciliation:
    """Knows every proxy boot that is or was connected. `now` is Unix time."""

    def __init__(self, store: Store, held: Held, state_dir: Path, keep_examples: int, now: Callable[[], float]) -> None:
        self._store, self._held, self._state_dir, self._keep, self._now = store, held, state_dir, keep_examples, now
        self._latest: dict[str, Connection] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._unread: set[str] = set()
        self._told: set[str] = set()

    async def greet(self, connection: Connection, channel: Channel, recorder: Recorder) -> None:
        """A proxy said hello: an older connection of the same boot is read to its end, then what was lost is counted."""
        hello = connection.hello
        assert hello is not None
        for older in list(channel.connections):
            if older is not connection and older.hello is not None and older.hello.boot == hello.boot:
                await channel.evict(older, EVICT_S)
        self._latest[hello.boot] = connection
        task = self._tasks.get(hello.boot)
        if task is None or task.done():
            self._tasks[hello.boot] = spawn(self._count_lost(hello.boot, recorder), f"reconcile {hello.boot}")

    async def _count_lost(self, boot: str, recorder: Recorder) -> None:
        pause = FIRST_PAUSE_S
        outage = Outage("what an earlier shadow lost cannot be counted yet")
        done: Connection | None = None
        while done is not (connection := self._latest[boot]):
            try:
                # A reconnect in the meantime replaces `connection`; then its hello, which covers this one, is counted next.
                if await self._write_lost(boot, connection, recorder):
                    done, pause = connection, FIRST_PAUSE_S
                    continue
            except Exception as error:
                outage.failed(error)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE_S, pause * 2)

    async def _write_lost(self, boot: str, connection: Connection, recorder: Recorder) -> bool:
        hello = connection.hello
        assert hello is not None
        async with recorder.commit:
            if recorder.uncertain:
                return False  # a batch may or may not be in the store: wait until that is known
            ended = await self._store.ended_counts(boot)
            lost = lost_counts(hello.sent, ended, self._held.of(boot), connection.received)
            if lost:
                now = self._now()
                rows = [Ended(boot, route, now, Ending.LOST, Lost.WORKER_DIED, count=count) for route, count in lost.items()]
                await self._store.write(Batch(ended=tuple(rows)), self._keep)
                log.warning("exchanges were lost with an earlier shadow", boot=boot, count=sum(lost.values()))
        return True

    async def openings(self, boots: set[str]) -> list[OpeningCounts]:
        """The opening counts of all connected proxies and of `boots`. A dead proxy is closed by `sweep` only, never here."""
        found = []
        for boot, connection in list(self._latest.items()):
            if connection.closed.is_set() and boot not in boots and boot not in self._held.boots:
                continue
            assert connection.hello is not None
            try:
                counts, _ = await asyncio.to_thread(read_openings, Path(connection.hello.openings))
            except OpeningsError as error:
                if boot not in self._unread:
                    self._unread.add(boot)
                    log.warning("a proxy's opening counts cannot be read", boot=boot, error=str(error))
                continue
            if counts.boot == boot:
                found.append(OpeningCounts(counts.boot, counts.node, counts.routes))
        return found

    def busy(self) -> set[str]:
        """The boots that may still end something here."""
        connected = {boot for boot, connection in self._latest.items() if not connection.closed.is_set()}
        running = {boot for boot, task in self._tasks.items() if not task.done()}
        return connected | running | self._held.boots

    async def sweep(self) -> None:
        """Closes the books of dead proxies, again and again until cancelled."""
        outage = Outage("the books of dead proxies cannot be closed yet")
        while True:
            try:
                for problem in await reconcile(self._store, self._state_dir, self.busy()):
                    if problem not in self._told and len(self._told) < MAX_TOLD:
                        self._told.add(problem)
                        log.error("the books of a dead proxy stay open", problem=problem)
                outage.worked()
            except Exception as error:
                outage.failed(error)
            self._forget()
            await asyncio.sleep(SWEEP_S)

    def _forget(self) -> None:
        busy = self.busy()
        for boot in [boot for boot in self._latest if boot not in busy]:
            del self._latest[boot]
            self._tasks.pop(boot, None)
            self._unread.discard(boot)

    async def close(self) -> None:
        """Stops counting; what was not counted is counted by the next shadow, from the same hello figures."""
        tasks = [task for task in self._tasks.values() if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5.0)
