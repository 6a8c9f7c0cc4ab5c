"""How often the shadow may ask again: so seldom that explaining never becomes load."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

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


class _Account:
    """Tokens that are earned by exchanges and spent no faster than `rate` per second."""

    def __init__(self, limit: AskLimit, now: float) -> None:
        self._limit = limit
        self._earned = limit.burst
        self._pace = Bucket(limit.rate, limit.burst, now)

    def earn(self) -> None:
        self._earned = min(self._limit.burst, self._earned + self._limit.share)

    def has(self, now: float) -> bool:
        return self._earned >= 1.0 and self._pace.has(now)

    def take(self) -> None:
        self._earned -= 1.0
        self._pace.take()


@dataclass(frozen=True, slots=True)
class AskLimit:
    """At most `burst` + `share` for each exchange, and at most `burst` + `rate` for each second."""

    share: float
    rate: float
    burst: float


PER_ROUTE = AskLimit(share=0.25, rate=5.0, burst=20.0)
OVER_ALL = AskLimit(share=0.25, rate=25.0, burst=200.0)


class AskBudget:
    """Permission to ask both backends again. `clock` is monotonic seconds.

    Each backend gets, beyond its copies, at most a quarter as many requests again and a small burst, on each route and over all:
    a route that is wrong in every answer doubles nobody's load.
    """

    def __init__(self, clock: Callable[[], float], per_route: AskLimit = PER_ROUTE, over_all: AskLimit = OVER_ALL) -> None:
        self._clock, self._per_route = clock, per_route
        self._all = _Account(over_all, clock())
        self._routes: OrderedDict[str, _Account] = OrderedDict()

    def passed(self, route: str) -> None:
        """An exchange of `route` is about to be copied."""
        self._all.earn()
        account = self._routes.get(route)
        if account is not None:  # one that has spent nothing is full
            account.earn()

    def take(self, route: str) -> bool:
        """True once per permitted re-ask; a refusal costs nothing."""
        now = self._clock()
        account = self._routes.get(route)
        if account is None:
            account = self._routes[route] = _Account(self._per_route, now)
            if len(self._routes) > MAX_ROUTES:
                self._routes.popitem(last=False)
        if not (account.has(now) and self._all.has(now)):
            return False
        account.take()
        self._all.take()
        return True
