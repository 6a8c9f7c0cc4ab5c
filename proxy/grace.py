"""Takes back a cut-over that nobody has renewed for its grace: nobody has watched the candidate for a day, so the primary serves again.

Only where the primary can be reached: a route that is served well by the candidate is never sent to a backend that is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gate.decision import outlived
from proxy.decision_book import DecisionBook
from proxy.routing import Backend

EVERY_S = 30.0
DEADLINE_S = 2.0

_log = structlog.get_logger("paritygate.proxy")


async def reachable(backend: Backend) -> bool:
    """Whether the backend takes a connection within DEADLINE_S."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            _, writer = await asyncio.open_connection(backend.host, backend.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


class Grace:
    """Looks at the cut-overs every EVERY_S seconds. `now` is Unix time; `primary_there` says whether the primary can be reached."""

    def __init__(self, book: DecisionBook, now: Callable[[], float], primary_there: Callable[[], Awaitable[bool]]) -> None:
        self._book, self._now, self._there = book, now, primary_there
        self._told: set[tuple[str, int]] = set()

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Looks once."""
        late = [one for one in self._book.decisions if outlived(one, self._now()) and one.route not in self._book.alarms]
        if not late:
            return
        there = await self._there()
        for decision in late:
            if there:
                reason = "nobody has renewed this cut-over for its grace: is a shadow running, and does it reach the store?"
                self._book.overrule(decision.route, decision.seq, reason)
            elif (decision.route, decision.seq) not in self._told:
                self._told.add((decision.route, decision.seq))
                _log.error(
                    "a cut-over's grace is over, but the primary cannot be reached: the candidate goes on", route=decision.route
                )
