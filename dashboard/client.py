"""The bridge from Streamlit's threads to the store's event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from store.database import Store, open_store

T = TypeVar("T")
DEADLINE_S = 20.0


class StoreClient:
    """One store on one daemon thread with one event loop, for all sessions: an async engine must not change its loop.

    `call` may be used from any thread and waits at most `deadline_s`. Raises what the store raises, and TimeoutError.
    """

    def __init__(self, url: str) -> None:
        self.store: Store = open_store(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="dashboard-store", daemon=True)
        self._thread.start()

    def call(self, work: Callable[[Store], Awaitable[T]], deadline_s: float = DEADLINE_S) -> T:
        """The result of `work(store)`, run on the store's own loop."""

        async def bounded() -> T:
            async with asyncio.timeout(deadline_s):
                return await work(self.store)

        # The second bound only matters when the loop itself hangs.
        return asyncio.run_coroutine_threadsafe(bounded(), self._loop).result(deadline_s + 1.0)

    def close(self) -> None:
        """Closes the store and ends the thread."""
        try:
            self.call(Store.close)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(DEADLINE_S)
            self._loop.close()
