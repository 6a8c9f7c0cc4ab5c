"""Places where the primary was seen to disagree with itself lately: (route, both statuses, aspect, generalised path).

The statuses belong to the place: a primary that answers now 200 and now 404 excuses no candidate that answers 500.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from differ.facts import Difference

Place = tuple[str, str, str, str]


class NoisePlaces:
    """Remembers proven noise for `keep_s` seconds, bounded. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float], keep_s: float = 600.0, maximum: int = 10_000) -> None:
        self._clock, self._keep, self._maximum = clock, keep_s, maximum
        self._proven: OrderedDict[Place, float] = OrderedDict()

    def prove(self, differences: Iterable[Difference]) -> None:
        """The primary disagreed with itself at these places just now."""
        now = self._clock()
        for difference in differences:
            place = _place(difference)
            self._proven[place] = now
            self._proven.move_to_end(place)
        while len(self._proven) > self._maximum:
            self._proven.popitem(last=False)

    def explains(self, difference: Difference) -> bool:
        """Whether the difference stands at a place proven noise within the time kept."""
        at = self._proven.get(_place(difference))
        return at is not None and self._clock() - at <= self._keep


def _place(difference: Difference) -> Place:
    return (difference.atom.route, difference.atom.statuses, difference.atom.aspect, difference.atom.path)
