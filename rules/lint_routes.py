"""Remarks on scopes that name a route which nobody knows."""

from __future__ import annotations

from collections.abc import Iterable

from rules.model import UNROUTED, Rule, template_of
from rules.reading import nearest
from rules.remarks import Lint
from rules.scopes import statuses

MAX_HINTS = 20
"""Unknown templates for which the nearest known one is looked for: among thousands of routes each takes time."""


class KnownRoutes:
    """The known routes, as labels or bare templates."""

    def __init__(self, routes: Iterable[str]) -> None:
        self._methods: dict[str, set[str]] = {}
        for route in routes:
            method, space, _ = route.partition(" ")
            self._methods.setdefault(template_of(route), set()).update({method} if space else set())
        self._hints: dict[str, str] = {}

    def remark(self, rule: Rule) -> Lint | None:
        """What is wrong with a rule's route, None where nothing is."""
        template = rule.scope.route
        if not template or template == UNROUTED:
            return None
        if template not in self._methods:
            text = f"the route {template!r} is not known; {self._near(template)}it can never apply; `paritygate routes` lists the known"
            return Lint("unknown_route", rule.place, rule.id, text)
        known = self._methods[template]
        # HEAD and OPTIONS come along with any route, and a method that nobody declared is answered 405.
        refused = rule.scope.statuses and 405 in statuses(rule.scope.statuses)
        if not rule.scope.methods or refused or not known or rule.scope.methods & (known | {"HEAD", "OPTIONS"}):
            return None
        asked, there = (", ".join(sorted(names)) for names in (rule.scope.methods, known))
        text = f"the route {template!r} is known with {there}, not with {asked}: only a refused method (405) can come under it"
        return Lint("unknown_route", rule.place, rule.id, text)

    def _near(self, template: str) -> str:
        if template not in self._hints:
            self._hints[template] = nearest(template, self._methods) if len(self._hints) < MAX_HINTS else ""
        return self._hints[template]
