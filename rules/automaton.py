"""One automaton for all paths of a rule set, walked beside the documents.

Each path is a small nondeterministic automaton over member names and indices; the product is made lazily, state by state.
Only names and indices that stand in some rule are remembered, so hostile keys cannot make it grow; whatever else a document
holds goes through one of two shared transitions. The cost of a step does not depend on the number of rules.
"""

from __future__ import annotations

from collections.abc import Sequence

from rules.jsonpath import Dynamic, Path, Selector, Wildcard

MAX_STATES = 20_000
"""Memoised states; beyond it states are built and thrown away, which is slow but right."""
Key = str | int


class State:
    """Where the walk is in every path at once. `accepted` holds the numbers of the paths that select this very node."""

    __slots__ = ("_automaton", "_known", "_other_index", "_other_name", "_positions", "accepted", "dead")

    def __init__(self, automaton: Automaton, positions: frozenset[tuple[int, int]]) -> None:
        self._automaton = automaton
        self._positions = positions
        self._known: dict[Key, State] = {}
        self._other_name: State | None = None
        self._other_index: State | None = None
        self.accepted = tuple(sorted(n for n, at in positions if at == len(automaton.paths[n].steps)))
        self.dead = all(at == len(automaton.paths[n].steps) for n, at in positions)
        """True when no path selects anything below."""

    def step(self, key: Key) -> State:
        """The state at the member or element `key` of this node."""
        if self.dead and not self.accepted:
            return self
        if key in self._automaton.alphabet and not isinstance(key, bool):
            state = self._known.get(key)
            if state is None:
                state = self._known[key] = self._automaton.successor(self._positions, key)
            return state
        if isinstance(key, int):
            if self._other_index is None:
                self._other_index = self._automaton.successor(self._positions, key)
            return self._other_index
        if self._other_name is None:
            self._other_name = self._automaton.successor(self._positions, key)
        return self._other_name


class Automaton:
    """All static paths of a rule set. `paths[n]` is the path with number n."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self.alphabet: frozenset[Key] = frozenset(
            selector for path in paths for step in path.steps for selector in step.selectors if isinstance(selector, str | int)
        )
        self._states: dict[frozenset[tuple[int, int]], State] = {}
        self.start = self._state(frozenset((n, 0) for n in range(len(self.paths))))

    def _state(self, positions: frozenset[tuple[int, int]]) -> State:
        state = self._states.get(positions)
        if state is None:
            state = State(self, positions)
            if len(self._states) < MAX_STATES:
                self._states[positions] = state
        return state

    def successor(self, positions: frozenset[tuple[int, int]], key: Key) -> State:
        """The state after `key`; equal position sets share one state."""
        after = set()
        for number, at in positions:
            steps = self.paths[number].steps
            if at == len(steps):
                continue
            if steps[at].descendant:
                after.add((number, at))
            if any(selects(selector, key) for selector in steps[at].selectors):
                after.add((number, at + 1))
        return self._state(frozenset(after))


def selects(selector: Selector, key: Key) -> bool:
    """Whether a selector takes the member or element `key`. A dynamic one is asked elsewhere, with the document at hand."""
    if isinstance(selector, Wildcard):
        return True
    if isinstance(selector, Dynamic):
        return False
    return type(selector) is type(key) and selector == key


def may_lie_under(upper: Path, lower: Path) -> bool:
    """Whether `lower` can select something below an element of a node that `upper` selects. Dynamic selectors count as `*`."""
    keys: list[Key] = [*Automaton((upper, lower)).alphabet, "\0other", 1 << 60]
    seen = {(0, 0, False)}
    todo = [(0, 0, False)]
    while todo:
        up, low, under = todo.pop()
        if under and low == len(lower.steps):
            return True
        for key in keys:
            lows = _after(lower, low, key)
            if under:
                following = {(up, nxt, True) for nxt in lows}
            else:
                following = {(nup, nxt, False) for nup in _after(upper, up, key) for nxt in lows}
                if up == len(upper.steps) and isinstance(key, int):
                    following |= {(up, nxt, True) for nxt in lows}
            for state in following - seen:
                seen.add(state)
                todo.append(state)
    return False


def _after(path: Path, at: int, key: Key) -> set[int]:
    if at == len(path.steps):
        return set()
    step = path.steps[at]
    after = {at} if step.descendant else set()
    if any(isinstance(selector, Dynamic) or selects(selector, key) for selector in step.selectors):
        after.add(at + 1)
    return after
