"""Brings the ends of exchanges to the store in batches, through outages, and counts each one exactly once.

A batch keeps its token while it is tried again, so that a commit whose answer got lost is not applied twice. While the store is
away, what waits is bounded: in ends, beyond which they are folded (shadow.spool), and in bytes of texts, beyond which an end keeps its
counts and atoms only. So minutes of an outage cost nothing but examples. Beyond the spool's bytes there are but counts
(`lost: store_failed`), which are written when the store returns.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import count

import structlog

from shadow.backlog_size import Slimming, example_size
from shadow.faults import place_of
from shadow.held import Held
from shadow.spool import Spool
from store.database import Store, StoreError
from store.errors import NotKept
from store.records import Batch, Ended, Finding, LatencyCounts, OpeningCounts, RuleSample
from traffic.outcome import Ending, Lost

log = structlog.get_logger("paritygate.shadow")

FLUSH_S = 0.25
FLUSH_ENDS = 200
MAX_BATCH = 4_000
"""Ends of one transaction, when so many wait: the more, the more of them share a row."""
MAX_BACKLOG = 20_000
"""Ends that wait as they are. Those without texts are folded from MOST_UNWRITTEN on, which leaves room for those with texts."""
MOST_UNWRITTEN = 4_000
"""Ends that may wait for a store that works before no more exchanges are taken in: what the proxies then drop is cheaper than what
is judged and lost."""
HANGING_S = 1.0
"""A write that takes longer is an outage: judging goes on, since alarms depend on it."""
MAX_BACKLOG_BYTES = 64 * 1024 * 1024
"""Of texts and examples that wait."""
MAX_SPOOL_BYTES = 64 * 1024 * 1024
"""Of folded ends: four minutes at 1,000 exchanges a second of which no two ask the same, and far more where some do."""
MAX_FINDINGS = 2_000
MAX_SAMPLES = 1_000
MAX_FRESH = 20
OPENINGS_SHARE = 0.05
"""At most this share of the time goes into reading opening counts; a proxy with thousands of routes has a large file."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
PATIENCE = 6
"""Refusals of one batch before it is tried whether the batch itself is the trouble. A place that is full or locked refuses nothing."""

Openings = Callable[[set[str]], Awaitable[Sequence[OpeningCounts]]]


@dataclass(slots=True)
class _Prepared:
    batch: Batch
    token: tuple[str, int]
    patience: int
    failures: int = 0
    refusals: int = 0
    """The failures that were about what is in the batch."""

    @property
    def count(self) -> int:
        """Exchanges in it."""
        return sum(ended.count for ended in self.batch.ended)


