"""What the admin listener sees of the live path and may change: one process, or the parent of several workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gate.facts import Decision
from proxy.decision_book import DecisionBook
from proxy.standing import Standing
from settings.model import Settings
from store.opening_counts import OpeningCounts
from traffic.route import RouteTable


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures of one moment that are no counters of requests. `pids` and `standings` are those of the workers that serve."""

    boot: str
    node: str
    as_of: float
    paused: bool
    draining: bool
    alarms: int
    workers_wanted: int
    workers_ready: int
    restarts: int
    """Workers that died and were replaced, since the start."""
    accept_failures: int
    """Of all workers, dead ones included."""
    standings: tuple[Standing, ...]
    pids: tuple[int, ...]
    most_routes: int
    """`routes.max`: more labels than this are never shown."""


class Control(Protocol):
    """The switches take effect before they return, wherever requests are served. All but `openings` are for the event loop."""

    settings: Settings
    key: bytes
    book: DecisionBook
    routes: RouteTable

    @property
    def ready(self) -> bool:
        """Whether clients are served."""
        ...

    def snapshot(self) -> Snapshot:
        """The gauges as of now."""
        ...

    def openings(self) -> Sequence[OpeningCounts]:
        """The counters of all workers, the dead included. For a thread. Raises store.openings.OpeningsError."""
        ...

    async def pause(self, paused: bool) -> int:
        """Nothing is mirrored any more, or is again. How many workers have not confirmed it in time (they are told all the same)."""
        ...

    async def decide(self, decision: Decision) -> int | None:
        """Enforces a decision. How many workers have not confirmed it in time, None when a newer one is in force."""
        ...

    def drain(self) -> None:
        """Asks the proxy to end."""
        ...
