"""No client and no single request may speak for a route: of each at most a share of an epoch's units counts (reference 2f).

A window's units are taken with the lowest ranks first, which know nothing of verdicts; what is over a share is dropped. At the beginning
every share would round to nothing, so each client and each request may always add FLOOR units a window: whether the shares hold over the
whole epoch is then a guard's to say (gate.coverage_guards.diversity), from counts of those that are frequent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

FLOOR = 1
_DIRECTLY = 5


@dataclass(frozen=True, slots=True)
class UnitLimits:
    """How many units may be open in a route's window, what share of an epoch's units one client and one request may have, and how many

    shapes of a route are told apart.
    """

    max_open: int = 20_000
    client_share: float = 0.05
    request_share: float = 0.20
    max_shapes: int = 2_000


USUAL = UnitLimits()


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a window that closes. `rank` is a hash of its key."""

    rank: int
    client: str
    request: str
    shape: str
    bad: bool
    at: float
    served: bool = False


@dataclass(frozen=True, slots=True)
class Frequent:
    """Counts of the most frequent keys (Misra and Gries 1982): each, and the 0 of one that is not here, is at most `missed` too low."""

    counts: Mapping[str, int]
    missed: int = 0

    def most(self) -> int:
        """The largest count that any key can have."""
        return max(self.counts.values(), default=0) + self.missed

    def plus(self, added: Mapping[str, int], capacity: int) -> Frequent:
        """With more counted; at most `capacity` keys stay (Agarwal et al. 2012, mergeable summaries)."""
        counts = dict(self.counts)
        for key, count in added.items():
            counts[key] = counts.get(key, 0) + count
        if len(counts) <= capacity:
            return Frequent(counts, self.missed)
        taken = sorted(counts.values(), reverse=True)[capacity]
        return Frequent({key: count - taken for key, count in counts.items() if count > taken}, self.missed + taken)


def capacity_for(share: float) -> int:
    """How many keys are enough to know a share twice as exactly as it is asked for: 40 for 5 %."""
    return max(10, round(2.0 / share)) if share > 0.0 else 1_000


def kept_units(
    units: Iterable[Unit], before: int, clients: Frequent, requests: Frequent, client_share: float, request_share: float
) -> list[Unit]:
    """Those of a closing window's units that count, in the order of their ranks. `before` units count in the epoch already.

    Afterwards no client and no request can have more than its share of the epoch's units, but for FLOOR of this window: what `clients`
    and `requests` may have missed of it counts, too. Neither the verdicts nor the order of `units` matter.
    """
    ordered = sorted(units, key=lambda unit: (unit.rank, unit.client, unit.request, unit.shape))

    def within(taken: int) -> list[Unit]:
        total = before + taken
        return _within(ordered, (clients, int(client_share * total)), (requests, int(request_share * total)))

    # What is dropped makes the whole smaller, and with it the shares. A number of units is right that leaves at least itself.
    most = len(ordered)
    for _ in range(_DIRECTLY):
        found = within(most)
        if len(found) >= most:
            return found
        most = len(found)
    # Going down like that takes long where a share is large; halving does not.
    right, wrong = 0, most + 1
    while wrong - right > 1:
        middle = (right + wrong) // 2
        if len(within(middle)) >= middle:
            right = middle
        else:
            wrong = middle
    return within(right)


def _within(ordered: Sequence[Unit], client: tuple[Frequent, int], request: tuple[Frequent, int]) -> list[Unit]:
    clients: dict[str, int] = {}
    requests: dict[str, int] = {}
    kept = []
    for unit in ordered:
        if _may(unit.client, clients, *client) and _may(unit.request, requests, *request):
            clients[unit.client] = clients.get(unit.client, 0) + 1
            requests[unit.request] = requests.get(unit.request, 0) + 1
            kept.append(unit)
    return kept


def _may(key: str, here: Mapping[str, int], known: Frequent, most: int) -> bool:
    count = here.get(key, 0)
    return count < FLOOR or known.counts.get(key, 0) + known.missed + count < most
