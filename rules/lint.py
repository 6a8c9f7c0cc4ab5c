"""What a rule file allows but should not hold: ties, hiding too much, rules past their day, rules that do nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from rules.lint_bodies import StoredBody, dead_paths
from rules.lint_pairs import PairRemarks
from rules.lint_routes import KnownRoutes
from rules.lint_rule import end_remarks, rule_remarks
from rules.model import RuleSet
from rules.remarks import Lint

__all__ = ["Lint", "StoredBody", "lint"]


def lint(rules: RuleSet, today: date, routes: Iterable[str] | None = None, bodies: Sequence[StoredBody] = ()) -> list[Lint]:
    """All remarks, by file and line.

    `routes` are the known route labels or templates; without them scopes are not checked. `bodies` are decoded bodies of real
    answers; a rule in whose scope there is none is not asked whether its path selects something.
    """
    found: list[Lint] = []
    for rule in rules.rules:
        found += rule_remarks(rule, rules, today)
    if routes is not None:
        known = KnownRoutes(routes)
        found += [remark for rule in rules.rules if (remark := known.remark(rule)) is not None]
    for use in rules.presets:
        found += end_remarks(use, use.place, use.name, today)
    found += PairRemarks(rules, today).remarks()
    if bodies:
        found += dead_paths(rules, bodies)
    return sorted(set(found), key=lambda remark: remark.order)
