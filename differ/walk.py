"""The typed walk over two JSON documents: unequal subtrees only, rules looked up by an automaton beside it.

At each place: an `ignore` in force hides the subtree; equal types are walked; what is left is a leaf. A leaf is explained by a
representation normaliser, else by any rule that matches, else it is a difference. `exact` raises a guard that travels down:
every rule less specific than it, an ancestor's `ignore` and the representation normalisers included, is cancelled below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from differ.align import Aligner
from differ.budget import NODE, Budget, LimitHit
from differ.equal import SHORTCUT_DEPTH, Equality
from differ.explains import MISSING, Correlations, explains, type_name
from differ.findings import Findings, Trial, Unclean
from differ.in_force import InForce
from differ.place import Place, Places, hidden_by
from differ.relation import relation
from differ.spelling import Spelling
from rules.model import Rule
from traffic.message import Side

_BLOCKED = ("exact", "unordered", "keyed", "ignore")
_CONTAINERS = (dict, list)
_LONG = 16


class Walk:
    """One comparison of two documents.

    `plain`: the bodies are texts, which have no representation normalisers of JSON. `matching` collects the names of all rules
    that would explain some difference, not only of the one that is named.
    """

    def __init__(
        self,
        force: InForce,
        budget: Budget,
        correlations: Correlations,
        equality: Equality,
        *,
        plain: bool = False,
        matching: set[str] | None = None,
    ) -> None:
        self.force = force
        self.budget = budget
        self.correlations = correlations
        self.findings = Findings()
        self.spelling = Spelling(force, plain=plain)
        self.equality = equality
        self.depth = force.rules.limits.depth
        self.simple = not force.has_exact
        """No `exact` anywhere: representation normalisers hold at every place."""
        self.hurried = False
        """Whether lists are paired as they stand for want of budget: a mismatch then, but there may be less of it."""
        self.closely = False
        """Whether no leaf is passed over, and ids that stand for themselves are noted (differ.correlated)."""
        self.teaching = True
        """Whether `correlate` explains anything: an attempt that needs none of it goes first."""
        self.hasty = False
        """Whether a list is tried as it stands with `correlate` before another order without it."""
        self.refused: frozenset[tuple[str, str, Any]] = frozenset()
        """Ids that a rule must not take for others (differ.correlated)."""
        self.places = Places(force)
        self.child = self.places.child
        self.matching = matching
        self.aligner = Aligner(self)

    def start(self) -> Place:
        """The place of the root."""
        return self.places.start()

    def tried(self, work: Callable[[], None]) -> Findings:
        """The findings of `work` alone: `Findings.merge` takes them over. What a failed attempt taught `correlate` is forgotten."""
        return self._apart(work, Findings())

    def clean(self, work: Callable[[], None]) -> Findings | None:
        """The findings of `work` where it finds no difference, else None, at the first one."""
        found = self._apart(work, Trial())
        return found if found.clean else None

    def _apart(self, work: Callable[[], None], inner: Findings) -> Findings:
        self.budget.spend(NODE)
        mark = self.correlations.mark
        outer, self.findings = self.findings, inner
        try:
            work()
        except Unclean:
            inner.count = 1
        finally:
            self.findings = outer
        if not inner.clean:
            self.correlations.back_to(mark)
        return inner

    def walk(self, a: Any, b: Any, place: Place) -> None:
        """Compares two values at one place."""
        self.budget.spend(NODE)
        if len(place.location) > self.depth:
            raise LimitHit(f"nested deeper than {self.depth} levels (limits.depth)")
        hiding = hidden_by(place) if place.cover else None
        if hiding is not None and self.simple:
            if not self._not_needed(a, b, place):
                self._explained(hiding, a, b, place)
            return
        kind = type(a)
        if kind is type(b) and kind in _CONTAINERS:
            if place.here and self._typed_only(a, b, place):
                return
            if kind is dict:
                self._members(a, b, place)
            else:
                self.aligner.align(a, b, place)
        elif hiding is not None and (kind in _CONTAINERS or type(b) in _CONTAINERS):
            self._carved(a, b, place)
        else:
            self.leaf(a, b, place)

    def _typed_only(self, a: Any, b: Any, place: Place) -> bool:
        for rule in place.here:
            if rule.action == "type_only" and explains(rule, a, b, self.correlations, self.budget.spend):
                if not self.simple:
                    self._carved(a, b, place._replace(cover=(*place.cover, rule)))
                elif not self._not_needed(a, b, place):
                    self._explained(rule, a, b, place)
                return True
        return False

    def _not_needed(self, a: Any, b: Any, place: Place) -> bool:
        """Whether two values are the same without the rule that hides them."""
        if type(a) is not type(b) or type(a) not in _CONTAINERS:
            return place.guard is None and self.spelling.same(a, b, self.findings)
        return place.guard is None and self.spelling.alike(a, b, self.budget.spend)

    def _carved(self, a: Any, b: Any, place: Place) -> None:
        """Under an `ignore` with `exact` somewhere below: the structure is hidden, carved-out members are not."""
        keys: dict[str | int, None] = {}
        for value in (a, b):
            if type(value) is dict:
                keys |= dict.fromkeys(value)
            elif type(value) is list:
                keys |= dict.fromkeys(range(len(value)))
        for key in keys:
            self.walk(_get(a, key), _get(b, key), self.child(place, key))
        hiding = hidden_by(place)
        if hiding is not None:
            self.findings.applied.add(hiding.called)

    def _members(self, a: dict[str, Any], b: dict[str, Any], place: Place) -> None:
        before, differing, lacking = self.findings.count, 0, len(a) != len(b)
        self.budget.spend(len(a))
        depth, simple, same, spelled = len(place.location), self.simple, self.equality.same, self.spelling.same
        trusting, batching = self.equality.trusting, self.equality.fast and depth <= SHORTCUT_DEPTH
        closely = self.closely
        leaves = simple and not closely and depth < self.depth
        ones: list[Any] = []
        others: list[Any] = []
        keys: list[str] = []
        for key, va in a.items():
            vb = b.get(key, MISSING)
            kind = type(va)
            if closely:
                pass
            elif va is vb:
                continue
            elif kind is dict or kind is list:
                if kind is not type(vb) or (trusting and kind is list and len(va) > _LONG):
                    pass  # the walk compares the elements of a long list anyway: one pass is enough
                elif not batching:
                    if same(va, vb, depth):
                        continue
                elif va == vb:
                    if not trusting:
                        ones.append(va)
                        others.append(vb)
                        keys.append(key)
                    continue
            elif (kind is type(vb) and va == vb) or (simple and spelled(va, vb, self.findings)):
                continue
            seen = self.findings.count
            below = self.child(place, key)
            if vb is MISSING:
                lacking = True
                self.one_sided(va, MISSING, place, key)
            elif leaves and kind is not dict and kind is not list and type(vb) not in _CONTAINERS:
                self.budget.spend(NODE)
                self.unlike(va, vb, below)
            else:
                self.walk(va, vb, below)
            differing += self.findings.count > seen
        if keys and not self.equality.confirmed(ones, others):
            for key, va, vb in zip(keys, ones, others, strict=True):
                if not same(va, vb, depth):
                    seen = self.findings.count
                    self.walk(va, vb, self.child(place, key))
                    differing += self.findings.count > seen
        if lacking:
            for key, vb in b.items():
                if key not in a:
                    seen = self.findings.count
                    self.one_sided(MISSING, vb, place, key)
                    differing += self.findings.count > seen
        if self.findings.count > before and differing > 1 and differing == len(a.keys() | b.keys()):
            self.findings.whole.add(place.location)

    def one_sided(self, a: Any, b: Any, parent: Place, key: str | int) -> None:
        """A member that one side does not have."""
        self.budget.spend(NODE)
        present, side = (b, Side.CANDIDATE) if a is MISSING else (a, Side.PRIMARY)
        place = self.places.alone(parent, key, side)
        place = place._replace(location=(*parent.location, key))
        if not self.simple and type(present) in _CONTAINERS and hidden_by(place) is not None:
            self._carved(a, b, place)
            return
        self.leaf(a, b, place)

    def item(self, kind: str, a: Any, b: Any, parent: Place, at: int) -> None:
        """An element that one side lacks: the length of a list is covered by an ignore of the list, never of its elements."""
        if not self.simple and hidden_by(parent) is not None:
            self.one_sided(a, b, parent, at)
        else:
            self.record(kind, a, b, parent._replace(location=(*parent.location, at)))

    def pair(self, a: Any, b: Any, place: Place, at: int, other: int) -> None:
        """Compares two elements of the lists at `place`."""
        shallow = len(place.location) < self.depth
        if self.simple and shallow and not self.closely and type(a) not in _CONTAINERS and type(b) not in _CONTAINERS:
            if not self.spelling.same(a, b, self.findings):
                self.budget.spend(NODE)
                self.unlike(a, b, self.child(place, at, other))
        else:
            self.walk(a, b, self.child(place, at, other))

    def leaf(self, a: Any, b: Any, place: Place) -> None:
        """Two values that cannot be walked further."""
        equal = self.spelling.same(a, b, self.findings) if place.guard is None else self.spelling.exactly(a, b)
        if equal:
            self._meet(a, place)
        else:
            self.unlike(a, b, place)

    def unlike(self, a: Any, b: Any, place: Place) -> None:
        """Two leaves that are not the same value in two spellings: rules explain them, or they are a difference."""
        hiding = hidden_by(place)
        for rule in self._asked(a, b, place):
            if rule.action in _BLOCKED or (
                rule.action == "correlate" and (hiding is not None or not self._teaches(rule, a, b))
            ):
                continue
            if explains(rule, a, b, self.correlations, self.budget.spend):
                if rule.action == "correlate":
                    self.findings.correlated.append((rule, a, b, place.location))
                self._explained(rule, a, b, place)
                return
        if hiding is not None:
            self._explained(hiding, a, b, place)
            return
        kind = "removed" if b is MISSING else "added" if a is MISSING else _kind(a, b)
        self.findings.add(place.location, kind, a, b, lambda: self._note(a, b, place))

    def _asked(self, a: Any, b: Any, place: Place) -> Iterable[Rule]:
        """The rules of a place in their order, but a mapping that knows the pair before one that would learn it."""
        if len(place.here) < 2 or self.correlations.mark == 0:
            return place.here
        return sorted(
            place.here, key=lambda rule: rule.action == "correlate" and not self.correlations.knows(rule.bijection, a, b)
        )

    def _teaches(self, rule: Rule, a: Any, b: Any) -> bool:
        """Whether `correlate` may take `a` for `b` in this attempt."""
        if not self.refused or not self.teaching:
            return self.teaching
        return not {(rule.id, type_name(value), value) for value in (a, b) if type(value) not in _CONTAINERS} & self.refused

    def _meet(self, a: Any, place: Place) -> None:
        """Notes an id that stands for itself at a place of a `correlate` rule."""
        if self.closely and type_name(a) in ("string", "number"):
            self.findings.met |= {(rule.id, type_name(a), a) for rule in place.here if rule.action == "correlate"}

    def record(self, kind: str, a: Any, b: Any, place: Place) -> None:
        """A difference of a whole list (order, an item), which only an ignore above it explains."""
        hiding = hidden_by(place)
        if hiding is not None:
            self._explained(hiding, a, b, place)
        else:
            self.findings.add(place.location, kind, a, b, lambda: self._note(a, b, place))

    def _explained(self, rule: Rule, a: Any, b: Any, place: Place) -> None:
        self.findings.explained(rule.called, place.location, a, b)
        if self.matching is not None:
            self._all_matching(a, b, place)

    def _all_matching(self, a: Any, b: Any, place: Place) -> None:
        """Notes every rule that would explain this pair: here, above, and below where a container is hidden as a whole."""
        assert self.matching is not None
        self.matching |= {rule.called for rule in place.cover if place.guard is None or rule.rank >= place.guard}
        self.matching |= {rule.called for rule in place.here if explains(rule, a, b, Correlations(), self.budget.spend)}
        if type(a) is type(b) and type(a) in _CONTAINERS:
            bare = place._replace(cover=(), here=tuple(rule for rule in place.here if rule.action in ("unordered", "keyed")))
            self.tried(lambda: self.walk(a, b, bare))

    def _note(self, a: Any, b: Any, place: Place) -> str:
        for rule in place.expired:
            if rule.action in ("unordered", "keyed") or explains(rule, a, b, Correlations(), self.budget.spend):
                return f"expired:{rule.called}"
        return relation(a, b)


def _kind(a: Any, b: Any) -> str:
    return "value" if type_name(a) == type_name(b) else "type"


def _get(value: Any, key: str | int) -> Any:
    if type(value) is dict:
        return value.get(key, MISSING)
    if type(value) is list and type(key) is int:
        return value[key] if key < len(value) else MISSING
    return MISSING
