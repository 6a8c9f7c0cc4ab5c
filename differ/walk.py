"""The typed walk over two JSON documents: unequal subtrees only, rules looked up by an automaton beside it.

At each place: an `ignore` in force hides the subtree; equal types are walked; what is left is a leaf. A leaf is explained by a
representation normaliser, else by any rule that matches, else it is a difference. `exact` raises a guard that travels down:
every rule less specific than it, an ancestor's `ignore` and the representation normalisers included, is cancelled below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from differ.align import Aligner
from differ.budget import Budget, LimitHit
from differ.explains import MISSING, Correlations, explains, type_name
from differ.findings import Findings, Found
from differ.in_force import InForce
from differ.links import link
from differ.moments import moment
from differ.numbers import is_number, same_number
from differ.relation import relation
from rules.automaton import State
from rules.jsonpath import Location
from rules.model import Rank, Rule

_SHORTCUT_DEPTH = 32
_BLOCKED = ("exact", "unordered", "keyed")


class Place(NamedTuple):
    """Where the walk is: automaton state, exact location, the ignores above, the rank that `exact` demands, expired rules."""

    state: State
    location: Location
    cover: tuple[Rule, ...] = ()
    guard: Rank | None = None
    expired: tuple[Rule, ...] = ()
    here: tuple[Rule, ...] = ()
    """The rules that select this very place and are not cancelled."""


class Walk:
    """One comparison of two documents. `fast` says that both came from the fast parser (no special numbers inside)."""

    def __init__(self, force: InForce, budget: Budget, correlations: Correlations, *, fast: bool, plain: bool = False) -> None:
        self.force = force
        self.budget = budget
        self.correlations = correlations
        self.fast = fast
        self.findings = Findings()
        self.own = force.own
        self.drop = force.rules.drop_query
        self.datetimes = force.class1("repr:datetime") and not plain
        self.links = force.class1("repr:url") and not plain
        self.numbers = force.class1("repr:number")
        self.depth = force.rules.limits.depth
        self._aligner = Aligner(self)

    def start(self) -> Place:
        """The place of the root."""
        return self._enter(self.force.rules.automaton.start, (), (), None, ())

    def child(self, place: Place, key: str | int) -> Place:
        """The place of a member or element."""
        state = place.state if place.state.dead and not place.state.accepted else place.state.step(key)
        return self._enter(state, (*place.location, key), place.cover, place.guard, place.expired)

    def _enter(
        self, state: State, location: Location, cover: tuple[Rule, ...], guard: Rank | None, expired: tuple[Rule, ...]
    ) -> Place:
        here = self.force.at(state, location)
        late = self.force.expired_at(state) if state.accepted else ()
        if not here and not late:
            return Place(state, location, cover, guard, expired)
        for rule in here:
            if rule.action == "exact" and (guard is None or rule.rank > guard):
                guard = rule.rank
        ignores = tuple(rule for rule in here if rule.action == "ignore")
        kept = tuple(rule for rule in here if rule.action != "exact" and (guard is None or rule.rank >= guard))
        return Place(state, location, (*cover, *ignores), guard, (*expired, *late), kept)

    def hidden_by(self, place: Place) -> Rule | None:
        """The `ignore` that hides this place, the most specific one."""
        live = [rule for rule in place.cover if place.guard is None or rule.rank >= place.guard]
        return max(live, key=lambda rule: rule.rank) if live else None

    def tried(self, work: Callable[[], None]) -> Findings:
        """The findings of `work` alone: `Findings.merge` takes them over. What a failed attempt taught `correlate` is forgotten."""
        mark = self.correlations.mark
        outer, self.findings = self.findings, Findings()
        try:
            work()
        finally:
            found, self.findings = self.findings, outer
        if not found.clean:
            self.correlations.back_to(mark)
        return found

    def walk(self, a: Any, b: Any, place: Place) -> None:
        """Compares two values at one place."""
        self.budget.spend()
        if len(place.location) > self.depth:
            raise LimitHit(f"nested deeper than {self.depth} levels (limits.depth)")
        hiding = self.hidden_by(place) if place.cover else None
        if hiding is not None and not self.force.has_exact:
            if place.guard is None and not isinstance(a, dict | list) and self._representation(a, b):
                return  # the rule was not needed
            self._explained(hiding, a, b, place)
            return
        if type(a) is dict and type(b) is dict:
            if not self._typed_only(a, b, place):
                self._members(a, b, place)
        elif type(a) is list and type(b) is list:
            if not self._typed_only(a, b, place):
                self._aligner.align(a, b, place)
        elif hiding is not None and (isinstance(a, dict | list) or isinstance(b, dict | list)):
            self._carved(a, b, place)
        else:
            kind = "removed" if b is MISSING else "added" if a is MISSING else _kind(a, b)
            self.leaf(a, b, place, kind)

    def _typed_only(self, a: Any, b: Any, place: Place) -> bool:
        for rule in place.here:
            if rule.action == "type_only" and explains(rule, a, b, self.correlations):
                self._explained(rule, a, b, place)
                return True
        return False

    def _carved(self, a: Any, b: Any, place: Place) -> None:
        """Under an `ignore` with `exact` somewhere below: the structure is hidden, carved-out members are not."""
        keys: dict[str | int, None] = {}
        for value in (a, b):
            if isinstance(value, dict):
                keys |= dict.fromkeys(value)
            elif isinstance(value, list):
                keys |= dict.fromkeys(range(len(value)))
        for key in keys:
            self.walk(_get(a, key), _get(b, key), self.child(place, key))
        hiding = self.hidden_by(place)
        if hiding is not None:
            self.findings.applied.add(hiding.called)

    def _members(self, a: dict[str, Any], b: dict[str, Any], place: Place) -> None:
        before, differing = self.findings.count, 0
        for key, va in a.items():
            vb = b.get(key, MISSING)
            if vb is not MISSING and self.same(va, vb, len(place.location)):
                self.budget.spend()
                continue
            seen = self.findings.count
            below = self.child(place, key)
            if vb is MISSING:
                self.one_sided(va, MISSING, below, "removed")
            else:
                self.walk(va, vb, below)
            differing += self.findings.count > seen
        for key, vb in b.items():
            if key not in a:
                seen = self.findings.count
                self.one_sided(MISSING, vb, self.child(place, key), "added")
                differing += self.findings.count > seen
        if self.findings.count > before and differing > 1 and differing == len(a.keys() | b.keys()):
            self.findings.whole.add(place.location)

    def one_sided(self, a: Any, b: Any, place: Place, kind: str) -> None:
        """A member or element that one side does not have."""
        present = b if a is MISSING else a
        if self.force.has_exact and isinstance(present, dict | list) and self.hidden_by(place) is not None:
            self._carved(a, b, place)
            return
        self.leaf(a, b, place, kind)

    def leaf(self, a: Any, b: Any, place: Place, kind: str) -> None:
        """Two values that cannot be walked further."""
        self.budget.spend()
        if place.guard is None and self._representation(a, b):
            return
        if place.guard is not None and type(a) is type(b) and a is not MISSING and a == b:
            return
        for rule in place.here:
            if rule.action not in _BLOCKED and rule.action != "ignore" and explains(rule, a, b, self.correlations):
                self._explained(rule, a, b, place)
                return
        hiding = self.hidden_by(place) if place.cover else None
        if hiding is not None:
            self._explained(hiding, a, b, place)
            return
        self.findings.add(Found(place.location, kind, a, b, self._note(a, b, place)))

    def record(self, kind: str, a: Any, b: Any, place: Place) -> None:
        """A difference of a whole list (order, an item), which only an ignore above it explains."""
        hiding = self.hidden_by(place) if place.cover else None
        if hiding is not None:
            self._explained(hiding, a, b, place)
        else:
            self.findings.add(Found(place.location, kind, a, b, self._note(a, b, place)))

    def _explained(self, rule: Rule, a: Any, b: Any, place: Place) -> None:
        self.findings.applied.add(rule.called)
        if len(self.findings.masked) < 200:
            self.findings.masked.append((rule.called, place.location, a, b))

    def _note(self, a: Any, b: Any, place: Place) -> str:
        for rule in place.expired:
            if rule.action in ("unordered", "keyed") or explains(rule, a, b, Correlations()):
                return f"expired:{rule.called}"
        return relation(a, b)

    def _representation(self, a: Any, b: Any) -> bool:
        if is_number(a) and is_number(b):
            return (self.numbers or type(a) is type(b)) and same_number(a, b)
        if type(a) is not type(b) or a is MISSING:
            return False
        if not isinstance(a, str):
            return bool(a == b)
        if a == b:
            return True
        if self.datetimes:
            one = moment(a)
            if one is not None and one == moment(b):
                return True
        if self.links and a[:4].lower() == "http":
            one_link, other_link = link(a, self.own, ()), link(b, self.own, ())
            if one_link is not None and one_link == other_link:
                return True
            if self.drop and one_link is not None and link(a, self.own, self.drop) == link(b, self.own, self.drop):
                self.findings.applied.add("drop_query")
                return True
        return False

    def unequal(self, a: list[Any], b: list[Any], depth: int) -> list[int]:
        """The positions of two equally long lists at which `same` is false, asked for all equal-looking elements at once."""
        if self.fast and depth <= _SHORTCUT_DEPTH:
            try:
                found = [at for at, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
                left = set(found)
                ones, others = ([x for at, x in enumerate(side) if at not in left] for side in (a, b))
                if orjson.dumps(ones) == orjson.dumps(others):
                    return found
            except (TypeError, RecursionError, ValueError):
                pass
        return [at for at in range(len(a)) if not self.same(a[at], b[at], depth)]

    def same(self, a: Any, b: Any, depth: int = 0) -> bool:
        """Whether two values are the same, types included; False may mean that a walk must look closer."""
        if type(a) is not type(b):
            return False
        if not isinstance(a, dict | list):
            return bool(a == b)
        if depth > _SHORTCUT_DEPTH:
            return False
        try:
            if a != b:
                return False
            if self.fast:
                return orjson.dumps(a) == orjson.dumps(b) or _sorted_text(a) == _sorted_text(b)
        except (TypeError, RecursionError, ValueError):
            return False
        return _typed_equal(a, b)


def _sorted_text(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _typed_equal(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_typed_equal(value, b[key]) for key, value in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_typed_equal, a, b))
    return bool(a == b)


def _kind(a: Any, b: Any) -> str:
    return "value" if type_name(a) == type_name(b) else "type"


def _get(value: Any, key: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(key, MISSING)
    if isinstance(value, list) and isinstance(key, int):
        return value[key] if key < len(value) else MISSING
    return MISSING
