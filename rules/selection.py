"""Which rules hold for one kind of answer: chosen once for each kind and remembered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from rules.model import Rule, RuleSet, template_of

MAX_REMEMBERED = 2_000
"""Kinds remembered for a rule set. Media types and methods come from traffic: beyond this all are forgotten."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules in scope, most specific first. `body` and `body_expired` are by the automaton's number of their path.

    `targets` holds the live rules by target and name, `dynamic` those whose path needs the documents, `builtins` the builtins for
    whole answers. So a comparison costs the same whatever the number of rules.
    """

    live: tuple[Rule, ...]
    expired: tuple[Rule, ...]
    has_exact: bool
    has_correlate: bool
    body: dict[int, Rule]
    body_expired: dict[int, Rule]
    targets: dict[tuple[str, str], tuple[Rule, ...]]
    expired_targets: dict[tuple[str, str], tuple[Rule, ...]]
    dynamic: tuple[Rule, ...]
    builtins: dict[str, Rule]


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
        any(rule.action == "correlate" and rule.target == "body" for rule in live),
        {number: rule for number, rule in enumerate(rules.body_rules) if id(rule) in alive},
        {number: rule for number, rule in enumerate(rules.body_rules) if id(rule) in dead},
        _by_target(live),
        _by_target(expired),
        tuple(rule for rule in live if rule.path is not None and rule.path.dynamic),
        {rule.builtin: rule for rule in reversed(live) if rule.builtin and rule.path is None},
    )


def _by_target(rules: tuple[Rule, ...]) -> dict[tuple[str, str], tuple[Rule, ...]]:
    found: dict[tuple[str, str], list[Rule]] = {}
    for rule in rules:
        found.setdefault((rule.target, rule.name), []).append(rule)
    return {key: tuple(group) for key, group in found.items()}
