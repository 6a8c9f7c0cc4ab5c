"""`GET /gate/ROUTE`: asks the gate, off the event loop, one question at a time and never for longer than a deadline."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection
from typing import Any

import structlog

GATE_S = 10.0

Judge = Callable[[str, Collection[str]], tuple[int, dict[str, Any]]]
"""From a route and the labels the proxy knows to an HTTP status and a JSON document; runs in a thread and may take its time."""

_log = structlog.get_logger("paritygate.proxy")


class GateProbe:
    """One question at a time: a gate that is asked by a whole build farm must not take the store from anybody."""

    def __init__(self, judge: Judge, deadline_s: float = GATE_S) -> None:
        self._judge = judge
        self._deadline_s = deadline_s
        self._free = asyncio.Semaphore(1)

    async def ask(self, route: str, known: Collection[str]) -> tuple[int, dict[str, Any]]:
        """The judge's answer, or 503 when it did not come in time. A judgement that is late keeps the next one waiting."""
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._free.acquire()
                return await asyncio.shield(self._begin(route, known))
        except TimeoutError:
            return 503, {"error": f"the gate has no answer within {self._deadline_s:g} s; is the store slow?", "route": route}
        except Exception as error:
            _log.exception("the gate failed")
            return 500, {"error": f"the gate failed: {type(error).__name__}", "route": route}

    def _begin(self, route: str, known: Collection[str]) -> asyncio.Future[tuple[int, dict[str, Any]]]:
        """Judges in a thread that the end of the process does not wait for, as it would for one of the event loop's."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[int, dict[str, Any]]] = loop.create_future()

        def end(found: tuple[int, dict[str, Any]] | None, error: Exception | None) -> None:
            self._free.release()
            if error is not None:
                answer.set_exception(error)
                answer.exception()  # seen, also where nobody waits any more
            elif found is not None:
                answer.set_result(found)

        def judge() -> None:
            found, failed = None, None
            try:
                found = self._judge(route, known)
            except Exception as error:
                failed = error
            try:
                loop.call_soon_threadsafe(end, found, failed)
            except RuntimeError:
                return  # the loop has ended meanwhile

        threading.Thread(target=judge, name="gate", daemon=True).start()
        return answer
