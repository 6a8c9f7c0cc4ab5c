"""Parts of a rule set by the names that reports use: one name alone, everything but one name, and which version of it this is."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from rules.model import Rule, RuleSet

DROP_QUERY = "drop_query"
"""What `tolerated` names where a dropped query pair made two links equal."""


def names(rules: RuleSet) -> tuple[str, ...]:
    """Everything of `rules` that reports may name, sorted: ids of own rules, presets, and `drop_query` where there is any."""
    known = {rule.id for rule in rules.rules} | {use.name for use in rules.presets}
    return tuple(sorted(known | ({DROP_QUERY} if rules.drop_query else set())))


def called(rules: RuleSet, name: str) -> tuple[Rule, ...]:
    """The rules that stand behind a name: one of the files, or those of a preset; none for `drop_query`."""
    return tuple(rule for rule in (*rules.rules, *rules.preset_rules) if rule.called == name)


def without(rules: RuleSet, name: str) -> RuleSet:
    """`rules` with everything of that name left out; equal to `rules` where it has nothing of that name."""
    return replace(
        rules,
        rules=tuple(rule for rule in rules.rules if rule.called != name),
        presets=tuple(use for use in rules.presets if use.name != name),
        preset_rules=tuple(rule for rule in rules.preset_rules if rule.called != name),
        drop_query=() if name == DROP_QUERY else rules.drop_query,
    )


def version_of(rules: RuleSet, name: str) -> str:
    """16 hex digits that change when what stands behind a name may judge otherwise; who answers for it and until when do not count."""
    parts = [replace(rule, expires=None, permanent=False) for rule in called(rules, name)]
    only = RuleSet(
        rules=tuple(rule for rule in parts if not rule.preset),
        preset_rules=tuple(rule for rule in parts if rule.preset),
        drop_query=rules.drop_query if name == DROP_QUERY else (),
    )
    return only.digest


class Subsets:
    """A rule set with one name left out at a time. The sets asked last are remembered, for each builds an automaton of its own."""

    MAXIMUM = 128

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self._known: OrderedDict[str, RuleSet] = OrderedDict()

    def without(self, name: str) -> RuleSet:
        """`rules` with everything of that name left out."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = without(self.rules, name)
            if len(self._known) > self.MAXIMUM:
                self._known.popitem(last=False)
        self._known.move_to_end(name)
        return found
