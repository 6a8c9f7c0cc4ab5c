"""The mirror gives way: on a machine that runs short of processor time or of memory, live traffic comes first."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

NICENESS = 10
OOM_SCORE = 500
"""Of -1000 (never) to 1000 (first of all): whom the kernel ends when memory runs out."""


def give_way() -> None:
    """Lowers this process's claim to processor time and to memory. Needs no rights; what cannot be lowered stays."""
    with suppress(OSError):
        os.nice(max(0, NICENESS - os.nice(0)))
    with suppress(OSError, ValueError):
        score = Path("/proc/self/oom_score_adj")
        score.write_text(str(max(OOM_SCORE, int(score.read_text()))))
