"""Loads rule files into one RuleSet. Whatever is wrong is said at once, a line for each problem: file, line, key, value, remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from rules.automaton import may_lie_under
from rules.entry import read_preset, read_rule
from rules.errors import Problems, RuleError
from rules.model import PresetUse, Rule, RuleSet
from rules.nodes import Node, from_plain, parse_yaml, shown
from rules.presets import NAMES, rules_of
from rules.reading import Reader
from rules.scopes import scopes_meet
from rules.sections import SECTIONS, Sections, read_sections

EMPTY = RuleSet()
"""No rule, no preset: representation normalisers only."""
MAX_RULES = 5_000
MAX_PATH_PAIRS = 50_000
"""Pairs of an unordered list and a tolerance whose paths are compared; a file with more of them is refused."""
KEYS = ("version", *SECTIONS, "presets", "rules")


@dataclass
class _Draft:
    problems: Problems = field(default_factory=Problems)
    rules: list[Rule] = field(default_factory=list)
    presets: dict[str, PresetUse] = field(default_factory=dict)
    sections: Sections = field(default_factory=Sections)
    ids: dict[str, str] = field(default_factory=dict)

    def add_rule(self, rule: Rule | None) -> None:
        if rule is None:
            return
        if rule.id in self.ids:
            self.problems.add(rule.place, f"the id {shown(rule.id)} is taken by {self.ids[rule.id]}; rename one of them")
            return
        if rule.id in NAMES or rule.id in SECTIONS:
            self.problems.add(rule.place, f"the id {rule.id!r} is what reports call a preset or setting; choose another")
            return
        self.ids[rule.id] = rule.place
        self.rules.append(rule)

    def add_preset(self, use: PresetUse | None) -> None:
        if use is None:
            return
        known = self.presets.setdefault(use.name, use)
        if known != use:
            self.problems.add(use.place, f"the preset {use.name!r} is switched on at {known.place} with other terms; keep one")

    def finish(self) -> RuleSet:
        if len(self.rules) > MAX_RULES:
            self.problems.add(self.rules[-1].place, f"{len(self.rules)} rules, at most {MAX_RULES} are read")
        else:
            _refuse_hashed_tolerances(self.rules, self.problems)
        self.problems.refuse()
        uses = tuple(self.presets[name] for name in sorted(self.presets))
        return RuleSet(
            rules=tuple(self.rules),
            presets=uses,
            preset_rules=tuple(rule for use in uses for rule in rules_of(use)),
            **self.sections.made(),
        )


def load_rules(texts: Sequence[tuple[str, str]], today: date) -> RuleSet:
    """The rule set of `texts`, pairs of file name and YAML text. Raises RuleError with all problems, whatever the text.

    An expired rule loads: its id then marks what it no longer hides. One that ends far off loads too and is a remark of lint, so
    that no file stops loading because of the clock that reads it; `today` is part of the signature so that a caller always
    decides which day it is.
    """
    draft = _Draft()
    for file, text in texts:
        document = parse_yaml(file, text, draft.problems)
        if document is not None:
            _read_file(draft, document)
    return draft.finish()


def decode_rules(file: str, raw: bytes) -> str:
    """The text of a rule file's bytes. Raises RuleError where they are not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        wide = " (it looks like UTF-16)" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise RuleError([f"{file}:{line}: byte 0x{raw[error.start]:02x} is not UTF-8{wide}: save the file as UTF-8"]) from error


def rules_from_case(document: Mapping[str, object]) -> RuleSet:
    """The rule set of a case: its `settings`, `presets` and `rules`. Id, reason, owner and end may be left out. Raises RuleError."""
    draft = _Draft()
    for name, node in _list(draft, "presets", document.get("presets")):
        draft.add_preset(read_preset(node, name, draft.problems, NAMES, strict=False))
    for name, node in _list(draft, "rules", document.get("rules")):
        draft.add_rule(read_rule(node, name, draft.problems, strict=False))
    settings = document.get("settings")
    if settings is not None:
        read_sections(draft.sections, from_plain("settings", settings, draft.problems), "settings", draft.problems)
    return draft.finish()


def _list(draft: _Draft, key: str, value: object) -> list[tuple[str, Node]]:
    if value is None:
        return []
    node = from_plain(key, value, draft.problems)
    if node.items is None:
        draft.problems.add(key, f"must be a list, got {node.kind}")
        return []
    for index, item in enumerate(node.items):
        item.place = f"{key}[{index}]"
    return [(item.place, item) for item in node.items]


def _read_file(draft: _Draft, document: Node) -> None:
    if document.members is None:
        draft.problems.add(document.place, f"a rule file is a mapping that begins with 'version: 1', got {document.kind}")
        return
    reader = Reader(document, "", draft.problems)
    version = reader.take("version")
    if version is None or version.value != 1 or not isinstance(version.value, int) or version.value is True:
        reader.fault("version", f"must be 1, got {version.kind if version is not None else 'nothing'}: write 'version: 1'")
    draft.sections.read(reader, blank=False)
    for index, node in enumerate(reader.nodes("presets")):
        draft.add_preset(read_preset(node, f"presets[{index}]", draft.problems, NAMES))
    for index, node in enumerate(reader.nodes("rules")):
        draft.add_rule(read_rule(node, f"rules[{index}]", draft.problems))
    reader.finish(KEYS)


def _refuse_hashed_tolerances(rules: Sequence[Rule], problems: Problems) -> None:
    """In a list without order elements are matched by a canonical form; nearness is not transitive, so it has none."""
    lists: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.action == "unordered":
            lists.setdefault(rule.scope.route, []).append(rule)
    compared = 0
    for rule in rules:
        if rule.target != "body" or not rule.is_tolerance or rule.path is None:
            continue
        everywhere = lists if not rule.scope.route else (rule.scope.route, "")
        for upper in (upper for route in everywhere for upper in lists.get(route, ())):
            if upper.path is None or not scopes_meet(upper.scope, rule.scope):
                continue
            compared += 1
            if compared > MAX_PATH_PAIRS:
                problems.add(
                    rule.place,
                    f"{rule.id}: more than {MAX_PATH_PAIRS} pairs of an unordered list and a tolerance share a scope: give them routes",
                )
                return
            if may_lie_under(upper.path, rule.path):
                where = f"the unordered list of {upper.id} ({upper.path.text})"
                problems.add(rule.place, f"{rule.id}: a tolerance cannot stand under {where}: use 'keyed' there")
                break
