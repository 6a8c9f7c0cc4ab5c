"""A slow and obvious judge of two JSON documents, written from the reference and sharing no code with `differ`.

It tries every way to pair the elements of a list and asks each rule for each pair. Where the reference leaves room, it raises
Unspecified: how a hidden list is aligned, and which of several ways to pair ids is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.differ.oracle_rules import Location, Rank, Rule, general, locations, reaches
from tests.differ.oracle_values import MISSING, Number, exactly, explains, identity, same_value, type_of


class Unspecified(Exception):
    """The reference does not say what is right here."""


@dataclass(frozen=True)
class Cover:
    """What ancestors bring: the rank that `exact` demands, and the ranks of ignores."""

    guard: Rank | None = None
    ignores: tuple[Rank, ...] = ()

    @property
    def hides(self) -> bool:
        """Whether an ignore is in force."""
        return any(self.guard is None or rank >= self.guard for rank in self.ignores)


class Oracle:
    """One comparison. `clean` says whether rules and representation explain every difference."""

    def __init__(
        self,
        primary: Any,
        candidate: Any,
        rules: Iterable[Rule],
        *,
        off: frozenset[str] = frozenset(),
        drop_query: tuple[tuple[str, str], ...] = (),
        correlate: str = "exact",
    ) -> None:
        self.primary, self.candidate = primary, candidate
        self.rules = tuple(rules)
        self.off, self.drop_query = off, drop_query
        self.correlate = correlate
        self.exacts = [rule for rule in self.rules if rule.action == "exact"]
        self._selected = {
            rule.path: (locations(rule.path, primary), locations(rule.path, candidate)) for rule in self.rules if rule.dynamic
        }
        self.learnt: list[tuple[Rule, object, object]] = []
        self.met: set[tuple[str, object]] = set()
        self._memo: dict[tuple[Location, Location, Cover], bool] = {}

    def clean(self) -> bool:
        """Whether no difference is left."""
        return self.pair(self.primary, self.candidate, (), (), Cover())

    def selects(self, rule: Rule, a: Any, b: Any, one: Location, other: Location) -> bool:
        """Whether a rule selects the pair of `a` at the primary's place `one` and `b` at the candidate's place `other`.

        It has to select both, or the one that is there; for `exact` one of them is enough.
        """
        if rule.dynamic:
            first, second = self._selected[rule.path]
            found = [one in first] * (a is not MISSING) + [other in second] * (b is not MISSING)
        else:
            found = [reaches(rule.path, one)] * (a is not MISSING) + [reaches(rule.path, other)] * (b is not MISSING)
        return any(found) if rule.action == "exact" else all(found)

    def enter(self, a: Any, b: Any, one: Location, other: Location, cover: Cover) -> tuple[list[Rule], Cover]:
        """The rules in force at a place, without those that `exact` cancels, and what holds below.

        Two objects or two lists under `type_only` are hidden as under `ignore`.
        """
        kind = type_of(a) if isinstance(a, dict | list) and type_of(a) == type_of(b) else ""
        here = [rule for rule in self.rules if self.selects(rule, a, b, one, other)]
        ranks = [rule.rank for rule in here if rule.action == "exact"] + ([] if cover.guard is None else [cover.guard])
        guard = max(ranks, default=None)
        hiding = [rule for rule in here if rule.action == "ignore" or (kind and _typed(rule, kind))]
        ignores = {*cover.ignores, *(rule.rank for rule in hiding)}
        live = [rule for rule in here if rule.action not in ("exact", "ignore") and (guard is None or rule.rank >= guard)]
        return sorted(live, key=lambda rule: rule.rank, reverse=True), Cover(guard, tuple(sorted(ignores)))

    def pair(self, a: Any, b: Any, one: Location, other: Location, cover: Cover) -> bool:
        """Whether everything at and below a place is explained."""
        if self.correlate == "exact":  # what it teaches must be seen each time
            return self._pair(a, b, one, other, cover)
        key = (one, other, cover)
        if key not in self._memo:
            self._memo[key] = self._pair(a, b, one, other, cover)
        return self._memo[key]

    def _pair(self, a: Any, b: Any, one: Location, other: Location, cover: Cover) -> bool:
        live, below = self.enter(a, b, one, other, cover)
        kind = type_of(a) if type_of(a) == type_of(b) else ""
        if below.hides:
            return self._hidden(a, b, one, other, below, live)
        if kind == "object":
            return all(self.pair(*pair, (*one, key), (*other, key), below) for key, pair in members(a, b))
        if kind == "array":
            return self._lists(a, b, one, other, below, live)
        return self._leaf(a, b, below, live)

    def _hidden(self, a: Any, b: Any, one: Location, other: Location, below: Cover, live: list[Rule]) -> bool:
        """Under an ignore only what `exact` carves out counts."""
        if not self.exacts or not (isinstance(a, dict | list) or isinstance(b, dict | list)):
            return True
        results = [self.pair(*pair, (*one, key), (*other, key), below) for key, pair in members(a, b)]
        if not isinstance(a, list) and not isinstance(b, list):
            return all(results)
        both = isinstance(a, list) and isinstance(b, list) and len(a) == len(b)
        aligned = any(rule.action in ("unordered", "keyed") for rule in live)
        if not both or (aligned and not all(results)):
            raise Unspecified("how a hidden list is aligned")
        return all(results)

    def _leaf(self, a: Any, b: Any, below: Cover, live: list[Rule]) -> bool:
        if below.guard is None:
            if same_value(a, b, self.off, self.drop_query):
                self._taught(live, a, b, same=True)
                return True
        elif exactly(a, b):
            self._taught(live, a, b, same=True)
            return True
        others = [rule for rule in live if rule.action != "correlate"]
        return any(self._explains(rule, a, b) for rule in others) or (self.correlate != "never" and self._taught(live, a, b))

    def _taught(self, live: list[Rule], a: Any, b: Any, *, same: bool = False) -> bool:
        """Whether a pair of ids comes under `correlate`; it then counts for the bijection, and what stands for itself against it."""
        rules = [rule for rule in live if rule.action == "correlate"]
        if not rules or type_of(a) not in ("string", "number") or type_of(a) != type_of(b):
            return False
        if same:
            self.met |= {(rule.called, identity(a)) for rule in rules}
        else:
            self.learnt += [(rule, identity(a), identity(b)) for rule in rules]
        return True

    def one_to_one(self) -> bool:
        """Whether the ids that were learnt go together one to one, and none of them stands for itself where its rule holds."""
        forth: dict[object, object] = {}
        back: dict[object, object] = {}
        for rule, a, b in self.learnt:
            name = rule.entry["name"]
            if forth.setdefault((name, a), b) != b or back.setdefault((name, b), a) != a:
                return False
            if a != b and {(rule.called, a), (rule.called, b)} & self.met:
                return False
        return True

    # lists

    def _lists(self, a: list[Any], b: list[Any], one: Location, other: Location, below: Cover, live: list[Rule]) -> bool:
        kept = next((rule for rule in live if rule.action == "keyed" and rule.entry.get("order") == "kept"), None)
        rules = [rule for rule in live if rule.action in ("unordered", "keyed") and rule is not kept]
        if kept is not None:
            rules = [rule for rule in rules if rule.rank > kept.rank]
        if len(a) != len(b):
            return False  # an ignore of the list itself was seen before
        attempts = [self._kept(a, b, kept) if kept is not None else list(zip(range(len(a)), range(len(b)), strict=True))]
        attempts += [
            self._keyed(a, b, rule) for rule in rules if rule.action == "keyed" and self._keyed(a, b, rule) is not None
        ]
        for pairs in attempts:
            if pairs is not None and all(self.pair(a[i], b[j], (*one, i), (*other, j), below) for i, j in pairs):
                return True
        multiset = [rule for rule in rules if rule.action == "unordered" or _keys(a, rule) is None or _keys(b, rule) is None]
        return bool(multiset) and self._matched(a, b, one, other, below)

    def _kept(self, a: list[Any], b: list[Any], rule: Rule) -> list[tuple[int, int]] | None:
        """Pairs by key where the order is the same; by index where the elements have no keys."""
        ours, theirs = _keys(a, rule), _keys(b, rule)
        if ours is not None and theirs is not None and ours != theirs:
            return None
        return list(zip(range(len(a)), range(len(b)), strict=True))

    def _keyed(self, a: list[Any], b: list[Any], rule: Rule) -> list[tuple[int, int]] | None:
        ours, theirs = _keys(a, rule), _keys(b, rule)
        if ours is None or theirs is None or set(ours) != set(theirs):
            return None
        return [(i, theirs.index(key)) for i, key in enumerate(ours)]

    def _matched(self, a: list[Any], b: list[Any], one: Location, other: Location, below: Cover) -> bool:
        """Whether the elements can be paired so that each pair is explained."""
        known: dict[object, bool] = {}

        def fit(i: int, j: int) -> bool:
            key = (i, j) if self.tells_places_apart else (repr(a[i]), repr(b[j]))
            if key not in known:
                known[key] = self.pair(a[i], b[j], (*one, i), (*other, j), below)
            return known[key]

        left = list(range(len(a)))
        fits = {i: {j for j in range(len(b)) if fit(i, j)} for i in left}
        return _assignable(left, fits)

    def _explains(self, rule: Rule, a: Any, b: Any) -> bool:
        if rule.action == "missing_is_null":
            return (a is MISSING and b is None) or (a is None and b is MISSING)
        if a is MISSING or b is MISSING:
            return False
        return explains(rule.entry, a, b)

    # paths

    def paths(self, a: Any, b: Any, one: Location, cover: Cover) -> set[Location]:
        """The places of the differences; raises Unspecified where an alignment decides."""
        if self.pair(a, b, one, one, cover):
            return set()
        live, below = self.enter(a, b, one, one, cover)
        kind = type_of(a) if type_of(a) == type_of(b) else ""
        if below.hides:
            if isinstance(a, list) or isinstance(b, list):
                raise Unspecified("a hidden list")
            return set().union(*(self.paths(*pair, (*one, key), below) for key, pair in members(a, b)))
        if kind == "object":
            return set().union(*(self.paths(*pair, (*one, key), below) for key, pair in members(a, b)))
        if kind != "array":
            return {one}
        if len(a) != len(b) or any(rule.action in ("keyed", "unordered") for rule in live):
            raise Unspecified("an alignment")
        dirty = [at for at in range(len(a)) if not self.pair(a[at], b[at], (*one, at), (*one, at), below)]
        plain = Oracle(self.primary, self.candidate, (), off=self.off)
        unequal = [at for at in range(len(a)) if not plain.pair(a[at], b[at], (*one, at), (*one, at), Cover())]
        moved = plain._permuted(a, b, one, unequal, Cover())
        if self.tells_places_apart and (moved or self._permuted(a, b, one, dirty, below)):
            raise Unspecified("another order where rules tell places apart")
        if len(dirty) > 1 and self._permuted(a, b, one, dirty, below):
            if not moved:
                raise Unspecified("another order under rules that are no canonical forms")
            return {one}
        if moved:
            raise Unspecified("another order of places that rules tell apart")
        return set().union(*(self.paths(a[at], b[at], (*one, at), below) for at in dirty))

    @property
    def tells_places_apart(self) -> bool:
        """Whether some rule selects elements by more than their being elements."""
        kinds = {kind for rule in self.rules for segment in rule.segments for kind in segment.kinds}
        return bool(kinds - {"name", "star"})

    def _permuted(self, a: list[Any], b: list[Any], one: Location, places: list[int], below: Cover) -> bool:
        fits = {i: {j for j in places if self.pair(a[i], b[j], (*one, i), (*one, j), below)} for i in places}
        return _assignable(places, fits)


def _assignable(left: list[int], fits: dict[int, set[int]]) -> bool:
    """Whether each on the left finds a partner of its own: a maximum bipartite matching by augmenting paths."""
    partner: dict[int, int] = {}

    def found(i: int, tried: set[int]) -> bool:
        for j in sorted(fits[i] - tried):
            tried.add(j)
            if j not in partner or found(partner[j], tried):
                partner[j] = i
                return True
        return False

    return all(found(i, set()) for i in left)


def members(a: Any, b: Any) -> Iterator[tuple[str | int, tuple[Any, Any]]]:
    """Members and elements of two containers, by name or index; a scalar has none."""
    keys: dict[str | int, None] = {}
    for side in (a, b):
        if isinstance(side, dict):
            keys |= dict.fromkeys(side)
        elif isinstance(side, list):
            keys |= dict.fromkeys(range(len(side)))
    for key in keys:
        yield key, (_member(a, key), _member(b, key))


def _member(value: Any, key: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(key, MISSING)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return MISSING


def _keys(items: list[Any], rule: Rule) -> list[tuple[object, ...]] | None:
    by = rule.entry["by"]
    found = []
    for item in items:
        names = [by] if isinstance(by, str) else by
        values = [item.get(name) if isinstance(item, dict) else None for name in names]
        if any(value is None or isinstance(value, dict | list) for value in values):
            return None
        found.append(tuple((type_of(value), value.value if isinstance(value, Number) else value) for value in values))
    return found if len(set(found)) == len(found) else None


def _typed(rule: Rule, kind: str) -> bool:
    types = rule.entry.get("types")
    return rule.action == "type_only" and (not types or kind in types)


# the verdict


@dataclass(frozen=True)
class Expected:
    """What is promised: the verdict, and the generalised paths of a mismatch where an alignment does not decide them."""

    verdict: str
    paths: frozenset[str] | None = None


def expected(
    primary: Any,
    candidate: Any,
    rules: Iterable[Rule],
    *,
    off: frozenset[str] = frozenset(),
    drop_query: tuple[tuple[str, str], ...] = (),
) -> Expected:
    """What the reference promises of two documents under rules in force. Raises Unspecified."""
    live = tuple(rules)

    def made(correlate: str) -> Oracle:
        return Oracle(primary, candidate, live, off=off, drop_query=drop_query, correlate=correlate)

    clean = _clean(made, live)
    if clean:
        demands = tuple(rule for rule in live if rule.action == "exact" or rule.entry.get("order") == "kept")
        without = Oracle(primary, candidate, demands, off=off).clean()
        return Expected("match" if without else "tolerated")
    return Expected("mismatch", _mismatching(made("never"), made("always")))


def _clean(made: Callable[[str], Oracle], live: tuple[Rule, ...]) -> bool:
    """Whether everything is explained; ids are asked for a bijection only where the answer hangs on it."""
    least, most = made("never").clean(), made("always").clean()
    if least == most:
        return bool(least)
    if any(rule.action in ("unordered", "keyed") for rule in live) or sum(rule.action == "correlate" for rule in live) > 1:
        raise Unspecified("which ids go together")
    oracle = made("exact")
    oracle.clean()
    return oracle.one_to_one()


def _mismatching(least: Oracle, most: Oracle) -> frozenset[str] | None:
    try:
        found = [oracle.paths(oracle.primary, oracle.candidate, (), Cover()) for oracle in (least, most)]
    except Unspecified:
        return None
    paths = [frozenset(general(location) for location in side) for side in found]
    return paths[0] if paths[0] == paths[1] and len(paths[0]) <= 20 else None
