"""Alignment of lists: by index, by key, or as a multiset. Every attempt is linear but for a bounded matching of leftovers.

The default (by index; by a usual key or by equal head and tail where the lengths differ) is tried first and rules after it, so
that a rule can only explain more. A list whose order alone differs is one `reordered`, never one difference per element.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from differ.canonical import Canon
from differ.explains import MISSING
from differ.findings import Findings
from differ.numbers import is_number, number_key

if TYPE_CHECKING:
    from differ.walk import Place, Walk

USUAL_KEYS = ("id", "uuid", "uid", "pk", "slug", "key", "code", "sku")
MAX_MATCHING = 64
"""Leftovers of a multiset that are matched pair by pair under the rules; more are paired in order."""
_Keys = dict[tuple[object, ...], int]


class Aligner:
    """Compares the lists of one walk."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.canon = Canon(walk)

    def align(self, a: list[Any], b: list[Any], place: Place) -> None:
        """Compares two lists."""
        walk = self.walk
        rules = [rule for rule in place.here if rule.action in ("unordered", "keyed")]
        kept = next((rule for rule in rules if rule.action == "keyed" and rule.order == "kept"), None)
        if not rules and len(a) == len(b):  # the usual case, with few frames: bodies nest 200 deep
            self._by_index(a, b, place)
            return
        if kept is not None:  # it asserts the order: what is no more specific cannot give it free again
            rules = [rule for rule in rules if rule.rank > kept.rank and rule.order != "kept"]
            first = walk.tried(lambda: self._by_rule_kept(a, b, place, kept.by))
        else:
            first = walk.tried(lambda: self._default(a, b, place))
        if first.clean or not rules:
            walk.findings.merge(first)
            return
        best: Findings | None = None
        for rule in rules:
            if rule.action == "keyed":
                tried = walk.tried(lambda by=rule.by: self._keyed_or_multiset(a, b, place, by))  # type: ignore[misc]
            else:
                tried = walk.tried(lambda: self._multiset(a, b, place))
            tried.applied.add(rule.called)
            if tried.clean:
                walk.findings.merge(tried)
                return
            best = best or tried
        walk.findings.merge(best or first)

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
        walk = self.walk
        walk.budget.spend(len(a))
        positions = walk.unequal(a, b, len(place.location))

        outer, walk.findings = walk.findings, Findings()
        try:
            for at in positions:
                walk.walk(a[at], b[at], walk.child(place, at))
        finally:
            tried, walk.findings = walk.findings, outer
        if not tried.clean and len(positions) > 1 and self._same_multiset(a, b, positions, place):
            walk.record("reordered", a, b, place)
        else:
            walk.findings.merge(tried)

    def _same_multiset(self, a: list[Any], b: list[Any], positions: list[int], place: Place) -> bool:
        ones = Counter(self.canon.text(a[at], walk_place) for at, walk_place in self._places(positions, place))
        others = Counter(self.canon.text(b[at], walk_place) for at, walk_place in self._places(positions, place))
        return ones == others

    def _places(self, positions: list[int], place: Place) -> list[tuple[int, Place]]:
        return [(at, self.walk.child(place, at)) for at in positions]

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
        if walk.same(a[i], b[j], len(place.location)):
            return True
        tried = walk.tried(lambda: walk.walk(a[i], b[j], walk.child(place, i)))
        if tried.clean:
            walk.findings.merge(tried)
        return tried.clean

    def _in_order(self, a: list[Any], b: list[Any], ones: list[int], others: list[int], place: Place) -> None:
        walk = self.walk
        for i, j in zip(ones, others, strict=False):
            walk.walk(a[i], b[j], walk.child(place, i))
        for i in ones[len(others) :]:
            self._item("item_removed", a[i], MISSING, place, i)
        for j in others[len(ones) :]:
            self._item("item_added", MISSING, b[j], place, j)

    def _item(self, kind: str, a: Any, b: Any, place: Place, at: int) -> None:
        """An element that one side lacks: the length of a list is covered by an ignore of the list, never of its elements."""
        self.walk.record(kind, a, b, place._replace(location=(*place.location, at)))

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
                self._item("item_removed", a[i], MISSING, place, i)
                continue
            order.append(j)
            if not walk.same(a[i], b[j], len(place.location)):
                walk.walk(a[i], b[j], walk.child(place, i))
        for key, j in others.items():
            if key not in ones:
                self._item("item_added", MISSING, b[j], place, j)
        if not free and order != sorted(order):
            walk.record("reordered", a, b, place)

    def _multiset(self, a: list[Any], b: list[Any], place: Place) -> None:
        """Elements with equal canonical forms leave in pairs; a few leftovers are matched pair by pair, the rest in order."""
        walk = self.walk
        walk.budget.spend(len(a) + len(b))
        waiting: dict[str, list[int]] = defaultdict(list)
        for j in range(len(b) - 1, -1, -1):
            waiting[self.canon.text(b[j], walk.child(place, j))].append(j)
        left = []
        for i, value in enumerate(a):
            partners = waiting.get(self.canon.text(value, walk.child(place, i)))
            if partners and self._clean_pair(a, b, i, partners[-1], place):
                partners.pop()
            else:
                left.append(i)
        right = sorted(j for partners in waiting.values() for j in partners)
        if left and right and max(len(left), len(right)) <= MAX_MATCHING:
            left, right = self._matched(a, b, left, right, place)
        self._in_order(a, b, left, right, place)

    def _matched(
        self, a: list[Any], b: list[Any], left: list[int], right: list[int], place: Place
    ) -> tuple[list[int], list[int]]:
        """What a maximum matching of the leftovers leaves: relations such as `regex or type_only` have no canonical form."""
        walk = self.walk
        fits: dict[int, list[int]] = {
            i: [j for j in right if walk.tried(lambda i=i, j=j: walk.walk(a[i], b[j], walk.child(place, i))).clean]  # type: ignore[misc]
            for i in left
        }
        partner: dict[int, int] = {}

        def place_one(i: int, tried: set[int]) -> bool:
            for j in fits[i]:
                if j not in tried:
                    tried.add(j)
                    if j not in partner or place_one(partner[j], tried):
                        partner[j] = i
                        return True
            return False

        for i in left:
            place_one(i, set())
        for j, i in sorted(partner.items()):
            walk.walk(a[i], b[j], walk.child(place, i))
        matched = set(partner.values())
        return [i for i in left if i not in matched], [j for j in right if j not in partner]


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
