"""Takes exchanges from the channel into lanes and sees to it that each ends exactly once, whatever happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from shadow.endings import Endings
from shadow.faults import place_of
from shadow.held import Held
from shadow.lane_keys import LaneKeys
from shadow.lanes import Lanes
from shadow.mirror import Mirror, decoded
from shadow.observers import Observers
from shadow.pending_writes import PendingWrites
from shadow.recorder import Recorder
from shadow.tokens import MAX_BODY
from store.records import Ended
from traffic.message import Exchange
from traffic.outcome import Lost, Skipped

log = structlog.get_logger("paritygate.shadow")

LANE_LENGTH = 256
LANE_AGE_S = 30.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """An exchange in its lane; `arrived` is monotonic seconds."""

    exchange: Exchange
    arrived: float


class Worker:
    """`room` bounds what is held: beyond `most_held` nothing more is read from the channel."""

    def __init__(
        self,
        mirror: Mirror,
        endings: Endings,
        recorder: Recorder,
        held: Held,
        writes: PendingWrites,
        observers: Observers,
        clock: Callable[[], float],
        in_flight: int,
        most_held: int,
        lane_length: int = LANE_LENGTH,
        lane_age_s: float = LANE_AGE_S,
    ) -> None:
        self._mirror, self._endings, self._recorder, self._held = mirror, endings, recorder, held
        self._writes, self._observers, self._clock = writes, observers, clock
        self._most, self._age = most_held, lane_age_s
        self._keys = LaneKeys()
        self._lanes: Lanes[Waiting] = Lanes(self._work, self._abandon, lane_length, in_flight)
        self.under_way = 0
        self.received = 0
        self._room = asyncio.Event()
        self._room.set()

    def accept(self, exchange: Exchange) -> None:
        """Takes one exchange over. From here on it ends exactly once. Never raises."""
        self._held.received(exchange.boot, exchange.route)
        self.received += 1
        self.under_way += 1
        self._writes.begin(exchange.id, exchange.request.method)
        try:
            body = decoded(exchange.live) if len(exchange.live.body) <= MAX_BODY else None
            lane = self._keys.lane(exchange, body)
            accepted = self._lanes.offer(lane, Waiting(exchange, self._clock()))
        except Exception as error:
            log.error("an exchange could not be taken in; it is lost", route=exchange.route, fault=place_of(error))
            self._end(exchange, self._endings.lost(exchange, Lost.WORKER_DIED))
            return
        if not accepted:
            self._end(exchange, self._endings.skipped(exchange, Skipped.LANE_FULL))
        if self.under_way >= self._most:
            self._room.clear()

    async def room(self) -> None:
        """Waits while too much is under way."""
        await self._room.wait()

    async def _work(self, waiting: Waiting) -> None:
        exchange = waiting.exchange
        # Whatever raises below, this is the end that is recorded.
        ended = self._endings.lost(exchange, Lost.WORKER_DIED)
        try:
            if self._clock() - waiting.arrived > self._age:
                ended = self._endings.skipped(exchange, Skipped.LANE_FULL)
            else:
                handled = await self._mirror.handle(exchange)
                ended = handled.ended
                if handled.made is not None:
                    self._observers.observe(handled.made, ended.unit)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.error("a fault of ours on an exchange", route=exchange.route, counted=str(ended.reason), fault=place_of(error))
        finally:
            self._end(exchange, ended)

    def _abandon(self, waiting: Waiting) -> None:
        self._end(waiting.exchange, self._endings.lost(waiting.exchange, Lost.QUEUE_DIED))

    def _end(self, exchange: Exchange, ended: Ended) -> None:
        self._writes.end(exchange.id)
        self._recorder.put(ended)
        self.under_way -= 1
        if self.under_way < self._most:
            self._room.set()

    async def drain(self, deadline_s: float) -> None:
        """Finishes what was accepted within the deadline; the rest ends as lost."""
        await self._lanes.drain(deadline_s)
