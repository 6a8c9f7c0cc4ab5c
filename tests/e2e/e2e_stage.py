"""One event loop in a thread, so that a whole stage can live longer than one test function, and what was played on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from cli.demo_stage import Stage
from demo.traffic import TrafficReport
from traffic.ledger import Ledger

Made = TypeVar("Made")


class LoopThread:
    """`run` a coroutine on the loop from a test; `close` ends the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stage-loop", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Made], deadline: float = 120.0) -> Made:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(deadline)

    def close(self) -> None:
        self.run(self._loop.shutdown_asyncgens())
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@dataclass
class Played:
    """A stage at rest after the demo's traffic."""

    loop: LoopThread
    stage: Stage
    report: TrafficReport
    ledgers: dict[str, Ledger]
