"""The proxy's own breaker: a candidate that fails its live clients loses them at once, whatever the shadow or the store know.

It trips when more than half of a route's last 20 requests failed, counted since the decision that gave them to the candidate.
It needs no clock: requests that are too few to tell are too few to harm. A copy that failed is not its matter.
"""

from __future__ import annotations

from collections import deque

LAST = 20
MOST_FAILED = LAST // 2
"""More failures than this among the last LAST requests trip it, also when there were fewer than LAST yet."""


class Breaker:
    """Counts how the candidate's live requests end, per route."""

    def __init__(self) -> None:
        self._seq: dict[str, int] = {}
        self._failed: dict[str, deque[bool]] = {}

    def note(self, route: str, seq: int, failed: bool) -> bool:
        """A request that the decision `seq` gave to the candidate has ended; True when the route must go back now.

        Requests of an older decision say nothing about a newer one. It trips once per decision.
        """
        known = self._seq.get(route)
        if known is None or seq > known:
            self._seq[route] = seq
            self._failed[route] = deque(maxlen=LAST)
        elif seq < known:
            return False
        window = self._failed.get(route)
        if window is None:  # it has tripped for this decision
            return False
        window.append(failed)
        if sum(window) <= MOST_FAILED:
            return False
        del self._failed[route]
        return True
