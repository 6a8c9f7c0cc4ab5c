"""One automaton for all paths of a rule set, walked beside the documents.

A place within a path is one bit, the places of all paths are one number, and a step is a shift: where the selectors take the key,
a place moves on to the next bit; where the segment descends, it also stays. The states are made lazily and remembered. Only names
and indices that stand in some rule are told apart, so hostile keys cannot make it grow; paths that have more states than are
remembered (`$..a.*.*.*.*`) cost a shift for each step and no memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property

from rules.jsonpath import Dynamic, Path, Selector, Step, Wildcard
from rules.queries import Filter

MAX_REMEMBERED = 20_000
"""Steps from state to state that are remembered, fewer where the paths are many and a state is large. Beyond it all are
forgotten and learned again."""
_LARGE = 512
_MAX_MASKS = 256
_KINDS: dict[type, str] = {Wildcard: "wildcard", Filter: "filter"}
Key = str | int


class State:
    """Where the walk is in every path at once. `accepted` holds the numbers of the paths that select this very node."""

    __slots__ = ("_automaton", "_known", "_other_index", "_other_name", "_places", "accepted", "dead")

    def __init__(self, automaton: Automaton, places: int) -> None:
        self._automaton = automaton
        self._places = places
        self._known: dict[Key, State] = {}
        self._other_name: State | None = None
        self._other_index: State | None = None
        self.accepted = automaton.ends_in(places)
        self.dead = not places & automaton.steps.inner
        """True when no path selects anything below."""

    def step(self, key: Key) -> State:
        """The state at the member or element `key` of this node."""
        known = self._known.get(key)
        if known is not None:
            return known
        if self.dead and not self.accepted:
            return self
        if key in self._automaton.alphabet:
            state = self._known[key] = self._automaton.successor(self._places, key)
            return state
        if isinstance(key, int):
            if self._other_index is None:
                self._other_index = self._automaton.successor(self._places, key)
            return self._other_index
        if self._other_name is None:
            self._other_name = self._automaton.successor(self._places, key)
        return self._other_name


class Automaton:
    """All static paths of a rule set. `paths[n]` is the path with number n. Dynamic selectors take nothing here."""

    def __init__(self, paths: Sequence[Path], remember: int = MAX_REMEMBERED) -> None:
        self.paths = tuple(paths)
        self.steps = _Steps([path.steps for path in self.paths])
        self.alphabet: frozenset[Key] = frozenset(self.steps.naming)
        self._numbers = {end: number for number, end in enumerate(self.steps.ends)}
        self._weight = 1 + self.steps.length // 8 // _LARGE
        self._states: dict[int, State] = {}
        self._remember = remember
        self._remembered = 0
        self.start = self._state(self.steps.starts)

    def ends_in(self, places: int) -> tuple[int, ...]:
        """The numbers of the paths that are at their end, in order."""
        found = []
        left = places & ~self.steps.inner
        while left:
            lowest = left & -left
            found.append(self._numbers[lowest.bit_length() - 1])
            left ^= lowest
        return tuple(found)

    def _state(self, places: int) -> State:
        state = self._states.get(places)
        if state is None:
            state = self._states[places] = State(self, places)
        return state

    def successor(self, places: int, key: Key) -> State:
        """The state after `key`; equal places share one state."""
        self._remembered += self._weight
        if self._remembered > self._remember:
            self._remembered = 0
            self._states = {}
            self.start = self._state(self.steps.starts)
        return self._state(self.steps.after(places, key))


class _Steps:
    """The segments of some paths as bits: one for each segment, one for each path's end, in order."""

    def __init__(self, paths: Iterable[tuple[Step, ...]]) -> None:
        self.ends: list[int] = []
        self.naming: dict[Key, list[int]] = {}
        """Which segments name a key."""
        self._masks: dict[Key, int] = {}
        marked: defaultdict[str, list[int]] = defaultdict(list)
        at = 0
        for steps in paths:
            marked["start"].append(at)
            for step in steps:
                marked["inner"].append(at)
                if step.descendant:
                    marked["descending"].append(at)
                for selector in step.selectors:
                    if isinstance(selector, str | int):
                        self.naming.setdefault(selector, []).append(at)
                    else:
                        marked[_KINDS.get(type(selector), "index")].append(at)
                at += 1
            self.ends.append(at)
            at += 1
        self.length = at
        self.starts, self.inner = self._bits(marked["start"]), self._bits(marked["inner"])
        self.descending = self._bits(marked["descending"])
        self.any_key, self.filters = self._bits(marked["wildcard"]), self._bits(marked["filter"])
        self.some_index = self._bits(marked["index"])
        """The segments with a slice or an index from the end."""

    def _bits(self, places: Iterable[int]) -> int:
        made = bytearray(self.length // 8 + 1)
        for at in places:
            made[at // 8] |= 1 << at % 8
        return int.from_bytes(made, "little")

    def taking(self, key: Key) -> int:
        """The segments that name this key or have a wildcard."""
        if key not in self.naming:
            return self.any_key
        mask = self._masks.get(key)
        if mask is None:
            if len(self._masks) >= _MAX_MASKS:
                self._masks.clear()
            mask = self._masks[key] = self._bits(self.naming[key]) | self.any_key
        return mask

    def after(self, places: int, key: Key) -> int:
        """The places below `key`, dynamic selectors aside."""
        return (places & self.taking(key)) << 1 | places & self.descending

    def meeting(self, step: Step) -> int:
        """The segments that can take a key which `step` can take, in some document."""
        met = self.filters
        for selector in step.selectors:
            if isinstance(selector, str | int):
                met |= self.taking(selector) | (self.some_index if isinstance(selector, int) else 0)
            elif isinstance(selector, Wildcard | Filter):
                return self.inner
            else:
                met |= self.taking_an_index
        return met

    @cached_property
    def taking_an_index(self) -> int:
        """The segments that can take some index."""
        named = (at for key, segments in self.naming.items() if isinstance(key, int) for at in segments)
        return self._bits(named) | self.any_key | self.filters | self.some_index


def selects(selector: Selector, key: Key) -> bool:
    """Whether a selector takes the member or element `key`. A dynamic one is asked elsewhere, with the document at hand."""
    if isinstance(selector, Wildcard):
        return True
    if isinstance(selector, Dynamic):
        return False
    return type(selector) is type(key) and selector == key


def may_lie_under(upper: Path, lower: Path) -> bool:
    """Whether `lower` can select something below an element of a node that `upper` selects, in some document.

    What a filter takes, and which indices a slice or an index from the end, is not known: they count as any key and any index.
    """
    segments = _Steps([lower.steps])
    places = segments.starts
    for step in upper.steps:
        if step.descendant:  # any keys may lead deeper, so `lower` may be any number of segments on
            lowest = places & -places
            places = (segments.inner | 1 << segments.ends[0]) & -lowest
        places = (places & segments.meeting(step)) << 1 | places & segments.descending
    return bool(places & (segments.taking_an_index | segments.descending))
