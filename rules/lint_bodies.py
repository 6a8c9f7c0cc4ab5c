"""Remarks that stored bodies allow: paths that select nothing in any of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rules.jsonpath import Path, locate
from rules.model import Rule, RuleSet, Scope, template_of
from rules.reading import nearest
from rules.remarks import Lint

MAX_VALUES = 2_000_000
"""Values of stored bodies that are looked at; the bodies beyond are left out."""


@dataclass(frozen=True, slots=True)
class StoredBody:
    """One decoded JSON body. `route` is the label; `status` and `content_type` are the primary's, by which scopes are judged."""

    route: str
    status: int
    content_type: str
    value: Any

    def lies_in(self, scope: Scope) -> bool:
        """Whether a rule of that scope looks at it; one without statuses is meant for answers that are no errors."""
        method = self.route.partition(" ")[0]
        admitted = scope.admits(method, template_of(self.route), self.status, self.content_type)
        return admitted and (bool(scope.statuses) or self.status < 400)


class _Spent(Exception):
    pass


class _Budget:
    def __init__(self) -> None:
        self.left = MAX_VALUES

    def spend(self, cost: int = 1) -> None:
        self.left -= cost
        if self.left < 0:
            raise _Spent


def dead_paths(rules: RuleSet, bodies: Sequence[StoredBody]) -> Iterator[Lint]:
    """A remark for each rule in whose scope bodies are stored and whose path none of them has."""
    budget, looked = _Budget(), []
    selected: set[str] = set()
    try:
        for body in bodies:
            selected |= _selected(rules, body, budget)
            looked.append(body)
    except _Spent:
        pass
    for rule in rules.rules:
        if rule.path is None or rule.id in selected:
            continue
        values = [body.value for body in looked if body.lies_in(rule.scope)]
        if values:
            count = (
                f"none of {len(values)} stored bodies in its scope"
                if len(values) > 1
                else "the one stored body in its scope does not"
            )
            has = "has" if len(values) > 1 else "have"
            text = f"{count} {has} {rule.path.text}: {_missing(rule.path, values)}correct the path, or remove the rule"
            yield Lint("dead_path", rule.place, rule.id, text)


def _selected(rules: RuleSet, body: StoredBody, budget: _Budget) -> set[str]:
    """The ids of the rules whose path selects something in one body."""
    numbers: set[int] = set()
    todo = [(rules.automaton.start, body.value)]
    while todo:
        state, value = todo.pop()
        budget.spend()
        numbers.update(state.accepted)
        if state.dead:
            continue
        if isinstance(value, dict):
            todo += [(state.step(key), item) for key, item in value.items()]
        elif isinstance(value, list):
            todo += [(state.step(at), item) for at, item in enumerate(value)]
    found = {rules.body_rules[number].id for number in numbers if body.lies_in(rules.body_rules[number].scope)}
    return found | {rule.id for rule in rules.dynamic_rules if _dynamic(rule, body, budget)}


def _dynamic(rule: Rule, body: StoredBody, budget: _Budget) -> bool:
    return rule.path is not None and body.lies_in(rule.scope) and bool(locate(rule.path, body.value, budget.spend))


def _missing(path: Path, values: list[Any]) -> str:
    """Which step of a path selects nothing, and the member that may be meant; empty where it is not one plain name."""
    here = values
    for step in path.steps:
        if step.descendant or len(step.selectors) != 1:
            return ""
        (selector,) = step.selectors
        if isinstance(selector, str):
            found = [value[selector] for value in here if isinstance(value, dict) and selector in value]
            if not found:
                names = sorted({name for value in here if isinstance(value, dict) for name in value if isinstance(name, str)})
                return f"nothing is called {selector!r} there; {nearest(selector, names[:1_000])}"
        else:
            found = [item for value in here for item in (value.values() if isinstance(value, dict) else _items(value))]
        here = found[:10_000]
    return ""


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
