"""The proxy's own breaker: a candidate that fails its live clients loses them at once, whatever the shadow or the store know.

It trips when more than half of a route's last 20 requests failed, counted since the decision that gave them to the candidate, and when
that is not one client's doing: the last request of several failed, or of most clients where few ask. A single client that sends what no
backend can answer must not take a route back from all others.
It needs no clock: requests that are too few to tell are too few to harm. A copy that failed is not its matter.
"""

from __future__ import annotations

from collections import OrderedDict, deque

LAST = 20
CLIENTS = 50
"""Of so many clients the last request is remembered: those heard of most recently."""
SEVERAL = 3
"""Clients whose last request failed, that are enough however many others ask."""
MOST_FAILED = LAST // 2
"""More failures than this among the last LAST requests trip it, also when there were fewer than LAST yet."""


class _Window:
    """How the last requests of a route ended, and the last one of each client."""

    __slots__ = ("by_client", "last")

    def __init__(self) -> None:
        self.last: deque[bool] = deque(maxlen=LAST)
        self.by_client: OrderedDict[str, bool] = OrderedDict()

    def note(self, failed: bool, client: str) -> bool:
        """Whether that was too much."""
        self.last.append(failed)
        self.by_client[client] = failed
        self.by_client.move_to_end(client)
        if len(self.by_client) > CLIENTS:
            self.by_client.popitem(last=False)
        if sum(self.last) <= MOST_FAILED:
            return False
        harmed = sum(self.by_client.values())
        return harmed >= SEVERAL or 2 * harmed > len(self.by_client)


class Breaker:
    """Counts how the candidate's live requests end, per route."""

    def __init__(self) -> None:
        self._seq: dict[str, int] = {}
        self._failed: dict[str, _Window] = {}

    def note(self, route: str, seq: int, failed: bool, client: str = "") -> bool:
        """A request that the decision `seq` gave to the candidate has ended; True when the route must go back now.

        Requests of an older decision say nothing about a newer one. It trips once per decision.
        """
        known = self._seq.get(route)
        if known is None or seq > known:
            self._seq[route] = seq
            self._failed[route] = _Window()
        elif seq < known:
            return False
        window = self._failed.get(route)
        if window is None:  # it has tripped for this decision
            return False
        if not window.note(failed, client):
            return False
        del self._failed[route]
        return True
