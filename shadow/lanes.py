"""Lanes: what one client does is mirrored in its order, different clients side by side, all of it bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from shadow.slots import Slots
from store.tasks import spawn

Item = TypeVar("Item")


class Lanes(Generic[Item]):
    """One first-in-first-out queue per key and one ceiling of items (and of their bytes) under way over all keys.

    `work` must settle an item whatever happens to it; `abandon` settles an item that was still queued when its lane was
    cancelled. Every accepted item goes to exactly one of the two, once. `weigh` gives the bytes that an item needs in work.
    """

    def __init__(
        self,
        work: Callable[[Item], Awaitable[None]],
        abandon: Callable[[Item], None],
        weigh: Callable[[Item], int],
        length: int,
        slots: Slots,
    ) -> None:
        self._work, self._abandon, self._weigh, self._length = work, abandon, weigh, length
        self._slots = slots
        self._queues: dict[str, deque[Item]] = {}
        self._runners: dict[str, asyncio.Task[None]] = {}

    def offer(self, key: str, item: Item) -> bool:
        """Queues `item` in the lane `key`; False when that lane is full."""
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = deque((item,))
            self._runners[key] = spawn(self._run(key), "lane")
            return True
        if len(queue) >= self._length:
            return False
        queue.append(item)
        return True

    async def _run(self, key: str) -> None:
        queue = self._queues[key]
        try:
            while queue:
                weight = self._weigh(queue[0])
                await self._slots.take(weight)
                try:
                    await self._work(queue.popleft())  # only now is the item taken: a cancelled wait loses nothing
                finally:
                    self._slots.give(weight)
        finally:
            del self._queues[key], self._runners[key]
            for item in queue:
                self._abandon(item)

    async def drain(self, deadline_s: float) -> None:
        """Lets the queued items finish for at most `deadline_s` seconds, then cancels the rest."""
        runners = dict(self._runners)
        if not runners:
            return
        _, late = await asyncio.wait(runners.values(), timeout=deadline_s)
        if not late:
            return
        for runner in late:
            runner.cancel()
        await asyncio.wait(late, timeout=5.0)
        for key, runner in runners.items():  # a runner cancelled before its first step never reached its `finally`
            if runner in late and key in self._queues and self._runners.get(key) is runner:
                for item in self._queues.pop(key):
                    self._abandon(item)
                del self._runners[key]
