"""How often the shadow may ask again: token buckets per route and over all, so that explaining never becomes load."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

MAX_ROUTES = 10_000


class Bucket:
    """Holds up to `burst` tokens and regains `rate` per second."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, now

    def has(self, now: float) -> bool:
        """Whether a token is there."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        return self._tokens >= 1.0

    def take(self) -> None:
        """Takes one token; ask `has` first."""
        self._tokens -= 1.0


class AskBudget:
    """Permission to ask both backends again. `clock` is monotonic seconds."""

    def __init__(
        self,
        clock: Callable[[], float],
        route_rate: float = 5.0,
        route_burst: float = 100.0,
        rate: float = 25.0,
        burst: float = 400.0,
    ) -> None:
        self._clock, self._route_rate, self._route_burst = clock, route_rate, route_burst
        self._all = Bucket(rate, burst, clock())
        self._routes: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, route: str) -> bool:
        """True once per permitted re-ask; a refusal costs nothing."""
        now = self._clock()
        bucket = self._routes.get(route)
        if bucket is None:
            bucket = self._routes[route] = Bucket(self._route_rate, self._route_burst, now)
            if len(self._routes) > MAX_ROUTES:
                self._routes.popitem(last=False)
        if not (bucket.has(now) and self._all.has(now)):
            return False
        bucket.take()
        self._all.take()
        return True
