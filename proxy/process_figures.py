"""Memory and descriptors of a process, as the kernel counts them. For a thread: many descriptors take a while to list."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """`open_files` is None where it was not asked for, or the kernel does not tell us."""

    resident_bytes: int
    open_files: int | None


def own_open_files() -> int:
    """How many descriptors this process has open, told at once; 0 where the kernel does not count them (before Linux 6.2)."""
    try:
        return os.stat("/proc/self/fd").st_size
    except OSError:
        return 0


def read_process(pid: int, count_files: bool = True) -> ProcessFigures | None:
    """The figures of a process, None when it is gone or there is no /proc."""
    folder = Path("/proc") / str(pid)
    try:
        resident = int((folder / "statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return None
    try:
        files = len(os.listdir(folder / "fd")) if count_files else None
    except OSError:
        files = None
    return ProcessFigures(resident, files)
