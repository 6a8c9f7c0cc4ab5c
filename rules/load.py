"""Loads rule files into one RuleSet. Whatever is wrong is said at once, a line for each problem: file, line, key, value, remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from rules.automaton import may_lie_under
from rules.entry import read_preset, read_rule
from rules.errors import RuleError
from rules.model import CLASS1, Bases, Limits, PresetUse, Rule, RuleSet
from rules.nodes import Node, from_plain, parse_yaml
from rules.presets import NAMES, rules_of
from rules.reading import Reader, nearest

EMPTY = RuleSet()
"""No rule, no preset: representation normalisers only."""
MAX_RULES = 5_000
_SIZE = re.compile(r"(\d{1,12})\s*(B|KiB|MiB|GiB)?", re.ASCII)
_UNITS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_BOUNDS = {"body": (1, 1 << 30), "depth": (1, 250), "diffs": (1, 1_000), "nodes": (1, 100_000_000)}


@dataclass
class _Draft:
    problems: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    presets: dict[str, PresetUse] = field(default_factory=dict)
    bases: dict[str, list[str]] = field(default_factory=lambda: {"primary": [], "candidate": []})
    drop_query: list[tuple[str, str]] = field(default_factory=list)
    class1: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    limits: dict[str, tuple[str, int]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def finish(self) -> RuleSet:
        _refuse_hashed_tolerances(self.rules, self.problems)
        if len(self.rules) > MAX_RULES:
            self.problems.append(f"{self.rules[-1].place}: {len(self.rules)} rules, at most {MAX_RULES} are read")
        if self.problems:
            raise RuleError(self.problems)
        uses = tuple(self.presets[name] for name in sorted(self.presets))
        return RuleSet(
            rules=tuple(self.rules),
            presets=uses,
            preset_rules=tuple(rule for use in uses for rule in rules_of(use)),
            bases=Bases(_once(self.bases["primary"]), _once(self.bases["candidate"])),
            drop_query=tuple(sorted(set(self.drop_query))),
            class1_off=self.class1["disable"][1] if self.class1 else frozenset(),
            limits=Limits(**{key: value for key, (_, value) in self.limits.items()}),
        )


def load_rules(texts: Sequence[tuple[str, str]], today: date) -> RuleSet:
    """The rule set of `texts`, pairs of file name and YAML text. Raises RuleError.

    An expired rule loads (its id then marks what it no longer hides); `today` must not lie before what files were written for:
    it is part of the signature so that a caller always decides which day it is.
    """
    draft = _Draft()
    for file, text in texts:
        try:
            document = parse_yaml(file, text)
        except RuleError as error:
            draft.problems.extend(error.problems)
            continue
        _read_file(draft, Reader(document, "", draft.problems))
    return draft.finish()


def rules_from_case(document: Mapping[str, object]) -> RuleSet:
    """The rule set of a case: its `settings`, `presets` and `rules`. Id, reason, owner and end may be left out. Raises RuleError."""
    draft = _Draft()
    for index, node in enumerate(_list(draft, "presets", document.get("presets"))):
        _add_preset(draft, read_preset(node, f"presets[{index}]", draft.problems, NAMES, strict=False))
    for index, node in enumerate(_list(draft, "rules", document.get("rules"))):
        _add_rule(draft, read_rule(node, f"rules[{index}]", draft.problems, strict=False))
    settings = document.get("settings")
    if settings is not None:
        reader = Reader(from_plain("settings", settings), "settings", draft.problems)
        _read_settings(draft, reader)
        reader.finish(("bases", "drop_query", "class1", "limits"))
    return draft.finish()


def _list(draft: _Draft, key: str, value: object) -> list[Node]:
    if value is None:
        return []
    node = from_plain(key, value)
    if node.items is None:
        draft.problems.append(f"{key}: must be a list, got {node.kind}")
        return []
    for index, item in enumerate(node.items):
        item.place = f"{key}[{index}]"
    return node.items


def _read_file(draft: _Draft, reader: Reader) -> None:
    if reader.node.members is None:
        return
    version = reader.take("version")
    if version is None or version.value != 1 or isinstance(version.value, bool):
        reader.fault("version", f"must be 1, got {version.kind if version is not None else 'nothing'}: write 'version: 1'")
    _read_settings(draft, reader)
    for index, node in enumerate(reader.nodes("presets")):
        _add_preset(draft, read_preset(node, f"presets[{index}]", draft.problems, NAMES))
    for index, node in enumerate(reader.nodes("rules")):
        _add_rule(draft, read_rule(node, f"rules[{index}]", draft.problems))
    reader.finish(("version", "bases", "drop_query", "class1", "limits", "presets", "rules"))


def _add_rule(draft: _Draft, rule: Rule | None) -> None:
    if rule is None:
        return
    if rule.id in draft.ids:
        draft.problems.append(f"{rule.place}: the id {rule.id!r} is taken by {draft.ids[rule.id]}; rename one of them")
        return
    draft.ids[rule.id] = rule.place
    draft.rules.append(rule)


def _add_preset(draft: _Draft, use: PresetUse | None) -> None:
    if use is None:
        return
    known = draft.presets.get(use.name)
    if known is not None and known != use:
        draft.problems.append(
            f"{use.place}: the preset {use.name!r} is switched on at {known.place} with other terms; keep one"
        )
        return
    draft.presets[use.name] = use


def _read_settings(draft: _Draft, reader: Reader) -> None:
    bases = reader.child("bases")
    if bases is not None:
        for side in ("primary", "candidate"):
            for base in bases.texts(side):
                if not base.lower().startswith(("http://", "https://")):
                    bases.fault(side, f"got {base!r}; a base is an address such as https://api.example.com")
                draft.bases[side].append(base.rstrip("/"))
        bases.finish()
    for pair in reader.nodes("drop_query"):
        values = [item.value for item in pair.items or ()]
        if len(values) == 1 and isinstance(values[0], str) and "=" in values[0]:
            values = list(values[0].split("=", 1))
        elif isinstance(pair.value, str) and "=" in pair.value:
            values = list(pair.value.split("=", 1))
        if len(values) != 2 or any(isinstance(value, bool) or not isinstance(value, str | int) for value in values):
            reader.fault("drop_query", f"must be a list of [name, value] pairs, got {pair.kind}")
            continue
        draft.drop_query.append((str(values[0]), str(values[1])))
    class1 = reader.child("class1")
    if class1 is not None:
        _read_class1(draft, class1)
    limits = reader.child("limits")
    if limits is not None:
        for key in _BOUNDS:
            _read_limit(draft, limits, key)
        limits.finish()


def _read_class1(draft: _Draft, reader: Reader) -> None:
    disabled = reader.texts("disable")
    for name in disabled:
        if name not in CLASS1:
            reader.fault("disable", f"got {name!r}; {nearest(name, CLASS1)}allowed: {', '.join(CLASS1)}")
    node = reader.take("disable")
    reader.finish()
    if node is None:
        return
    value = frozenset(disabled)
    known = draft.class1.get("disable")
    if known is not None and known[1] != value:
        draft.problems.append(
            f"{node.place}: class1.disable is {sorted(value)} here and {sorted(known[1])} at {known[0]}; keep one"
        )
        return
    draft.class1["disable"] = (node.place, value)


def _read_limit(draft: _Draft, reader: Reader, key: str) -> None:
    node = reader.take(key)
    if node is None:
        return
    low, high = _BOUNDS[key]
    value = node.value
    if key == "body" and isinstance(value, str):
        size = _SIZE.fullmatch(value)
        value = int(size.group(1)) * _UNITS[size.group(2)] if size else None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        unit = " (or a size such as 8MiB)" if key == "body" else ""
        reader.fault(key, f"must be a whole number from {low} to {high}{unit}, got {node.kind}")
        return
    known = draft.limits.get(key)
    if known is not None and known[1] != value:
        draft.problems.append(f"{node.place}: limits.{key} is {value} here and {known[1]} at {known[0]}; keep one")
        return
    draft.limits[key] = (node.place, value)


def _refuse_hashed_tolerances(rules: Sequence[Rule], problems: list[str]) -> None:
    """In a list without order elements are matched by a canonical form; nearness is not transitive, so it has none."""
    lists = [rule for rule in rules if rule.action == "unordered"]
    for rule in rules:
        if rule.target != "body" or not rule.is_tolerance or rule.path is None:
            continue
        for upper in lists:
            if upper.path is not None and _scopes_meet(upper, rule) and may_lie_under(upper.path, rule.path):
                problems.append(
                    f"{rule.place}: {rule.id}: a tolerance cannot stand under the unordered list of {upper.id} ({upper.path.text}): "
                    "use 'keyed' there"
                )
                break


def _scopes_meet(one: Rule, other: Rule) -> bool:
    if one.scope.route and other.scope.route and one.scope.route != other.scope.route:
        return False
    return not (one.scope.methods and other.scope.methods and not one.scope.methods & other.scope.methods)


def _once(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))
