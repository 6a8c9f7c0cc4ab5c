"""The presets: named sets of rules for framework conventions, kept as YAML data beside this file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

from rules.entry import read_rule
from rules.errors import Problems
from rules.kinds import Text
from rules.model import PresetUse, Rule
from rules.nodes import Node, parse_yaml
from rules.reading import Reader

NAMES = (
    "allow-head-options",
    "conditional-headers",
    "datetime-instant",
    "datetime-ms",
    "decimal-string-number",
    "django-headers",
    "drf-fastapi-errors",
    "duration",
    "error-text",
    "redirect-family",
    "slash-redirect",
    "text-charset",
)


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset: what differs and why, what one risks by switching it on, what to change in the port instead, its rules."""

    name: str
    reason: str
    risk: str
    fix: str
    rules: tuple[Rule, ...]


@lru_cache(maxsize=len(NAMES))
def preset(name: str) -> Preset:
    """The preset of that name. Raises RuleError when its own data is wrong, KeyError when there is none."""
    if name not in NAMES:
        raise KeyError(name)
    file = f"rules/presets/{name}.yaml"
    text = files("rules").joinpath("presets", f"{name}.yaml").read_text(encoding="utf-8")
    problems = Problems()
    reader = Reader(parse_yaml(file, text, problems) or Node(file), "", problems)
    rules = []
    for index, node in enumerate(reader.nodes("rules")):
        rule = read_rule(node, f"{name}[{index}]", problems, strict=False, preset=name)
        if rule is not None:
            rules.append(rule)
    reason, risk, fix = (Text(lines=True).read(reader, key) for key in ("reason", "risk", "fix"))
    reader.finish(("reason", "risk", "fix", "rules"))
    problems.refuse()
    return Preset(name, reason, risk, fix, tuple(rules))


def rules_of(use: PresetUse) -> tuple[Rule, ...]:
    """The rules a preset use stands for; they end when it ends."""
    return tuple(
        replace(rule, reason=use.reason, owner=use.owner, expires=use.expires, permanent=use.permanent, decision=use.decision)
        for rule in preset(use.name).rules
    )
