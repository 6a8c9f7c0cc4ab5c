"""Which rules hold for one kind of answer: chosen once for each kind and remembered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from rules.model import Rule, RuleSet, template_of

MAX_REMEMBERED = 2_000
"""Kinds remembered for a rule set. Media types and methods come from traffic: beyond this all are forgotten."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules in scope, most specific first. `body` and `body_expired` are by the automaton's number of their path."""

    live: tuple[Rule, ...]
    expired: tuple[Rule, ...]
    has_exact: bool
    body: dict[int, Rule]
    body_expired: dict[int, Rule]


def select(rules: RuleSet, method: str, route: str, status: int, content_type: str, today: date) -> Selection:
    """The rules of `rules` for one kind of answer: scope is judged by the primary's status and media type."""
    key = (method, route, status, content_type, today)
    found = rules.remembered.get(key)
    if found is None:
        if len(rules.remembered) >= MAX_REMEMBERED:
            rules.remembered.clear()
        found = rules.remembered[key] = _selected(rules, method, route, status, content_type, today)
    return found


def _selected(rules: RuleSet, method: str, route: str, status: int, content_type: str, today: date) -> Selection:
    template = template_of(route)
    scoped = [rule for rule in rules.all_rules if rule.scope.admits(method, template, status, content_type)]
    live = tuple(rule for rule in scoped if not rule.expired(today))
    expired = tuple(rule for rule in scoped if rule.expired(today))
    alive, dead = {id(rule) for rule in live}, {id(rule) for rule in expired}
    return Selection(
        live,
        expired,
        any(rule.action == "exact" and rule.target == "body" for rule in live),
        {number: rule for number, rule in enumerate(rules.body_rules) if id(rule) in alive},
        {number: rule for number, rule in enumerate(rules.body_rules) if id(rule) in dead},
    )
