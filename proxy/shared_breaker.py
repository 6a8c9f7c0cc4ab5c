"""The breaker of a crew: each worker has its own, and the parent one over all of them, since clients are spread over the workers.

Without it a candidate that fails could fail its twenty clients in every worker before the first of them sees enough.
"""

from __future__ import annotations

from collections import deque

from proxy.breaker import Breaker
from proxy.orders import MOST_ENDS


class NotedBreaker(Breaker):
    """A worker's breaker that also keeps what it was told, for the next report. Of too much, the oldest is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self._fresh: deque[tuple[str, int, bool, str]] = deque(maxlen=MOST_ENDS)

    def note(self, route: str, seq: int, failed: bool, client: str = "") -> bool:
        """As Breaker.note."""
        self._fresh.append((route, seq, failed, client))
        return super().note(route, seq, failed, client)

    def take(self) -> tuple[tuple[str, int, bool, str], ...]:
        """What was noted since the last call."""
        taken = tuple(self._fresh)
        self._fresh.clear()
        return taken
