"""How many clients each worker of a crew has, in a page of memory that all of them share: by it they share new clients evenly.

Each worker writes its own line only, each field with one aligned 8-byte store. What is read may be a moment old; it decides who
accepts first, and never whether anybody does.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable

STALE_MS = 1_000
"""A worker that has not shown itself for so long is not waited for."""
_LINE = 64  # bytes: a cache line, so that the workers do not write into each other's
_FIELDS = _LINE // 8
_CLIENTS, _SEEN, _ACCEPTING = 0, 1, 2


def make_headcount(places: int) -> int:
    """The descriptor of a page for so many workers, all of them absent. The caller closes it."""
    descriptor = os.memfd_create("paritygate-headcount", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, places * _LINE)
    return descriptor


class Headcount:
    """One worker's view. `clock` is monotonic seconds, the same for all processes of the machine."""

    def __init__(self, descriptor: int, places: int, place: int, clock: Callable[[], float]) -> None:
        self._page = memoryview(mmap.mmap(descriptor, places * _LINE)).cast("Q")
        self._mine = place * _FIELDS
        self._others = [other * _FIELDS for other in range(places) if other != place]
        self._clock = clock

    def arrived(self) -> None:
        """This worker has one more client."""
        self._page[self._mine + _CLIENTS] += 1

    def left(self) -> None:
        """This worker has one client less."""
        self._page[self._mine + _CLIENTS] -= 1

    def show(self, accepting: bool) -> None:
        """This worker is alive; to be called several times within STALE_MS."""
        self._page[self._mine + _SEEN] = int(self._clock() * 1000)
        self._page[self._mine + _ACCEPTING] = int(accepting)

    def clear(self) -> None:
        """A new worker in an old place: whoever was there before is gone, and its clients with it."""
        for number in range(_FIELDS):
            self._page[self._mine + number] = 0

    def is_ahead(self) -> bool:
        """Whether this worker has clearly more clients than the one that accepts and has fewest."""
        page = self._page
        mine = page[self._mine + _CLIENTS]
        oldest = int(self._clock() * 1000) - STALE_MS
        for other in self._others:
            clients = page[other + _CLIENTS]
            if mine > clients + 1 + clients // 16 and page[other + _ACCEPTING] and page[other + _SEEN] >= oldest:
                return True
        return False
