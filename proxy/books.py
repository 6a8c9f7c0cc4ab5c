"""The counters of all workers a parent has had, so that its sums never go backwards: the living ones' files, the dead ones' totals.

A file is kept open: the shadow removes that of a dead worker once its counts are in the store, and it can still be read then.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import structlog

from store.opening_counts import OpeningCounts
from store.openings import OpeningsError, read_openings_of
from traffic.ledger import SEEN_SLOT, SENT_SLOT, opening_slot
from traffic.outcome import Refused, Skipped

_DIED_SLOT = opening_slot(f"refused:{Refused.PROXY_DIED}", f"skipped:{Skipped.PROXY_DIED}")
_log = structlog.get_logger("paritygate.proxy")


class Books:
    """Thread-safe. Reading takes a while for many routes: only threads should ask for `counts`."""

    def __init__(self, boot: str, node: str) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[int, Path]] = {}
        self._dead = OpeningCounts(boot, node, {})

    def opened(self, boot: str, path: Path) -> None:
        """A worker's file. Raises OpeningsError when it cannot be opened."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise OpeningsError(f"{path}: cannot be read: {error.strerror}") from error
        with self._lock:
            self._open[boot] = (descriptor, path)

    def ended(self, boot: str) -> None:
        """The worker is dead: what it had open is `proxy_died`. Its counts are kept, its file is not."""
        with self._lock:
            descriptor, path = self._open.pop(boot, (-1, Path()))
            if descriptor < 0:
                return
            try:
                counts, _ = read_openings_of(descriptor, path)
            except OpeningsError as error:
                _log.error("the counts of a dead worker are missing from the sums", boot=boot, reason=str(error))
                return
            finally:
                os.close(descriptor)
            for route, slots in counts.routes.items():
                into = self._dead.routes.setdefault(route, {})
                for slot, count in slots.items():
                    into[slot] = into.get(slot, 0) + count
                unanswered = slots.get(SEEN_SLOT, 0) - _answered(slots)
                if unanswered > 0:
                    into[_DIED_SLOT] = into.get(_DIED_SLOT, 0) + unanswered

    def counts(self) -> list[OpeningCounts]:
        """The counts of the living, and one for all of the dead. Raises OpeningsError."""
        with self._lock:
            living = [read_openings_of(descriptor, path)[0] for descriptor, path in self._open.values()]
            dead = {route: dict(slots) for route, slots in self._dead.routes.items()}
        return [*living, OpeningCounts(self._dead.boot, self._dead.node, dead)]

    def close(self) -> None:
        """Gives up the files."""
        with self._lock:
            for descriptor, _ in self._open.values():
                os.close(descriptor)
            self._open.clear()


def _answered(slots: dict[int, int]) -> int:
    return sum(count for slot, count in slots.items() if slot not in (SEEN_SLOT, SENT_SLOT))
