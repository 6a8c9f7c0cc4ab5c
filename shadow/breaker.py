"""A breaker per backend: one that fails again and again is left alone for a while instead of being hammered.

             | success         | failure                              | admit
closed       | failures := 0   | failures + 1; at the limit -> open    | yes
open         | (late) ignored  | (late) ignored                        | no; once the pause is over -> half open, one probe
half open    | -> closed       | -> open, the pause doubles            | no, while its one probe is out

In the half-open state only the probe's own end counts: what was sent before the breaker opened says nothing new.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


LIMIT = 20
PAUSE_S = 1.0
LONGEST_S = 4.0
"""A backend that is well again gets its copies back within so many seconds, and is probed at most once in PAUSE_S before."""
PROBE_S = 15.0
"""A probe whose end is never reported (it was cancelled) does not close the way for longer."""


class Breaker:
    """Counts failures in a row. `clock` is monotonic seconds; a complete answer of any status is a success."""

    def __init__(
        self, clock: Callable[[], float], limit: int = LIMIT, pause_s: float = PAUSE_S, longest_s: float = LONGEST_S
    ) -> None:
        self._clock, self._limit, self._first, self._longest = clock, limit, pause_s, longest_s
        self.state = BreakerState.CLOSED
        self._failures = 0
        self._pause = pause_s
        self._until = 0.0
        self._attempts = 0
        self._probe = 0

    def admit(self) -> int | None:
        """The number of an attempt that may be made now, to be reported with `ended`; None where the backend is left alone."""
        if self.state is not BreakerState.CLOSED:
            if self._clock() < self._until:
                return None
            self.state = BreakerState.HALF_OPEN
            self._until = self._clock() + PROBE_S
            self._probe = self._attempts + 1
        self._attempts += 1
        return self._attempts

    def ended(self, attempt: int, success: bool | None) -> None:
        """How an attempt ended; None where it was never made, or its end says nothing about the backend."""
        if self.state is BreakerState.CLOSED:
            if success is not None:
                self._failures = 0 if success else self._failures + 1
            if self._failures >= self._limit:
                self._open(self._pause)
        elif self.state is BreakerState.HALF_OPEN and attempt == self._probe:
            if success is None:
                self._open(0.0)
            elif success:
                self.state, self._failures, self._pause = BreakerState.CLOSED, 0, self._first
            else:
                self._pause = min(self._longest, self._pause * 2)
                self._open(self._pause)

    def _open(self, pause: float) -> None:
        self.state = BreakerState.OPEN
        self._until = self._clock() + pause
