"""Alignment of lists: by index, by key, or as a multiset. Every attempt is linear but for a bounded matching of leftovers.

The default (by index; by a usual key or by equal head and tail where the lengths differ) is tried first and rules after it, so
that a rule can only explain more. A list whose order alone differs is one `reordered`, never one difference per element.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from differ.budget import NodesSpent
from differ.canonical import Canon
from differ.explains import MISSING
from differ.findings import Findings, Trial, Unclean
from differ.matching import Pairs, classes, matched
from differ.numbers import is_number, number_key
from differ.place import hidden_by
from traffic.message import Side

if TYPE_CHECKING:
    from differ.place import Place
    from differ.walk import Walk
    from rules.automaton import State
    from rules.model import Rule

USUAL_KEYS = ("id", "uuid", "uid", "pk", "slug", "key", "code", "sku")
MAX_MATCHING = 64
"""Kinds of elements of a multiset that are matched with each other under the rules; of more the leftovers are paired in order."""
_Keys = dict[tuple[object, ...], int]
_Attempt = tuple["Rule | None", Callable[[], None]]
_UNKNOWN = object()


class Aligner:
    """Compares the lists of one walk."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.canon = Canon(walk)
        self._known: dict[tuple[object, ...], Findings | None] = {}
        self._strangers: dict[tuple[object, ...], tuple[list[int], list[int]]] = {}
        """Lists without order of which no two elements fit: an attempt has found that out, the report need not again."""
        self._learns = walk.force.chosen.has_correlate
        """Whether a success may have taught something, so that it cannot be taken from memory; a failure can."""

    def part(self) -> None:
        """Ends the circle of a walk and its aligner, so that what they hold goes at once and not with the next collection."""
        self.canon.walk = self.walk = None  # type: ignore[assignment]  # nothing is compared any more

    def align(self, a: list[Any], b: list[Any], place: Place) -> None:
        """Compares two lists."""
        if len(a) != len(b) and not place.cover and type(self.walk.findings) is Trial:
            raise Unclean  # whatever the alignment, an element is left over
        rules = [rule for rule in place.here if rule.action in ("unordered", "keyed")] if place.here else []
        if not rules and len(a) == len(b):  # the usual case, with few frames: bodies nest 200 deep
            self._by_index(a, b, place)
        elif not rules:
            self._default(a, b, place)
        else:
            self._ruled(a, b, place, rules)

    def _ruled(self, a: list[Any], b: list[Any], place: Place, rules: list[Rule]) -> None:
        """The order of the list as it stands first, so that a rule that is not needed is not named; then each rule."""
        walk = self.walk
        kept = next((rule for rule in rules if rule.action == "keyed" and rule.order == "kept"), None)
        if kept is not None:  # it asserts the order: what is no more specific cannot give it free again
            rules = [rule for rule in rules if rule.rank > kept.rank and rule.order != "kept"]
        attempts: list[_Attempt] = [(None, self._as_it_stands(a, b, place, kept))]
        attempts += [(rule, self._under(a, b, place, rule)) for rule in rules]
        rule, work = attempts[min(1, len(attempts) - 1)]
        if len(attempts) > 1 and not self._hurried():
            found = self._untaught(attempts, a, b, place) or self._succeeded(attempts, self._situation(a, b, place))
            if found is not None:
                walk.findings.merge(found)
                return
            if type(walk.findings) is Trial:
                raise Unclean
        work()
        if rule is not None:
            walk.findings.applied.add(rule.called)

    def _hurried(self) -> bool:
        """Whether half of the budget is spent: the rest is for saying what differs, and lists are paired as they stand."""
        walk = self.walk
        walk.hurried = walk.hurried or walk.budget.spent > walk.budget.nodes // 2
        return walk.hurried

    def _situation(self, a: list[Any], b: list[Any], place: Place) -> tuple[object, ...]:
        """All that the result of an attempt depends on."""
        walk = self.walk
        where = (place.location, place.twin) if walk.places.dynamic else ()
        learnt = (walk.teaching, walk.correlations.state) if self._learns else ()
        return (id(a), id(b), place.state, place.twin_state, place.cover, place.guard, where, learnt)

    def _untaught(self, attempts: list[_Attempt], a: list[Any], b: list[Any], place: Place) -> Findings | None:
        """What succeeds without `correlate`. A list that is the same in another order must not be taken for one of other ids: what

        that would teach can be refuted elsewhere, and so a `correlate` beside an `unordered` would add a mismatch.
        """
        walk = self.walk
        if not self._learns or not walk.teaching or walk.hasty:
            return None
        walk.teaching = False
        try:
            return self._succeeded(attempts, self._situation(a, b, place))
        finally:
            walk.teaching = True

    def _succeeded(self, attempts: list[_Attempt], key: tuple[object, ...]) -> Findings | None:
        """The findings of the first attempt without a difference. Remembered: lists without order nest, and each level tries twice."""
        known = self._known.get(key, _UNKNOWN)
        if known is not _UNKNOWN:
            return known  # type: ignore[return-value]  # the sentinel has been told apart
        found = None
        for rule, work in attempts:
            if self._hurried():
                break
            found = self.walk.clean(work)
            if found is not None:
                if rule is not None:
                    found.applied.add(rule.called)
                    self._all_matching(attempts, rule)
                break
        if found is None or not self._learns or not self.walk.teaching:
            self._known[key] = found
        return found

    def _as_it_stands(self, a: list[Any], b: list[Any], place: Place, kept: Rule | None) -> Callable[[], None]:
        if kept is not None:
            return lambda: self._by_rule_kept(a, b, place, kept.by)
        return lambda: self._default(a, b, place)

    def _under(self, a: list[Any], b: list[Any], place: Place, rule: Rule) -> Callable[[], None]:
        if rule.action == "keyed":
            return lambda: self._keyed_or_multiset(a, b, place, rule.by)
        return lambda: self._multiset(a, b, place)

    def _all_matching(self, attempts: list[_Attempt], named: Rule) -> None:
        if self.walk.matching is None:
            return
        for rule, work in attempts:
            if rule is not None and (rule is named or self.walk.clean(work) is not None):
                self.walk.matching.add(rule.called)

    def _by_rule_kept(self, a: list[Any], b: list[Any], place: Place, by: tuple[str, ...]) -> None:
        keys = _keys(a, by), _keys(b, by)
        if keys[0] is None or keys[1] is None:
            self._default(a, b, place)
        else:
            self._keyed(a, b, place, keys[0], keys[1], free=False)

    def _default(self, a: list[Any], b: list[Any], place: Place) -> None:
        if len(a) == len(b):
            self._by_index(a, b, place)
            return
        for name in USUAL_KEYS:
            if a and b and isinstance(a[0], dict) and isinstance(b[0], dict) and name in a[0] and name in b[0]:
                keys = _keys(a, (name,)), _keys(b, (name,))
                if keys[0] is not None and keys[1] is not None:
                    self._keyed(a, b, place, keys[0], keys[1], free=False)
                    return
        self._stripped(a, b, place)

    def _by_index(self, a: list[Any], b: list[Any], place: Place) -> None:
        """Unequal positions only. The first pair that differs asks whether the whole list is the same in another order."""
        walk = self.walk
        walk.budget.spend(len(a))
        positions = walk.equality.unequal(a, b, len(place.location))
        if len(positions) < 2 or type(walk.findings) is Trial:
            for at in positions:
                walk.pair(a[at], b[at], place, at, at)
            return
        outer, walk.findings = walk.findings, Findings()
        mark, asked = walk.correlations.mark, False
        try:
            for at in positions:
                walk.pair(a[at], b[at], place, at, at)
                if not asked and not walk.findings.clean and hidden_by(place) is None:
                    asked = True
                    if self._same_multiset(a, b, positions, place):
                        walk.findings = outer
                        walk.correlations.back_to(mark)
                        walk.record("reordered", a, b, place)
                        return
        except NodesSpent:
            outer.merge(walk.findings)
            raise
        finally:
            tried, walk.findings = walk.findings, outer
        walk.findings.merge(tried)

    def _same_multiset(self, a: list[Any], b: list[Any], positions: list[int], place: Place) -> bool:
        if self.walk.equality.same_elements([a[at] for at in positions], [b[at] for at in positions]):
            return True
        key, element = self.canon.key, self.walk.places.alone
        others = Counter([key(b[at], element(place, at, Side.CANDIDATE)) for at in positions])
        for at in positions:
            made = key(a[at], element(place, at, Side.PRIMARY))
            if not others[made]:
                return False
            others[made] -= 1
        return True

    def _stripped(self, a: list[Any], b: list[Any], place: Place) -> None:
        """No key and other lengths: the equal head and tail go first, then one insert is one difference."""
        walk, head, short = self.walk, 0, min(len(a), len(b))
        while head < short and self._clean_pair(a, b, head, head, place):
            head += 1
        tail = 0
        while tail < short - head and self._clean_pair(a, b, len(a) - 1 - tail, len(b) - 1 - tail, place):
            tail += 1
        ones, others = range(head, len(a) - tail), range(head, len(b) - tail)
        self._in_order(a, b, list(ones), list(others), place)
        walk.budget.spend(short)

    def _clean_pair(self, a: list[Any], b: list[Any], i: int, j: int, place: Place) -> bool:
        walk = self.walk
        if walk.equality.same(a[i], b[j], len(place.location)):
            return True
        found = walk.clean(lambda: walk.walk(a[i], b[j], walk.child(place, i, j)))
        if found is not None:
            walk.findings.merge(found)
        return found is not None

    def _in_order(self, a: list[Any], b: list[Any], ones: list[int], others: list[int], place: Place) -> None:
        walk = self.walk
        for i, j in zip(ones, others, strict=False):
            walk.pair(a[i], b[j], place, i, j)
        for i in ones[len(others) :]:
            walk.item("item_removed", a[i], MISSING, place, i)
        for j in others[len(ones) :]:
            walk.item("item_added", MISSING, b[j], place, j)

    def _keyed_or_multiset(self, a: list[Any], b: list[Any], place: Place, by: tuple[str, ...]) -> None:
        ones, others = _keys(a, by), _keys(b, by)
        if ones is None or others is None:
            self._multiset(a, b, place)
        else:
            self._keyed(a, b, place, ones, others, free=True)

    def _keyed(self, a: list[Any], b: list[Any], place: Place, ones: _Keys, others: _Keys, *, free: bool) -> None:
        walk = self.walk
        walk.budget.spend(len(a) + len(b))
        order = []
        for key, i in ones.items():
            j = others.get(key)
            if j is None:
                walk.item("item_removed", a[i], MISSING, place, i)
                continue
            order.append(j)
            if not walk.equality.same(a[i], b[j], len(place.location)):
                walk.walk(a[i], b[j], walk.child(place, i, j))
        for key, j in others.items():
            if key not in ones:
                walk.item("item_added", MISSING, b[j], place, j)
        if not free and order != sorted(order):
            walk.record("reordered", a, b, place)

    def _multiset(self, a: list[Any], b: list[Any], place: Place) -> None:
        """Elements with equal canonical forms leave in pairs; a few leftovers are matched pair by pair, the rest in order."""
        walk, asked = self.walk, self._situation(a, b, place)
        if asked in self._strangers and type(walk.findings) is not Trial:
            self._in_order(a, b, *self._strangers[asked], place)
            return
        walk.budget.spend(len(a) + len(b))
        waiting: dict[str | bytes, list[int]] = defaultdict(list)
        theirs = self.canon.keys(b, place, Side.CANDIDATE)
        for j in range(len(b) - 1, -1, -1):
            waiting[theirs[j]].append(j)
        left = []
        for i, key in enumerate(self.canon.keys(a, place, Side.PRIMARY)):
            partners = waiting.get(key)
            if partners and self._clean_pair(a, b, i, partners[-1], place):
                partners.pop()
            else:
                left.append(i)
        right = sorted(j for partners in waiting.values() for j in partners)
        if len(left) == len(a) and len(right) == len(b):
            self._strangers[asked] = (left, right)
        if left and right:
            pairs = self._matched(a, b, left, right, place)
            if pairs:
                self._strangers.pop(asked, None)
            if pairs is not None and len(pairs) < max(len(left), len(right)) and len(left) < len(a):
                # Forms pair by the first rule that gives one: another pairing may leave less, where rules say "either of these"
                everything = list(range(len(a))), list(range(len(b)))
                better = self._matched(a, b, *everything, place)
                if better is not None and len(better) > len(a) - len(left) + len(pairs):
                    left, right, pairs = *everything, better
            pairs = pairs or {}
            for i, j in pairs.items():
                walk.walk(a[i], b[j], walk.child(place, i, j))
            taken = set(pairs.values())
            left, right = [i for i in left if i not in pairs], [j for j in right if j not in taken]
        self._in_order(a, b, left, right, place)

    def _matched(self, a: list[Any], b: list[Any], left: list[int], right: list[int], place: Place) -> Pairs | None:
        """The largest matching under the rules, None for too many kinds: `regex or type_only` has no canonical form to pair by."""
        walk = self.walk
        walk.budget.spend(len(left) + len(right))
        ones = classes(left, lambda i: self._kind(a[i], place.state, i), MAX_MATCHING)
        others = classes(right, lambda j: self._kind(b[j], place.twin_state, j), MAX_MATCHING) if ones else None
        if ones is None or others is None or self._hurried():
            return None

        def fits(i: int, j: int) -> bool:
            return not self._hurried() and walk.clean(lambda: walk.walk(a[i], b[j], walk.child(place, i, j))) is not None

        return matched(ones, others, fits)

    def _kind(self, value: Any, state: State, at: int) -> Hashable:
        """Elements of one kind are the same, and the same rules select them."""
        if self.walk.places.dynamic:
            return at
        key = self.walk.equality.key(value)
        return at if key is None else (key, id(state.step(at)))


def _keys(items: list[Any], by: tuple[str, ...]) -> _Keys | None:
    """Index by key; None where an element has none, a key is a container, or one stands twice. `1` is not `"1"`."""
    found: _Keys = {}
    for at, item in enumerate(items):
        if not isinstance(item, dict):
            return None
        key: list[object] = []
        for name in by:
            value = item.get(name, MISSING)
            if value is None or value is MISSING or isinstance(value, dict | list):
                return None
            key.append(("number", number_key(value)) if is_number(value) else (type(value).__name__, value))
        if tuple(key) in found:
            return None
        found[tuple(key)] = at
    return found
