"""What an openings file holds, as a fact. A file of its own: a proxy worker needs it, and none of the other records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpeningCounts:
    """One proxy boot's opening slots (traffic.ledger) per route, as read from its openings file: absolute, not increments."""

    boot: str
    node: str
    routes: dict[str, dict[int, int]]
    closed: bool = False
    """True once the proxy is known to be dead: its open requests are then `proxy_died`."""
    at: float = 0.0
    """When it was found dead, in Unix seconds."""
