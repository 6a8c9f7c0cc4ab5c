"""The rules in force for one pair of answers: in scope, unexpired, and where dynamic paths point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from differ.links import Addresses, addresses
from rules.automaton import State
from rules.jsonpath import Location, locate
from rules.model import Rank, Rule, RuleSet
from rules.selection import Selection, select
from traffic.message import Request

CLASS1_RANK: Rank = ()
"""Less than the rank of any rule: `exact` cancels representation normalisers too."""


@dataclass
class InForce:
    """What a comparison may use. `at` and `expired_at` give body rules of a place, most specific first."""

    rules: RuleSet
    method: str
    today: date
    chosen: Selection
    own: Addresses
    _places: dict[Location, list[Rule]] = field(default_factory=dict)

    @property
    def live(self) -> tuple[Rule, ...]:
        """The rules in scope that have not expired, most specific first."""
        return self.chosen.live

    @property
    def has_exact(self) -> bool:
        """Whether an `exact` rule stands somewhere in the body."""
        return self.chosen.has_exact

    def class1(self, name: str) -> bool:
        """Whether a representation normaliser is on."""
        return name not in self.rules.class1_off

    def for_target(self, target: str, name: str = "", *, expired: bool = False) -> tuple[Rule, ...]:
        """The rules of a header, a cookie or the status, most specific first, those that `exact` cancels left out."""
        pool = self.chosen.expired if expired else self.chosen.live
        found = [rule for rule in pool if rule.target == target and rule.name == name]
        guard = max((rule.rank for rule in found if rule.action == "exact"), default=None)
        return tuple(rule for rule in found if rule.action != "exact" and (guard is None or rule.rank >= guard))

    def exact(self, target: str, name: str = "") -> bool:
        """Whether an `exact` rule stands on a header, a cookie or the status: representation counts there."""
        return any(rule.action == "exact" and rule.target == target and rule.name == name for rule in self.live)

    def builtin(self, name: str) -> Rule | None:
        """The live rule that switches a whole-answer builtin on."""
        return next((rule for rule in self.live if rule.builtin == name and rule.path is None), None)

    def locate_dynamic(self, documents: tuple[Any, ...], spend: Callable[[int], None]) -> None:
        """Asks the dynamic paths of both documents: only for bodies that proved unequal. What they select counts in both."""
        for rule in self.live:
            if rule.path is not None and rule.path.dynamic:
                for document in documents:
                    for location in locate(rule.path, document, spend):
                        known = self._places.setdefault(location, [])
                        if rule not in known:
                            known.append(rule)

    def at(self, state: State, location: Location) -> list[Rule]:
        """The live body rules that select this very place."""
        found = [self.chosen.body[number] for number in state.accepted if number in self.chosen.body]
        if self._places and location in self._places:
            found = sorted([*found, *self._places[location]], key=lambda rule: rule.rank, reverse=True)
        return found

    def expired_at(self, state: State) -> list[Rule]:
        """The expired body rules that would have selected this place."""
        late = self.chosen.body_expired
        return [late[number] for number in state.accepted if number in late]


def in_force(rules: RuleSet, request: Request, route: str, status: int, content_type: str, today: date) -> InForce:
    """The rules of `rules` for one pair: scope is judged by the primary's status and media type."""
    chosen = select(rules, request.method, route, status, content_type, today)
    own = addresses(rules.bases, request)
    return InForce(rules, request.method, today, chosen, own)
