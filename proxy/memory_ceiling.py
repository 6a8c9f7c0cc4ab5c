"""Memory belongs to the clients: a process that nears its ceiling first keeps nothing more for copies, then copies nothing at all.

Clients are served in any case. What is not copied for it is counted as skipped(queue_full), like every copy there was no room for.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from proxy.copy_budget import Copying
from settings.model import Settings
from traffic.outcome import Skipped

if TYPE_CHECKING:
    from proxy.live_path import LivePath

NO_BODIES_AT, NOTHING_AT = 0.80, 0.95
"""Shares of the ceiling."""
SOME_BELOW, ALL_BELOW = 0.90, 0.75
"""The ways back lie lower, so that a proxy at the edge does not flicker."""
LOOK_EVERY_S = 1.0
TRIM_EVERY = 10
"""Looks between two attempts to hand free memory back: the allocator keeps it, and the ceiling counts what it keeps."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")
_CGROUPS = Path("/sys/fs/cgroup")
_log = structlog.get_logger("paritygate.proxy")


class MemoryCeiling:
    """Watches this process's resident memory against `limit` bytes. `resident` reads it; `setting` says where the limit is from."""

    def __init__(self, path: LivePath, limit: int, setting: str, resident: Callable[[], int] | None = None) -> None:
        self._path, self._resident = path, resident or resident_bytes
        self.limit, self._setting = limit, setting
        self._looks = 0

    @property
    def copying(self) -> Copying:
        """What may be copied at the moment."""
        return self._path.copies.copying

    async def run(self, every_s: float = LOOK_EVERY_S) -> None:
        """Looks every `every_s` seconds, for ever."""
        while True:
            try:
                self.look()
                if self.copying is not Copying.ALL:
                    self._looks += 1
                    if self._looks % TRIM_EVERY == 1:
                        await asyncio.to_thread(_trim)
            except Exception:
                _log.exception("the watch over memory failed")
            await asyncio.sleep(every_s)

    def look(self) -> None:
        """Sets what may be copied by the memory of this moment; says so when that changes."""
        resident = self._resident()
        share = resident / self.limit
        copying = self.copying
        if share >= NOTHING_AT:
            copying = Copying.NOTHING
        elif share < ALL_BELOW:
            copying = Copying.ALL
        elif copying is Copying.NOTHING:
            copying = Copying.NO_BODIES if share < SOME_BELOW else Copying.NOTHING
        elif share >= NO_BODIES_AT:
            copying = Copying.NO_BODIES
        if copying is self.copying:
            return
        self._looks = 0
        figures = {"resident_mib": resident >> 20, "ceiling_mib": self.limit >> 20, "ceiling_from": self._setting}
        if copying is Copying.ALL:
            _log.info("memory is below its ceiling again: everything is copied", **figures)
        else:
            what = "nothing is copied" if copying is Copying.NOTHING else "no bodies are kept for copies"
            _log.warning(f"memory nears its ceiling: {what} until it is below {ALL_BELOW:.0%}; clients are served", **figures)
        self._path.copies.allow(copying)
        if copying is Copying.NOTHING:
            for live in self._path.open.values():
                live.skip = live.skip or Skipped.QUEUE_FULL
                live.forget_bodies()


def ceiling_of(settings: Settings, path: LivePath, root: Path = _CGROUPS) -> MemoryCeiling | None:
    """The watch over this process; None where no ceiling is in force. One share of a cgroup's limit is left for the shadow."""
    limit = limit_in_force(settings, root)
    return MemoryCeiling(path, *limit) if limit is not None else None


def limit_in_force(settings: Settings, root: Path = _CGROUPS) -> tuple[int, str] | None:
    """The ceiling of one worker in bytes, and where it is from: proxy.max_memory; else its share of the cgroup's limit; else none."""
    own = settings.proxy.max_memory
    if own is not None:
        return own, "proxy.max_memory"
    limit = cgroup_limit(root)
    if limit is None:
        return None
    return limit // (settings.proxy.workers + 1), "the cgroup's limit, shared with the other processes"


def cgroup_limit(root: Path = _CGROUPS, membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """The smallest memory limit in bytes, of version 1 or 2, that this process is under; None without one below the machine's own."""
    found = []
    try:
        lines = membership.read_text(encoding="ascii", errors="replace").splitlines()
        most = os.sysconf("SC_PHYS_PAGES") * _PAGE
    except (OSError, ValueError):
        return None
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        if controllers == "":
            found += _limits(root, place, "memory.max") + _limits(root / "unified", place, "memory.max")
        elif "memory" in controllers.split(","):
            found += _limits(root / "memory", place, "memory.limit_in_bytes")
    below = [limit for limit in found if 0 < limit < most]
    return min(below, default=None)


def resident_bytes() -> int:
    """Resident memory of this process. Raises OSError where there is no /proc."""
    return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE


def _limits(root: Path, place: str, name: str) -> list[int]:
    """The limits of a group and of all above it. In a container the group's own folder is the root, whatever its place says."""
    found = []
    folder = root / place.strip("/")
    while True:
        with contextlib.suppress(OSError, ValueError):  # "max", or a group of another namespace
            found.append(int((folder / name).read_text(encoding="ascii")))
        if folder in (root, Path("/")):
            return found
        folder = folder.parent


def _trim() -> None:
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
