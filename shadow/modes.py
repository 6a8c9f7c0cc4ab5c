"""In which mode a route's evidence is gathered: `shadow` while the primary serves clients, `reverse` once it does not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from traffic.message import Side

QUIET_S = 600.0
MAX_ROUTES = 10_000


class Modes:
    """A canary has both sides live at once; it goes on with the evidence of the shadow phase instead of swinging between two epochs.

    Only a route whose primary answered nobody for `quiet_s` seconds has changed its mode. `clock` is monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float], quiet_s: float = QUIET_S) -> None:
        self._clock, self._quiet = clock, quiet_s
        self._primary_at: OrderedDict[str, float] = OrderedDict()

    def of(self, route: str, live_side: Side) -> str:
        """The mode that an exchange of `route` counts for."""
        now = self._clock()
        at = self._primary_at.setdefault(route, now)
        if live_side is Side.PRIMARY:
            self._primary_at[route] = now
            return "shadow"
        while len(self._primary_at) > MAX_ROUTES:
            self._primary_at.popitem(last=False)
        return "reverse" if now - at > self._quiet else "shadow"