class Recorder:
    """The only writer of this process. `openings` reads the opening counts of the given boots and of all connected ones."""

    def __init__(
        self, store: Store, held: Held, openings: Openings, writer: str, keep_examples: int, now: Callable[[], float]
    ) -> None:
        self._store, self._held, self._openings = store, held, openings
        self._writer, self._keep, self._now = writer, keep_examples, now
        self._numbers = count(1)
        self._backlog: deque[tuple[Ended, int]] = deque()
        self._bytes = 0
        self._slimming = Slimming()
        self._spool = Spool(MAX_SPOOL_BYTES)
        self._overflow: Counter[tuple[str, str]] = Counter()
        self._latency: list[LatencyCounts] = []
        self._findings: list[Finding] = []
        self._samples: list[RuleSample] = []
        self._data_nodes: list[tuple[str, str]] = []
        self._prepared: deque[_Prepared] = deque()
        self._written_openings: dict[str, OpeningCounts] = {}
        self._openings_due = 0.0
        self._due = asyncio.Event()
        self._tried = asyncio.Event()
        self._closing = asyncio.Event()
        self._failing = False
        self.commit = asyncio.Lock()
        """Held while anything is committed: whoever holds it sees store and memory of one moment."""

    def put(self, ended: Ended) -> None:
        """Takes the end of one exchange. Never blocks, never refuses: what does not fit is kept as a count."""
        bare = not (ended.differences or ended.example)
        if len(self._backlog) >= (MOST_UNWRITTEN if bare else MAX_BACKLOG) or (bare and self._spool.ends):
            if not self._spool.add(ended if bare else self._slimming.fit(ended, 0)[0]):
                self._overflow[(ended.boot, ended.route)] += ended.count
            return
        ended, size = self._slimming.fit(ended, MAX_BACKLOG_BYTES - self._bytes)
        self._bytes += size
        self._backlog.append((ended, size))
        if len(self._backlog) >= FLUSH_ENDS:
            self._due.set()

    def add_latency(self, counts: Sequence[LatencyCounts]) -> None:
        """Takes increments of latency counts; those of one key are merged, so their number is bounded by routes and epochs."""
        self._latency.extend(counts)
        if len(self._latency) > MAX_FINDINGS:
            merged: dict[tuple[str, str, str, float, float], tuple[int, int]] = {}
            for item in self._latency:
                key = (item.route, item.epoch, item.tau, item.threshold_ms, item.bound_ms)
                slow = merged.get(key, (0, 0))
                merged[key] = (slow[0] + item.primary_slow_only, slow[1] + item.candidate_slow_only)
            self._latency = [LatencyCounts(*key, *slow) for key, slow in merged.items()]

    def add_finding(self, finding: Finding) -> None:
        """Takes a finding; beyond the bound the oldest goes, since it is reported again."""
        self._findings.append(finding)
        del self._findings[:-MAX_FINDINGS]

    def add_samples(self, samples: Sequence[RuleSample]) -> None:
        """Takes what a sample showed of rules; beyond the bound the oldest go, and of all that wait only the newest keep examples."""
        self._samples += samples
        del self._samples[:-MAX_SAMPLES]
        room = MAX_BACKLOG_BYTES // 4
        for at in range(len(self._samples) - 1, -1, -1):
            room -= sum(map(example_size, self._samples[at].examples))
            if room < 0 and self._samples[at].examples:
                self._samples[at] = replace(self._samples[at], examples=())

    def add_data_nodes(self, nodes: Sequence[tuple[str, str]]) -> None:
        """Takes (route, node) pairs whose names turned out to be data."""
        self._data_nodes += nodes
        del self._data_nodes[:-MAX_FINDINGS]

    @property
    def waiting(self) -> int:
        """Exchanges whose ends are not committed yet."""
        backlog = sum(ended.count for ended, _ in self._backlog)
        return backlog + self._spool.ends + sum(self._overflow.values()) + sum(prepared.count for prepared in self._prepared)

    def _many(self, ends: int) -> bool:
        """Whether at least so many ends wait to be put into a batch, or there were more than may wait."""
        return len(self._backlog) + self._spool.ends + len(self._overflow) >= ends

    async def room(self) -> None:
        """Waits while a store that works is behind; not for one that fails."""
        while self._many(MOST_UNWRITTEN) and not (self._failing or self._closing.is_set()):
            self._tried.clear()
            try:
                async with asyncio.timeout(HANGING_S):
                    await self._tried.wait()
            except TimeoutError:
                return

    @property
    def uncertain(self) -> bool:
        """Whether a batch failed in a way that leaves open if it was committed; meaningful while `commit` is held."""
        return any(prepared.failures for prepared in self._prepared)

    def written_until(self) -> float:
        """A moment (Unix time) before which no end of this process is still to be written."""
        waiting = [min(ended.at for ended in prepared.batch.ended) for prepared in self._prepared if prepared.batch.ended]
        if self._backlog:
            waiting.append(self._backlog[0][0].at)
        if (folded := self._spool.oldest()) is not None:
            waiting.append(folded)
        return min([self._now() - FLUSH_S * 2, *waiting])

    async def run(self) -> None:
        """Flushes until closed: each quarter of a second, or sooner when many ends wait."""
        pause = FIRST_PAUSE_S
        while not self._closing.is_set():
            if await self.flush():
                pause = FIRST_PAUSE_S
                await self._wait(FLUSH_S)
            else:
                await self._wait_closing(pause)
                pause = min(LONGEST_PAUSE_S, pause * 2)

    async def close(self, deadline_s: float) -> None:
        """Writes what waits, for at most `deadline_s` seconds; what remains is counted as lost by the next shadow.

        A write under way is not cancelled before the deadline: whether it was committed would be unknown.
        """
        self._closing.set()
        self._due.set()
        self._tried.set()
        self._openings_due = 0.0
        try:
            async with asyncio.timeout(deadline_s):
                pause = FIRST_PAUSE_S
                while not await self.flush() or self.waiting:
                    await asyncio.sleep(pause)
                    pause = min(LONGEST_PAUSE_S, pause * 2)
        except TimeoutError:
            log.error("the store did not take the last ends; the next shadow counts them as lost", count=self.waiting)

    async def _wait_closing(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            pass

    async def _wait(self, seconds: float) -> None:
        if not self._many(FLUSH_ENDS) and not self._closing.is_set():
            self._due.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._due.wait()
            except TimeoutError:
                pass

    async def flush(self) -> bool:
        """Writes what waits; False when the store did not take it (it is kept). Not cancellable between commit and count."""
        async with self.commit:
            fresh = 0
            while True:
                if not self._prepared:
                    # One batch, and more only while many ends wait: opening counts change all the time, and others wait too.
                    if fresh and (fresh >= MAX_FRESH or not (self._overflow or self._many(FLUSH_ENDS))):
                        return True
                    fresh += 1
                    if not await self._prepare():
                        return True
                if not await self._write(self._prepared[0]):
                    return False

    async def _prepare(self) -> bool:
        size = min(len(self._backlog), MAX_BATCH)
        taken = [self._backlog.popleft() for _ in range(size)]
        ended = [item for item, _ in taken]
        self._bytes -= sum(bytes_ for _, bytes_ in taken)
        ended += self._spool.take(MAX_BATCH - size)
        if not (self._backlog or self._spool.ends):
            self._slimming.forget()
            now = self._now()
            for (boot, route), number in self._overflow.items():
                ended.append(Ended(boot, route, now, Ending.LOST, Lost.STORE_FAILED, count=number))
            self._overflow.clear()
        latency, self._latency = tuple(self._latency), []
        findings, self._findings = tuple(self._findings), []
        samples, self._samples = tuple(self._samples), []
        nodes, self._data_nodes = tuple(self._data_nodes), []
        # Read after the ends were taken: a proxy counts an exchange as handed over before it sends it.
        openings = await self._read_openings({item.boot for item in ended})
        batch = Batch(tuple(ended), openings, latency, findings, samples, nodes)
        if batch == Batch():
            return False
        self._push(batch)
        return True

    async def _read_openings(self, boots: set[str]) -> tuple[OpeningCounts, ...]:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        if begun < self._openings_due:
            return ()
        try:
            read = await self._openings(boots)
        except Exception as error:
            log.error("opening counts cannot be read; they are tried again with the next flush", fault=place_of(error))
            return ()
        self._openings_due = loop.time() + (loop.time() - begun) / OPENINGS_SHARE
        changed = tuple(item for item in read if self._written_openings.get(item.boot) != item)
        self._written_openings = {item.boot: item for item in read}
        return changed

    def _push(self, batch: Batch, patience: int = PATIENCE) -> None:
        self._prepared.append(_Prepared(batch, (self._writer, next(self._numbers)), patience))

    async def _write(self, prepared: _Prepared) -> bool:
        try:
            return await self._try(prepared)
        finally:
            self._tried.set()

    async def _try(self, prepared: _Prepared) -> bool:
        try:
            await self._send(prepared)
        except Exception as error:
            prepared.failures += 1
            prepared.refusals += _is_refusal(error)
            if not self._failing:
                self._failing = True
                log.error("the store does not take results; they are kept and tried again", error=_told(error))
            if _is_refusal(error) and prepared.refusals % prepared.patience == 0 and await self._alive():
                # Tried once more between two signs of life: a commit whose answer got lost must not be taken for a refusal.
                try:
                    await self._send(prepared)
                except Exception as again:
                    if not (_is_refusal(again) and await self._alive()):
                        return False
                    self._divide(prepared, again)
                    return True
            else:
                return False
        self._prepared.popleft()
        self._held.committed(prepared.batch.ended)
        if self._failing and not self._prepared:
            self._failing = False
            log.warning("the store takes results again", waiting=self.waiting)
        return True

    async def _send(self, prepared: _Prepared) -> None:
        try:
            await self._store.write(prepared.batch, self._keep, prepared.token)
        except NotKept as error:
            log.error("results are counted, but their examples are not kept", error=_told(error))

    async def _alive(self) -> bool:
        """Whether the store takes anything, which an empty batch alone would not show: a token is a row, and needs the disk."""
        try:
            await self._store.write(Batch(), self._keep, (f"{self._writer} sign of life", next(self._numbers)))
        except Exception:
            return False
        return True

    def _divide(self, prepared: _Prepared, error: Exception) -> None:
        """The store takes others but not this one: take it apart, and in the end keep the count without the detail."""
        self._prepared.popleft()
        parts = _parts(prepared.batch)
        if len(parts) > 1:
            for part in parts:
                self._push(part, patience=1)  # that it is the data's fault is known by now
        elif prepared.batch.ended:
            bare = replace(
                prepared.batch.ended[0], ending=Ending.LOST, reason=Lost.STORE_FAILED, unit=None, tolerated=(), differences=(),
                example=None, epoch="", primary_ms=None, candidate_ms=None, judged=None, suppressed=(),
            )  # fmt: skip
            log.error("the store refuses one exchange; it is counted as lost", route=bare.route, error=_told(error))
            self._push(Batch((bare,)))
        else:
            kind = next(field.name for field in fields(Batch) if getattr(prepared.batch, field.name))
            log.error("the store refuses what is no exchange; it is dropped", kind=kind, error=_told(error))


def _parts(batch: Batch) -> list[Batch]:
    """The batch in pieces, each of fewer things: one for each kind, or two of the only kind; itself where it holds but one thing."""
    kinds = [(field.name, getattr(batch, field.name)) for field in fields(Batch)]
    filled = [(name, items) for name, items in kinds if items]
    if len(filled) > 1:
        return [replace(Batch(), **{name: items}) for name, items in filled]
    name, items = filled[0]
    half = len(items) // 2
    return [replace(Batch(), **{name: some}) for some in (items[:half], items[half:]) if some]


def _told(error: Exception) -> str:
    """A StoreError's text is made for people and holds no secret; any other's may."""
    return str(error) if isinstance(error, StoreError) else place_of(error)


def _is_refusal(error: Exception) -> bool:
    """Whether another batch might be taken: the trouble is in the data, or is a fault of ours with it."""
    return not isinstance(error, StoreError) or error.about_data
