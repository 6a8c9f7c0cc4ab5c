"""Places of a walk: a pair of nodes, what selects it, and what rules above it still say.

A pair is selected by a path that selects the primary's node in its document and the candidate's in its own; a node that has no
partner, by its own alone. Only `exact` needs no more than one of the two. So a rule never explains a pair of which it does not
speak, however a list was aligned.
"""

from __future__ import annotations

from typing import NamedTuple

from differ.in_force import NOWHERE, InForce
from rules.automaton import State
from rules.jsonpath import Location
from rules.model import Rank, Rule
from traffic.message import Side


class Place(NamedTuple):
    """Where the walk is: the automaton's states and the locations in both documents, the ignores above, expired rules.

    `guard` is the rank that an `exact` demands. `twin` is the location in the candidate's document, kept only where dynamic
    paths are asked.
    """

    state: State
    twin_state: State
    location: Location
    twin: Location = ()
    cover: tuple[Rule, ...] = ()
    guard: Rank | None = None
    expired: tuple[Rule, ...] = ()
    here: tuple[Rule, ...] = ()
    """The rules that select this very place and are not cancelled."""


class Places:
    """Makes the places of one walk."""

    def __init__(self, force: InForce) -> None:
        self.force = force
        self.dynamic = force.dynamic
        self._entered: dict[State, Place] = {}

    def start(self) -> Place:
        """The place of the root."""
        state = self.force.rules.automaton.start
        return self._enter(Place(state, state, ()))

    def child(self, place: Place, key: str | int, other: int | None = None) -> Place:
        """The place of a member, or of a pair of elements: `key` of the primary's list, `other` of the candidate's."""
        state, twin_state, location, twin, cover, guard, expired, _ = place
        if self.dynamic:
            twin = (*twin, key if other is None else other)
        below = state.step(key)
        twin_below = (
            below
            if twin_state is state and (other is None or other == key)
            else twin_state.step(key if other is None else other)
        )
        location = (*location, key)
        if not below.accepted and not twin_below.accepted and not self.dynamic:
            return Place(below, twin_below, location, twin, cover, guard, expired)
        if not cover and not expired and guard is None and below is twin_below and not self.dynamic:
            known = self._entered.get(below)
            if known is None:
                known = self._entered[below] = self._enter(Place(below, below, location))
            return Place(below, below, location, twin, *known[4:])
        return self._enter(Place(below, twin_below, location, twin, cover, guard, expired))

    def alone(self, place: Place, key: str | int, side: Side) -> Place:
        """The place of a member or an element that one side alone has, or that is looked at alone."""
        state = (place.state if side is Side.PRIMARY else place.twin_state).step(key)
        location = (*place.location, key) if side is Side.PRIMARY else NOWHERE
        twin = (*place.twin, key) if side is Side.CANDIDATE else NOWHERE
        return self._enter(Place(state, state, location, twin, place.cover, place.guard, place.expired))

    def _enter(self, place: Place) -> Place:
        state, twin_state, location, twin, cover, guard, expired, _ = place
        here = self.force.at(state, twin_state, location, twin)
        late = self.force.expired_at(state)
        if not here and not late:
            return place
        for rule in here:
            if rule.action == "exact" and (guard is None or rule.rank > guard):
                guard = rule.rank
        ignores = tuple([rule for rule in here if rule.action == "ignore"])
        kept = tuple([rule for rule in here if rule.action != "exact" and (guard is None or rule.rank >= guard)])
        return Place(state, twin_state, location, twin, (*cover, *ignores), guard, (*expired, *late), kept)


def hidden_by(place: Place) -> Rule | None:
    """The rule that hides this place and everything below it, the most specific one."""
    if not place.cover:
        return None
    if len(place.cover) == 1 and place.guard is None:
        return place.cover[0]
    live = [rule for rule in place.cover if place.guard is None or rule.rank >= place.guard]
    return max(live, key=lambda rule: rule.rank) if live else None
