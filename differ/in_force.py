"""The rules in force for one pair of answers: in scope, unexpired, and where dynamic paths point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

from differ.links import Addresses, addresses
from rules.automaton import State
from rules.jsonpath import Location, locate
from rules.model import Rank, Rule, RuleSet
from rules.selection import Selection, select
from traffic.message import Request

CLASS1_RANK: Rank = ()
"""Less than the rank of any rule: `exact` cancels representation normalisers too."""


NOWHERE: Location = ("\0nowhere",)
"""The location of a node in the document that lacks it. Told by identity: no name of a document is this very text."""


@dataclass
class InForce:
    """What a comparison may use. `at` and `expired_at` give body rules of a place, most specific first."""

    rules: RuleSet
    request: Request
    today: date
    chosen: Selection
    _primary: dict[Location, list[Rule]] = field(default_factory=dict)
    _candidate: dict[Location, list[Rule]] = field(default_factory=dict)

    @cached_property
    def own(self) -> Addresses:
        """The backends' own addresses and what the client asked."""
        return addresses(self.rules.bases, self.request)

    @property
    def dynamic(self) -> bool:
        """Whether dynamic paths select anything in these two documents."""
        return bool(self._primary or self._candidate)

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
        pool = self.chosen.expired_targets if expired else self.chosen.targets
        found = pool.get((target, name))
        if found is None:
            return ()
        guard = max((rule.rank for rule in found if rule.action == "exact"), default=None)
        return tuple(correlate_last([r for r in found if r.action != "exact" and (guard is None or r.rank >= guard)]))

    def exact(self, target: str, name: str = "") -> bool:
        """Whether an `exact` rule stands on a header, a cookie or the status: representation counts there."""
        return any(rule.action == "exact" for rule in self.chosen.targets.get((target, name), ()))

    def builtin(self, name: str) -> Rule | None:
        """The live rule that switches a whole-answer builtin on."""
        return self.chosen.builtins.get(name)

    def only_exact(self) -> InForce:
        """What is left without all rules that explain anything in a body."""
        body = {number: rule for number, rule in self.chosen.body.items() if rule.action == "exact"}
        made = InForce(self.rules, self.request, self.today, replace(self.chosen, body=body, body_expired={}))
        for mine, theirs in ((made._primary, self._primary), (made._candidate, self._candidate)):
            for location, rules in theirs.items():
                if kept := [rule for rule in rules if rule.action == "exact"]:
                    mine[location] = kept
        return made

    def locate_dynamic(self, primary: Any, candidate: Any, spend: Callable[[int], None]) -> None:
        """Asks the dynamic paths of both documents: only for bodies that proved unequal."""
        for rule in self.chosen.dynamic:
            assert rule.path is not None
            for document, places in ((primary, self._primary), (candidate, self._candidate)):
                for location in locate(rule.path, document, spend):
                    known = places.setdefault(location, [])
                    if rule not in known:
                        known.append(rule)

    def at(self, state: State, twin_state: State, location: Location, twin: Location) -> list[Rule]:
        """The live body rules that select a pair of nodes (differ.place), the most specific one first, `correlate` last.

        `state` and `location` belong to the primary's document, `twin_state` and `twin` to the candidate's.
        """
        body = self.chosen.body
        found = [body[number] for number in state.accepted if number in body]
        if twin_state is not state:
            found = _both(found, [body[number] for number in twin_state.accepted if number in body])
        if self.dynamic:
            if location and location[0] is NOWHERE[0]:
                found += self._candidate.get(twin, [])
            elif twin and twin[0] is NOWHERE[0]:
                found += self._primary.get(location, [])
            else:
                found += _both(self._primary.get(location, []), self._candidate.get(twin, []))
            found.sort(key=lambda rule: rule.rank, reverse=True)
        return correlate_last(found)

    def expired_at(self, state: State) -> list[Rule]:
        """The expired body rules that would have selected this place."""
        late = self.chosen.body_expired
        return [late[number] for number in state.accepted if number in late]


def _both(ones: list[Rule], others: list[Rule]) -> list[Rule]:
    """What selects both nodes of a pair; of `exact`, what selects one."""
    found = [rule for rule in ones if rule in others or rule.action == "exact"]
    return found + [rule for rule in others if rule.action == "exact" and rule not in ones]


def correlate_last(found: list[Rule]) -> list[Rule]:
    """The rules in their order, but `correlate` after all others: it learns, and shall learn only what nothing else explains."""
    if any(rule.action == "correlate" for rule in found):
        found.sort(key=lambda rule: rule.action == "correlate")
    return found


def in_force(rules: RuleSet, request: Request, route: str, status: int, content_type: str, today: date) -> InForce:
    """The rules of `rules` for one pair: scope is judged by the primary's status and media type."""
    chosen = select(rules, request.method, route, status, content_type, today)
    return InForce(rules, request, today, chosen)
