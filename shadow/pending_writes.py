"""Which mirrored writes are under way: a difference seen meanwhile may be a race and not a bug."""

from __future__ import annotations

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class PendingWrites:
    """The writes between their arrival and the end of their copy, by exchange id."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def begin(self, exchange_id: str, method: str) -> None:
        """An exchange arrived; only writes are kept."""
        if method not in SAFE_METHODS:
            self._ids.add(exchange_id)

    def end(self, exchange_id: str) -> None:
        """Its copy is over, or there will be none."""
        self._ids.discard(exchange_id)

    @property
    def any(self) -> bool:
        """Whether a mirrored write of any client is queued or dispatched."""
        return bool(self._ids)
