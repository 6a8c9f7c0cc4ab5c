"""Names that are data: a node under which too many different names differ over time is a mapping, and its names become `.*`.

One answer shows only a few of a mapping's keys, so `differ.atoms` cannot tell; over many answers each key would be a cluster of
its own. Paths here are generalised ones (`differ.paths.general`); nothing here looks at values.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Iterable

from differ.atoms import MAX_CHILDREN

MAX_NODES = 1_000
"""Nodes of one route whose names are told apart; below any further node every name counts as data."""
MAX_ROUTES = 2_000
ANY_NAME = ".*"
_STEP = re.compile(r'\.\*|\.[^.\["]+|\[\*\]|\["(?:[^"\\]|\\.)*"\]')


def steps_of(path: str) -> list[str]:
    """The steps of a generalised path: `.name`, `["odd name"]`, `[*]`, `.*`. Empty for the root and for what is no such path."""
    if not path.startswith("$"):
        return []
    steps = _STEP.findall(path)
    return steps if len(path) == 1 + sum(map(len, steps)) else []


def generalised(path: str, data: Collection[str]) -> str:
    """`path` with each name below a node of `data` as `.*`; anything that is no generalised path comes back as it is."""
    steps = steps_of(path)
    if not steps:
        return path
    made = "$"
    for step in steps:
        made += ANY_NAME if made in data and _is_name(step) else step
    return made


def _is_name(step: str) -> bool:
    return step not in (ANY_NAME, "[*]")


class KeyNames:
    """The nodes of one route and the differing names seen below each. Which nodes turn into data does not depend on the order."""

    def __init__(self) -> None:
        self.data: set[str] = set()
        """The nodes whose names are data."""
        self.turned: list[str] = []
        """Those of them that turned here, for whoever takes them out of it."""
        self._names: dict[str, set[str]] = {}

    def learn(self, path: str) -> str:
        """Takes a differing place in; the path to record for it, as far as it is known by now."""
        steps = steps_of(path)
        if not steps:
            return path
        made = "$"
        for step in steps:
            made += step if not _is_name(step) or self._counted(made, step) else ANY_NAME
        return made

    def turn(self, nodes: Iterable[str]) -> None:
        """Nodes that were found to be data elsewhere."""
        for node in nodes:
            self._turn(node)

    def _counted(self, node: str, name: str) -> bool:
        """Whether the name is one of a node's few; the node turns into data by one too many."""
        if node in self.data:
            return False
        names = self._names.get(node)
        if names is None:
            if len(self._names) >= MAX_NODES:
                return False
            names = self._names[node] = set()
        if name in names:
            return True
        if len(names) >= MAX_CHILDREN:
            self.turned += self._turn(node)
            del self.turned[:-MAX_NODES]
            return False
        names.add(name)
        return True

    def _turn(self, node: str) -> list[str]:
        """The names of a node are data: what was known below each of them is known of all of them now. Returns what turned."""
        before = set(self.data)
        todo = [node]
        while todo:
            turned = generalised(todo.pop(), self.data)
            if turned in self.data or len(self.data) >= MAX_NODES:
                continue
            self.data.add(turned)
            self._names.pop(turned, None)
            for old in sorted(self.data):
                if generalised(old, self.data) != old:
                    self.data.discard(old)
                    todo.append(old)
            for old in sorted(self._names):
                new = generalised(old, self.data)
                if new != old:
                    moved = self._names.pop(old)
                    if new not in self.data:
                        names = self._names[new] = self._names.get(new, set()) | moved
                        if len(names) > MAX_CHILDREN:
                            todo.append(new)
        return sorted(self.data - before)


class RouteKeyNames:
    """`KeyNames` of every route, the routes seen last."""

    def __init__(self) -> None:
        self._routes: OrderedDict[str, KeyNames] = OrderedDict()
        self._turned: list[tuple[str, str]] = []

    def learn(self, route: str, path: str) -> str:
        """The path to record for a differing place of a route."""
        names = self._of(route)
        made = names.learn(path)
        if names.turned:
            self._turned += [(route, node) for node in names.turned]
            names.turned.clear()
            del self._turned[:-MAX_NODES]
        return made

    def seed(self, nodes: Iterable[tuple[str, str]]) -> None:
        """(route, node) pairs that another process or an earlier one found."""
        for route, node in nodes:
            self._of(route).turn([node])

    def take_turned(self) -> list[tuple[str, str]]:
        """The (route, node) pairs that became data here since this was asked last."""
        taken, self._turned = self._turned, []
        return taken

    def _of(self, route: str) -> KeyNames:
        names = self._routes.get(route)
        if names is None:
            names = self._routes[route] = KeyNames()
            if len(self._routes) > MAX_ROUTES:
                self._routes.popitem(last=False)
        self._routes.move_to_end(route)
        return names
