"""How much may be in work at once, in exchanges and in bytes; who comes first is served first."""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """`items` at once and about `size` bytes; what is larger than `size` is taken alone."""

    def __init__(self, items: int, size: int) -> None:
        self._items, self._size = items, size
        self.taken = 0
        self.bytes = 0
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    async def take(self, weight: int) -> None:
        """Waits for a slot and for `weight` bytes; give them back with `give`."""
        if not self._waiting and self._fits(weight):
            self._add(weight)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, weight))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(weight)  # it was its turn at the very moment
            else:
                self._waiting.remove((turn, weight))
                self._wake()
            raise

    def give(self, weight: int) -> None:
        """Ends what `take` began."""
        self.taken -= 1
        self.bytes -= weight
        self._wake()

    def _fits(self, weight: int) -> bool:
        return self.taken < self._items and (self.bytes + weight <= self._size or not self.taken)

    def _add(self, weight: int) -> None:
        self.taken += 1
        self.bytes += weight

    def _wake(self) -> None:
        while self._waiting and self._fits(self._waiting[0][1]):
            turn, weight = self._waiting.popleft()
            if not turn.done():
                self._add(weight)
                turn.set_result(None)
