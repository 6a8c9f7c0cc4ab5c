"""Remarks on rules that meet: ties, rules that another one or a preset makes superfluous, and `exact` that cancels nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from rules.dominance import domain, explains_all_of, outlives
from rules.model import Rule, RuleSet
from rules.overlap import path_covers, paths_meet
from rules.remarks import Lint
from rules.scopes import scope_covers, scopes_meet

MAX_EFFORT = 3_000_000
"""Work on pairs of rules: a pair, and each step along their paths. Files of a few hundred rules in one scope stay below."""
_PAIR = 5


class _TooMuch(Exception):
    pass


@dataclass
class PairRemarks:
    """Looks at the rules that hold today, two by two."""

    rules: RuleSet
    today: date
    effort: int = 0
    explained: set[tuple[int, int]] = field(default_factory=set)
    """Pairs that are superfluous already: they are no tie as well."""

    def remarks(self) -> list[Lint]:
        """All of them."""
        found: list[Lint] = []
        own = [rule for rule in self.rules.rules if not rule.expired(self.today)]
        presets = [rule for rule in self.rules.preset_rules if not rule.expired(self.today)]
        places: dict[tuple[str, str, str], list[Rule]] = {}
        for rule in (*own, *presets):
            places.setdefault((rule.target, rule.name, rule.scope.route), []).append(rule)
        try:
            for rule in own:
                if rule.action == "exact":
                    found += self._exact(rule, [*own, *presets])
                else:
                    routes = {rule.scope.route, ""}
                    near = [other for route in sorted(routes) for other in places.get((rule.target, rule.name, route), ())]
                    found += self._superfluous(rule, near)
            found += self._ties(own)
        except _TooMuch:
            text = "too many rules share a scope to compare each with each; not all were looked at: give rules routes"
            found.append(Lint("unchecked", own[0].place, own[0].id, text))
        return found

    def _spend(self, cost: int) -> None:
        self.effort += cost
        if self.effort > MAX_EFFORT:
            raise _TooMuch

    def _meeting(self, rule: Rule, others: Iterable[Rule]) -> Iterator[Rule]:
        for other in others:
            self._spend(_PAIR)
            if other is not rule and scopes_meet(other.scope, rule.scope):
                yield other

    def _superfluous(self, rule: Rule, near: list[Rule]) -> Iterator[Lint]:
        for other in self._meeting(rule, near):
            if not explains_all_of(other, rule) or not scope_covers(other.scope, rule.scope):
                continue
            if not outlives(other, rule, self.today) or not self._covers(other, rule) or self._cancelled(other, rule):
                continue
            if not other.preset and self._mutual(other, rule) and near.index(rule) < near.index(other):
                continue  # said of the later one
            self.explained.add((id(rule), id(other)))
            if other.preset:
                text = f"the preset {other.preset} explains all that it does: remove the rule, or the preset where only this rule is meant"
                yield Lint("repeats_preset", rule.place, rule.id, text)
            else:
                text = f"{other.id} at {other.place} explains all that it does: remove it, or narrow {other.id}"
                yield Lint("superfluous", rule.place, rule.id, text)
            return

    def _mutual(self, one: Rule, other: Rule) -> bool:
        alike = explains_all_of(other, one) and explains_all_of(one, other)
        same_scope = scope_covers(one.scope, other.scope) and scope_covers(other.scope, one.scope)
        same_life = outlives(one, other, self.today) and outlives(other, one, self.today)
        return alike and same_scope and same_life and self._covers(one, other) and self._covers(other, one)

    def _cancelled(self, other: Rule, rule: Rule) -> bool:
        """Whether an `exact` may cancel `other` somewhere and leave `rule`."""
        return any(
            exact.action == "exact" and exact.target == rule.target and exact.name == rule.name
            and scopes_meet(exact.scope, rule.scope) and other.rank < exact.rank <= rule.rank
            for exact in self.rules.rules
        )  # fmt: skip

    def _ties(self, own: list[Rule]) -> Iterator[Lint]:
        """Rules of one specificity: which of them a report names is decided by their id alone."""
        groups: dict[tuple[object, ...], list[Rule]] = {}
        for rule in own:
            groups.setdefault((rule.target, rule.name, rule.scope.route, rule.rank), []).append(rule)
        for group in groups.values():
            for at, rule in enumerate(group):
                for other in self._meeting(rule, group[:at]):
                    if {(id(rule), id(other)), (id(other), id(rule))} & self.explained or not _both_explain(rule, other):
                        continue
                    if rule.path is None or other.path is None or paths_meet(rule.path, other.path, spend=self._spend):
                        same = rule.path == other.path and rule.scope == other.scope
                        where = "the same place and scope" if same else "both may explain one difference and are as specific"
                        text = f"ties with {other.id} at {other.place}: {where}; keep one, or make one of them more specific"
                        yield Lint("tie", rule.place, rule.id, text)
                        break

    def _exact(self, exact: Rule, others: list[Rule]) -> Iterator[Lint]:
        """An `exact` that cancels no rule, and why not."""
        missed = ""
        for other in others:
            self._spend(_PAIR)
            if (
                other.action == "exact"
                or (other.target, other.name) != (exact.target, exact.name)
                or not self._reaches(other, exact)
            ):
                continue
            if not scopes_meet(other.scope, exact.scope):
                missed = missed or f"{other.called} at {other.place} reaches its place, but in another scope"
            elif other.rank >= exact.rank:
                missed = (
                    f"{other.called} at {other.place} reaches its place and is as specific: name more of the path or the scope"
                )
            else:
                return
        if missed or exact.target == "status":
            text = f"cancels nothing: {missed or 'no map reaches these statuses'}; correct it, or remove it"
            yield Lint("exact_cancels_nothing", exact.place, exact.id, text)
        else:
            text = "cancels no rule: it only lets representation count at its place (1 and 1.0, Z and +00:00)"
            text += "; remove it where that is not meant"
            yield Lint("exact_alone", exact.place, exact.id, text)

    def _covers(self, outer: Rule, inner: Rule) -> bool:
        """Whether `outer` selects whatever place `inner` selects; an ignore also what lies below its own."""
        if outer.path is None or inner.path is None:
            return outer.path is inner.path and (outer.target != "body" or outer.builtin == inner.builtin)
        return path_covers(outer.path, inner.path, below=outer.action == "ignore", spend=self._spend)

    def _reaches(self, other: Rule, exact: Rule) -> bool:
        if other.path is None or exact.path is None:
            return exact.target != "body"
        return paths_meet(other.path, exact.path, below=other.action == "ignore", spend=self._spend)


def _both_explain(one: Rule, other: Rule) -> bool:
    if "exact" in (one.action, other.action):
        return False
    if one.target == "status":
        return bool(one.primary & other.primary and one.candidate & other.candidate)
    return one.target != "body" or bool(domain(one) & domain(other))
