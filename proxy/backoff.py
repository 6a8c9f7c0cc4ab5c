"""How long to wait before something that died is started again: not at all the first time, then longer and longer."""

from __future__ import annotations

FIRST_S = 0.2
LONGEST_S = 30.0
STEADY_S = 60.0
"""What has lived for so long is started again as if it had never died."""


class Backoff:
    """The pauses of one thing: 0, 0.2, 0.4, ... up to 30 s."""

    def __init__(self) -> None:
        self._next = 0.0

    def after(self, lived_s: float) -> float:
        """Seconds to wait after it has died, having lived for `lived_s`."""
        pause = 0.0 if lived_s > STEADY_S else self._next
        self._next = min(max(pause * 2, FIRST_S), LONGEST_S)
        return pause
