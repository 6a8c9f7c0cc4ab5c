"""How long work in short transactions is told of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """What one short transaction did: `part` names what it looked after, `done` of `total` of that part, `rows` were deleted."""

    part: str
    done: int
    total: int
    rows: int
