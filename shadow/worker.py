"""Takes exchanges from the channel into lanes and sees to it that each ends exactly once, whatever happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from shadow.bodies import live_body
from shadow.endings import Endings
from shadow.faults import place_of
from shadow.held import Held
from shadow.lane_keys import LaneKeys
from shadow.lanes import Lanes
from shadow.mirror import Mirror
from shadow.observers import Observers
from shadow.pending_writes import PendingWrites
from shadow.recorder import Recorder
from shadow.slots import Slots
from shadow.tokens import answer_tokens
from store.records import Ended
from traffic.message import Exchange
from traffic.outcome import Lost, Skipped

log = structlog.get_logger("paritygate.shadow")

LANE_SHARE = 2
"""One client takes at most one in so many of the places, so that a slow one leaves some to the others."""
LANE_AGE_S = 30.0
MOST_HELD_BYTES = 128 * 1024 * 1024
"""Of exchanges as they came, waiting or in work, whatever `mirror.queue` says. One read of the channel may go beyond."""
MOST_BYTES_IN_WORK = 64 * 1024 * 1024
"""The same of those in work, the answer that is awaited included, which is taken to be as large as the live one."""
BARE_BYTES = 2_048


@dataclass(frozen=True, slots=True)
class Waiting:
    """An exchange in its lane; `arrived` is monotonic seconds, `issued` the tokens that its live answer issues, by place."""

    exchange: Exchange
    arrived: float
    size: int
    issued: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HeldCeilings:
    """How much is held at most: in exchanges and in bytes, and of these in work at once."""

    held: int
    in_work: int
    held_bytes: int = MOST_HELD_BYTES
    bytes_in_work: int = MOST_BYTES_IN_WORK


class Worker:
    """`room` bounds what is held: beyond the ceilings nothing more is read from the channel, and the proxies drop and count."""

    def __init__(
        self,
        mirror: Mirror,
        endings: Endings,
        recorder: Recorder,
        held: Held,
        writes: PendingWrites,
        observers: Observers,
        clock: Callable[[], float],
        ceilings: HeldCeilings,
        lane_age_s: float = LANE_AGE_S,
    ) -> None:
        self._mirror, self._endings, self._recorder, self._held = mirror, endings, recorder, held
        self._writes, self._observers, self._clock = writes, observers, clock
        self._ceilings, self._age = ceilings, lane_age_s
        self._keys = LaneKeys()
        slots = Slots(ceilings.in_work, ceilings.bytes_in_work)
        self._lanes: Lanes[Waiting] = Lanes(
            self._work, self._abandon, _weight_in_work, max(1, ceilings.held // LANE_SHARE), slots
        )
        self.under_way = 0
        self.bytes_under_way = 0
        self.received = 0
        self._room = asyncio.Event()
        self._room.set()

    def accept(self, exchange: Exchange) -> None:
        """Takes one exchange over. From here on it ends exactly once. Never raises."""
        size = size_of(exchange)
        self._held.received(exchange.boot, exchange.route)
        self.received += 1
        self.under_way += 1
        self.bytes_under_way += size
        self._writes.begin(exchange.id, exchange.request.method)
        try:
            issued = answer_tokens(exchange.live, live_body(exchange.live))
            waiting = Waiting(exchange, self._clock(), size, issued)
            accepted = self._lanes.offer(self._keys.lane(exchange, issued), waiting)
        except Exception as error:
            log.error("an exchange could not be taken in; it is lost", route=exchange.route, fault=place_of(error))
            self._end(exchange, size, self._endings.lost(exchange, Lost.WORKER_DIED))
            return
        if not accepted:
            self._end(exchange, size, self._endings.skipped(exchange, Skipped.LANE_FULL))
        elif self._full():
            self._room.clear()

    def _full(self) -> bool:
        return self.under_way >= self._ceilings.held or self.bytes_under_way >= self._ceilings.held_bytes

    async def room(self) -> None:
        """Waits while too much is under way."""
        await self._room.wait()

    async def _work(self, waiting: Waiting) -> None:
        exchange = waiting.exchange
        ended: Ended | None = None
        try:
            if self._clock() - waiting.arrived > self._age:
                ended = self._endings.skipped(exchange, Skipped.LANE_FULL)
            else:
                handled = await self._mirror.handle(exchange, waiting.issued)
                ended = handled.ended
                if handled.made is not None:
                    self._observers.observe(handled.made, ended.unit)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            counted = "as judged" if ended is not None else str(Lost.WORKER_DIED)
            log.error("a fault of ours on an exchange", route=exchange.route, counted=counted, fault=place_of(error))
        finally:
            # Whatever was raised above, this is the end that is recorded.
            self._end(exchange, waiting.size, ended or self._endings.lost(exchange, Lost.WORKER_DIED))

    def _abandon(self, waiting: Waiting) -> None:
        self._end(waiting.exchange, waiting.size, self._endings.lost(waiting.exchange, Lost.QUEUE_DIED))

    def _end(self, exchange: Exchange, size: int, ended: Ended) -> None:
        self._writes.end(exchange.id)
        self._recorder.put(ended)
        self.under_way -= 1
        self.bytes_under_way -= size
        if not self._full():
            self._room.set()

    async def drain(self, deadline_s: float) -> None:
        """Finishes what was accepted within the deadline; the rest ends as lost."""
        await self._lanes.drain(deadline_s)


def size_of(exchange: Exchange) -> int:
    """About how many bytes an exchange holds."""
    heads = sum(len(name) + len(value) for name, value in (*exchange.request.headers, *exchange.live.headers))
    return BARE_BYTES + heads + len(exchange.request.target) + len(exchange.request.body) + len(exchange.live.body)


def _weight_in_work(waiting: Waiting) -> int:
    return waiting.size + len(waiting.exchange.live.body)
