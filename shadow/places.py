"""Places that something was found out about lately: (route, both statuses, aspect, generalised path).

The statuses belong to the place: a primary that answers now 200 and now 404 excuses no candidate that answers 500.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from differ.facts import Difference

Place = tuple[str, str, str, str]


class Places:
    """Remembers places for `keep_s` seconds, bounded. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float], keep_s: float = 600.0, maximum: int = 10_000) -> None:
        self._clock, self._keep, self._maximum = clock, keep_s, maximum
        self._known: OrderedDict[Place, float] = OrderedDict()

    def remember(self, differences: Iterable[Difference]) -> None:
        """It was found out at these places just now."""
        now = self._clock()
        for difference in differences:
            place = _place(difference)
            self._known[place] = now
            self._known.move_to_end(place)
        while len(self._known) > self._maximum:
            self._known.popitem(last=False)

    def know(self, difference: Difference) -> bool:
        """Whether it was found out at the place of this difference within the time kept."""
        at = self._known.get(_place(difference))
        return at is not None and self._clock() - at <= self._keep


def _place(difference: Difference) -> Place:
    return (difference.atom.route, difference.atom.statuses, difference.atom.aspect, difference.atom.path)
