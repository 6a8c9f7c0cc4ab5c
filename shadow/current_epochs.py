"""The epoch a route was in before this shadow started, for errors of a candidate that has not named its build yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gate.facts import Evidence

log = structlog.get_logger("paritygate.shadow")

DEADLINE_S = 2.0
PAUSE_S = 5.0
MAX_ROUTES = 10_000


class CurrentEpochs:
    """Asks the store once per route; while it is away, once in PAUSE_S. `clock` is monotonic seconds."""

    def __init__(self, recall: Callable[[str], Awaitable[Evidence]], clock: Callable[[], float]) -> None:
        self._recall, self._clock = recall, clock
        self._known: dict[str, str] = {}
        self._again_at = float("-inf")
        self._asking = asyncio.Lock()

    async def of(self, route: str) -> str:
        """The route's current epoch in the store; "" where there is none or the store does not say. Never raises."""
        async with self._asking:
            if route in self._known or self._clock() < self._again_at:
                return self._known.get(route, "")
            try:
                async with asyncio.timeout(DEADLINE_S):
                    epoch = (await self._recall(route)).epoch
            except Exception as error:
                self._again_at = self._clock() + PAUSE_S
                log.warning(
                    "the epoch of a route cannot be read; its errors count for an unnamed build", route=route, error=str(error)
                )
                return ""
            if epoch and len(self._known) < MAX_ROUTES:
                self._known[route] = epoch
            return epoch
