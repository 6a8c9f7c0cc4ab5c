"""How much of a week's traffic the evidence has seen, hour by hour of the week: a fault of the weekend shows at the weekend (2d)."""

from __future__ import annotations

from collections.abc import Mapping

HOUR_S = 3_600
CELLS = 7 * 24
PROFILE_S = 4 * CELLS * HOUR_S
"""How far back the traffic is looked at."""
FEW, MANY, LARGE = 1, 10, 0.01
"""Units that an hour of the week needs, and that one with more than LARGE of the traffic needs."""


def cell_of(at: float) -> int:
    """The hour of the week of a moment (Unix seconds), 0 to 167; 0 is Thursday, 0 h UTC, as Unix time begins."""
    return int(at // HOUR_S) % CELLS


def covered_share(traffic: Mapping[int, int], units: Mapping[int, int]) -> float:
    """The share of the traffic, given by hour of the week, that lies in hours with enough units; 0 without traffic."""
    total = sum(traffic.values())
    if total <= 0:
        return 0.0
    return sum(count for cell, count in traffic.items() if units.get(cell, 0) >= _needed(count, total)) / total


def _needed(count: int, total: int) -> int:
    return MANY if count > LARGE * total else FEW
