"""Figures as people read them in guards and refusals."""

from __future__ import annotations

import math

_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
_LONGEST_S = 1e12


def duration_text(seconds: float) -> str:
    """The two largest units that matter: `6 d 4 h`, `20 s`, `0 s`; `unknown` for NaN and what is no duration of ours."""
    if not abs(seconds) < _LONGEST_S:
        return "unknown"
    rest = max(0.0, seconds)
    parts: list[str] = []
    for size, name in _UNITS:
        count = int(rest // size)
        if count and len(parts) < 2:
            parts.append(f"{count} {name}")
        rest -= count * size
    return " ".join(parts) or (f"{rest * 1000:.0f} ms" if rest >= 0.001 else "0 s")


def percent_text(share: float) -> str:
    """A share of 1 in per cent with as many digits as it needs to be told from 0: `0.1 %`, `0.0034 %`."""
    if not math.isfinite(share):
        return "unknown"
    value = share * 100.0
    digits = 2 if value == 0.0 or abs(value) >= 1.0 else min(12, 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') or '0'} %"


def count_text(count: int, noun: str) -> str:
    """`1 unit`, `3,642 units`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
