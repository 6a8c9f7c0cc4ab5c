"""A breaker per backend: one that fails again and again is left alone for a while instead of being hammered.

             | success         | failure                              | may_send
closed       | failures := 0   | failures + 1; at the limit -> open    | yes
open         | (late) ignored  | (late) ignored                        | no; once the pause is over -> half open, one probe
half open    | -> closed       | -> open, the pause doubles            | no, while its one probe is out
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Counts failures in a row. `clock` is monotonic seconds; a complete answer of any status is a success."""

    def __init__(self, clock: Callable[[], float], limit: int = 20, pause_s: float = 1.0, longest_s: float = 15.0) -> None:
        self._clock, self._limit, self._first, self._longest = clock, limit, pause_s, longest_s
        self.state = BreakerState.CLOSED
        self._failures = 0
        self._pause = pause_s
        self._until = 0.0

    def may_send(self) -> bool:
        """Whether a copy may be sent now. A yes in the half-open state is the probe: report its end with `ended`."""
        if self.state is BreakerState.OPEN and self._clock() >= self._until:
            self.state = BreakerState.HALF_OPEN
            # A probe whose end is never reported (cancelled) must not close the way for ever.
            self._until = self._clock() + self._longest
            return True
        if self.state is BreakerState.HALF_OPEN and self._clock() >= self._until:
            self._until = self._clock() + self._longest
            return True
        return self.state is BreakerState.CLOSED

    def ended(self, success: bool) -> None:
        """How an attempt ended."""
        if self.state is BreakerState.CLOSED:
            self._failures = 0 if success else self._failures + 1
            if self._failures >= self._limit:
                self._open()
        elif self.state is BreakerState.HALF_OPEN:
            if success:
                self.state, self._failures, self._pause = BreakerState.CLOSED, 0, self._first
            else:
                self._pause = min(self._longest, self._pause * 2)
                self._open()

    def _open(self) -> None:
        self.state = BreakerState.OPEN
        self._until = self._clock() + self._pause
