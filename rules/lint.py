"""What a rule file allows but should not hold: ties, hiding too much, rules past their day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from rules.automaton import may_lie_under
from rules.entry import OVER_BROAD
from rules.model import UNROUTED, Rule, RuleSet, template_of
from rules.reading import nearest

MAX_DAYS = 90


@dataclass(frozen=True, slots=True)
class Lint:
    """One remark. `kind` is one of `tie why_not over_broad tolerance_under_unordered expired far_off unknown_route`."""

    kind: str
    place: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.text}" if self.place else f"{self.rule}: {self.text}"


def lint(rules: RuleSet, today: date, routes: Iterable[str] | None = None) -> list[Lint]:
    """All remarks, sorted. `routes` are the known route labels or templates; without them scopes are not checked."""
    templates = {template_of(route) for route in routes} if routes is not None else None
    found: list[Lint] = []
    for rule in rules.rules:
        found += _rule(rule, today)
        if templates is not None and rule.scope.route and rule.scope.route not in templates | {UNROUTED}:
            text = f"the route {rule.scope.route!r} is not known; {nearest(rule.scope.route, templates)}it can never apply"
            found.append(Lint("unknown_route", rule.place, rule.id, text))
    for use in rules.presets:
        found += _end(use.expires, use.permanent, use.place, use.name, today)
    found += _ties(rules.rules)
    found += _hashed(rules.rules)
    return sorted(set(found), key=lambda remark: (remark.place, remark.rule, remark.kind, remark.text))


def _rule(rule: Rule, today: date) -> list[Lint]:
    found = _end(rule.expires, rule.permanent, rule.place, rule.id, today)
    if rule.action != "ignore":
        return found
    if not rule.why_not:
        text = "ignore needs 'why_not': the narrower action (normalise, tolerance, type_only, regex ...) and why it does not do"
        found.append(Lint("why_not", rule.place, rule.id, text))
    if rule.path is not None and _is_over_broad(rule):
        text = f"ignore on {rule.path.text} hides whole documents; name the members that may differ"
        found.append(Lint("over_broad", rule.place, rule.id, text))
    return found


def _is_over_broad(rule: Rule) -> bool:
    assert rule.path is not None
    named = any(isinstance(selector, str) for step in rule.path.steps for selector in step.selectors)
    return rule.path.text in OVER_BROAD or not named


def _end(expires: date | None, permanent: bool, place: str, name: str, today: date) -> list[Lint]:
    if expires is None or permanent:
        return []
    if today > expires:
        return [Lint("expired", place, name, f"expired on {expires}: it suppresses nothing any more; renew it or remove it")]
    if expires > today + timedelta(days=MAX_DAYS):
        text = f"expires {expires}, more than {MAX_DAYS} days ahead; come back sooner, or 'permanent: true' with a 'decision'"
        return [Lint("far_off", place, name, text)]
    return []


def _ties(rules: tuple[Rule, ...]) -> list[Lint]:
    """Rules of one place and one specificity: which of them a report names is decided by their id alone."""
    groups: dict[tuple[object, ...], list[Rule]] = {}
    for rule in rules:
        path = rule.path.text if rule.path is not None else ""
        scope = (rule.scope.route, tuple(sorted(rule.scope.methods)), rule.scope.statuses, rule.scope.content_type)
        if rule.target != "status" or rule.action != "map":
            groups.setdefault((rule.target, rule.name, path, scope), []).append(rule)
    found = []
    for group in groups.values():
        for rule in group[1:]:
            text = f"ties with {group[0].id}: the same place and scope; keep one, or make one of them more specific"
            found.append(Lint("tie", rule.place, rule.id, text))
    return found


def _hashed(rules: tuple[Rule, ...]) -> list[Lint]:
    found = []
    for rule in rules:
        if rule.path is None or not rule.is_tolerance:
            continue
        for upper in rules:
            if upper.action == "unordered" and upper.path is not None and may_lie_under(upper.path, rule.path):
                text = f"a tolerance under the unordered list of {upper.id}; use 'keyed' there"
                found.append(Lint("tolerance_under_unordered", rule.place, rule.id, text))
    return found
