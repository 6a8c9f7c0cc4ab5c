"""What this process still holds: exchanges that were received and whose end is not committed, per proxy boot and route."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from store.records import Ended


class Held:
    """Counts exchanges from their arrival to the commit of their end."""

    def __init__(self) -> None:
        self._by_boot: dict[str, Counter[str]] = {}
        self.total = 0

    def received(self, boot: str, route: str) -> None:
        """An exchange arrived."""
        self._by_boot.setdefault(boot, Counter())[route] += 1
        self.total += 1

    def committed(self, ends: Iterable[Ended]) -> None:
        """The ends of received exchanges are in the store."""
        for ended in ends:
            routes = self._by_boot[ended.boot]
            routes[ended.route] -= ended.count
            self.total -= ended.count
            if not routes[ended.route]:
                del routes[ended.route]
            if not routes:
                del self._by_boot[ended.boot]

    def of(self, boot: str) -> Mapping[str, int]:
        """Per route, what is held of one boot."""
        return self._by_boot.get(boot, {})

    @property
    def boots(self) -> set[str]:
        """The boots of which something is held."""
        return set(self._by_boot)


def lost_counts(
    sent: Mapping[str, int], ended: Mapping[str, int], held: Mapping[str, int], received: Mapping[str, int]
) -> dict[str, int]:
    """Per route, the exchanges that were sent before a connection began and that nobody has any more.

    `ended` and `held` may include exchanges received over that connection itself: `received` takes them out again, so the
    figure is right whenever it is taken, as long as `ended` and `held` are of one moment between two commits.
    """
    lost = {}
    for route, count in sent.items():
        missing = count - (ended.get(route, 0) + held.get(route, 0) - received.get(route, 0))
        if missing > 0:
            lost[route] = missing
    return lost
