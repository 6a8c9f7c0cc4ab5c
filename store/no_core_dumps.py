"""No core dumps: the memory of proxy and shadow holds what clients and backends say to each other, unredacted."""

from __future__ import annotations

import ctypes
import resource
from contextlib import suppress

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """This process writes no core file when it crashes, through a pipe neither, and no other process of its user can read its memory.

    Needs no rights; each of the two switches holds by itself. Afterwards the files in /proc/<pid> belong to root: what has to be
    written there (shadow.giving_way does) comes first.
    """
    with suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        most = 1 if hard == resource.RLIM_INFINITY else min(1, hard)  # 0 forbids files only; 1, which holds no core, pipes too
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
