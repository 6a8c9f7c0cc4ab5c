"""The tee: lets a body pass untouched and keeps a bounded copy of it for the comparison."""

from __future__ import annotations

from proxy.copy_budget import CopyBudget


class Tee:
    """A callable for mitmproxy's `stream`: hands each piece on at once and keeps at most `limit` bytes, all taken from `budget`.

    A body that is larger, or whose copy is not wanted any more, is not kept at all: half a body is never compared.
    """

    __slots__ = ("_budget", "_keeps", "_kept", "_limit", "_pieces", "size", "starved")

    def __init__(self, limit: int, keep: bool, budget: CopyBudget) -> None:
        self._limit = limit
        self._keeps = keep
        self._budget = budget
        self._kept = 0
        self._pieces: list[bytes] = []
        self.size = 0
        self.starved = False
        """The copy was given up because all open requests together kept too much."""

    def __call__(self, data: bytes) -> bytes:
        self.size += len(data)
        if self._keeps and data:
            if self.size > self._limit:
                self.drop()
            elif not self._budget.take(len(data)):
                self.starved = True
                self.drop()
            else:
                self._kept += len(data)
                self._pieces.append(data)
        return data

    @property
    def over(self) -> bool:
        """Whether the body has grown over the limit."""
        return self.size > self._limit

    def drop(self) -> None:
        """Gives up the copy and its memory; the body keeps passing."""
        self._keeps = False
        self._pieces.clear()
        self._budget.give(self._kept)
        self._kept = 0

    def body(self) -> bytes:
        """What was kept."""
        return b"".join(self._pieces)
