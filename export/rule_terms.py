"""The rules in force for one route, in the words of the generated comparison.

A rule that hides a place becomes a `skip`; a rule that takes two spellings for equal becomes a relation where the small comparison
knows it, else a skip too: an exported test is never stricter than the rules. Presets are rules like others here.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from export.places import Pattern
from rules.jsonpath import Path
from rules.model import Rule, RuleSet, template_of

_RELATIONS = frozenset({"tolerance", "type_only", "regex", "missing_is_null", "unordered", "keyed"})
_FORMS = frozenset({"datetime", "decimal", "number", "uuid", "casefold", "strip", "whitespace", "duration", "decimal-mixed"})


@dataclass
class RuleTerms:
    """What the rules mean for the tests of one route. `described` is one line a rule, for people."""

    skip: list[Pattern] = field(default_factory=list)
    relations: list[dict[str, Any]] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    skip_headers: set[str] = field(default_factory=set)
    present_only: set[str] = field(default_factory=set)
    presets: list[str] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)
    drop_query: list[tuple[str, str]] = field(default_factory=list)
    described: list[str] = field(default_factory=list)


def rule_terms(rules: RuleSet, route: str, status: int | None, content_type: str | None, today: date) -> RuleTerms:
    """The rules that hold for `route` today; with a status and a content type, for that kind of answer only."""
    terms = RuleTerms(bases=[*rules.bases.primary, *rules.bases.candidate], drop_query=list(rules.drop_query))
    method = route.partition(" ")[0]
    media = (content_type or "").partition(";")[0].strip().lower()
    exact: list[Pattern] = []
    for rule in rules.all_rules:
        if rule.expired(today) or not _in_scope(rule, method, route, status, media):
            continue
        if rule.preset and rule.preset not in terms.presets:
            terms.presets.append(rule.preset)
        terms.described.append(_described(rule))
        if rule.target == "body" and rule.action == "exact" and rule.path is not None:
            exact += patterns(rule.path)
        elif rule.target == "body":
            _add_body(terms, rule, status)
        elif rule.target == "status":
            if status is not None and status in rule.primary:
                terms.statuses |= rule.candidate
        elif rule.action == "present_only":
            terms.present_only.add(rule.name)
        elif rule.target == "header" and rule.action != "exact":
            terms.skip_headers.add(rule.name)
    # `exact` carves a place out of a broader rule: what is hidden there is asserted again.
    terms.skip = [pattern for pattern in terms.skip if pattern not in exact]
    terms.presets.sort()
    terms.described = sorted(set(terms.described))
    return terms


def _in_scope(rule: Rule, method: str, route: str, status: int | None, media: str) -> bool:
    scope = rule.scope
    if status is not None:
        return scope.admits(method, template_of(route), status, media)
    return (not scope.methods or method in scope.methods) and (not scope.route or scope.route == template_of(route))


def patterns(path: Path) -> list[Pattern]:
    """The path as places; a filter, slice or negative index may be any element."""
    choices: list[list[Pattern]] = []
    for step in path.steps:
        deep: Pattern = [[]] if step.descendant else []
        choices.append([[*deep, selector if isinstance(selector, str | int) else None] for selector in step.selectors])
    return [list(itertools.chain.from_iterable(chosen)) for chosen in itertools.islice(itertools.product(*choices), 64)]


def _add_body(terms: RuleTerms, rule: Rule, status: int | None) -> None:
    if rule.builtin == "drf-fastapi-errors" and status == 400:
        terms.statuses.add(422)
    if rule.path is None:
        return
    form = "decimal-mixed" if rule.builtin == "decimal-string-number" else rule.form
    known = rule.action in _RELATIONS or form in _FORMS
    for pattern in patterns(rule.path):
        if known:
            terms.relations.append({"place": pattern, **_relation(rule, form)})
        elif any(isinstance(step, str | int) for step in pattern):
            terms.skip.append(pattern)


def _relation(rule: Rule, form: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "as": form,
        "truncate": rule.truncate,
        "tol_s": rule.tol_s,
        "abs": rule.abs,
        "rel": rule.rel,
        "types": list(rule.types),
        "pattern": rule.pattern,
        "by": list(rule.by),
    }
    relation = {name: value for name, value in parameters.items() if value not in ("", None, [])}
    relation["action"] = "normalise" if rule.builtin else rule.action
    if form == "datetime":
        relation["any_offset"] = rule.any_offset
    return relation


def _described(rule: Rule) -> str:
    where = rule.path.text if rule.path is not None else f"{rule.target}:{rule.name}" if rule.name else rule.target
    by = f"preset {rule.preset}" if rule.preset else rule.id
    until = f", until {rule.expires.isoformat()}" if rule.expires and not rule.permanent else ""
    why = f" ({rule.reason})" if rule.reason else ""
    return f"{by}: {rule.action} {where}{f' as {rule.form}' if rule.form else ''}{until}{why}"
