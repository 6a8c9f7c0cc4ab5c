"""Reads one rule or one preset use from its mapping."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rules.actions import read_action
from rules.errors import Problems
from rules.jsonpath import Path
from rules.keys import ACCOUNT, IDENTITY, PRESET_KEYS, PRESET_NAME, REMARKS, RULE_KEYS, SCOPE, kinds
from rules.model import PresetUse, Rule, Scope
from rules.nodes import Node
from rules.places import hides_everything
from rules.reading import Reader


def read_rule(node: Node, name: str, problems: Problems, *, strict: bool = True, preset: str = "") -> Rule | None:
    """The rule, or None when it has problems. `strict` asks for id, reason, owner and an end; presets' own rules need none."""
    before = problems.count
    reader = Reader(node, name, problems, blank=not strict)
    if node.members is None:
        return None
    identity = IDENTITY["id"].kind.read(reader, "id") or ("" if strict else name)
    if strict and not reader.has("id"):
        reader.fault("", "needs an id: the name that reports and 'tolerated' use")
    target, header = IDENTITY["target"].kind.read(reader, "target")
    found: dict[str, Any] = {"scope": _scope(reader), "target": target, "name": header}
    if target:
        found |= read_action(reader, target, bool(preset))
        found["path"] = _path(reader, target, found["action"], strict)
    found |= _account(reader, strict)
    found |= reader.read(kinds(REMARKS))
    reader.finish([*RULE_KEYS, "builtin"] if preset else RULE_KEYS)
    if problems.count > before:
        return None
    return Rule(id=identity, place=node.place, preset=preset, **found)


def read_preset(node: Node, name: str, problems: Problems, known: Collection[str], *, strict: bool = True) -> PresetUse | None:
    """The preset use, or None when it has problems. Without `strict` a bare name is enough."""
    before = problems.count
    if isinstance(node.value, str):
        if strict:
            form = f"{{name: {node.value[:60]}, reason: ..., owner: ..., expires: YYYY-MM-DD}}"
            problems.add(
                node.place,
                f"{name}: a preset is a decision: write {form}, or 'permanent: true' with a 'decision' in place of 'expires'",
            )
            return None
        node = Node(node.place, members={"name": Node(node.place, value=node.value)})
    reader = Reader(node, name, problems, blank=not strict)
    if node.members is None:
        return None
    chosen = PRESET_NAME.kind.read(reader, "name")
    if chosen and chosen not in known:
        reader.fault("name", f"{chosen!r} is no preset; {reader.hint(chosen, known)}allowed: {', '.join(known)}")
    elif not reader.has("name"):
        reader.fault("", f"needs a name; allowed: {', '.join(known)}")
    account = _account(reader, strict)
    reader.finish(PRESET_KEYS)
    if problems.count > before:
        return None
    return PresetUse(chosen, place=node.place, **account)


_WHOLE = ("$", "$.*", "$..*")
"""What no rule may ignore; in a rule file no other spelling of these either."""


def _path(reader: Reader, target: str, action: str, strict: bool) -> Path | None:
    if target != "body":
        if reader.has("path"):
            reader.fault("path", f"belongs to target body; {target} rules have none")
        return None
    path: Path | None = IDENTITY["path"].kind.read(reader, "path")
    if path is None:
        if not reader.has("path") and action != "builtin":
            reader.fault("", 'needs a path (RFC 9535), e.g. path: "$.results[*].updated_at"')
    elif action == "ignore" and (hides_everything(path) if strict else path.text in _WHOLE):
        reader.fault("path", f"ignore on {path.text} would hide the whole body: name the members that may differ")
    return path


def _scope(reader: Reader) -> Scope:
    scope = reader.child("scope")
    if scope is None:
        return Scope()
    found = scope.read(kinds(SCOPE))
    scope.finish(SCOPE)
    method, template = found["route"]
    methods = frozenset(found["method"])
    if method and methods and methods != {method}:
        scope.fault("route", f"names the method {method}, scope.method names {', '.join(sorted(methods))}: keep one of them")
    return Scope(frozenset({method}) if method else methods, template, found["status"], found["content_type"])


def _account(reader: Reader, strict: bool) -> dict[str, Any]:
    account = reader.read(kinds(ACCOUNT))
    if not strict:
        return account
    for key, remedy in (("reason", "why may this differ?"), ("owner", "who answers for it?")):
        if not reader.has(key):
            reader.fault("", f"needs '{key}': {remedy}")
    if account["permanent"]:
        if not reader.has("decision"):
            reader.fault("permanent", "needs 'decision': where it was decided, e.g. ADR-17")
        if reader.has("expires"):
            reader.fault("expires", "contradicts 'permanent: true'; keep one of them")
    elif not reader.has("expires"):
        reader.fault("", "needs 'expires' (YYYY-MM-DD), or 'permanent: true' with a 'decision'")
    return account
