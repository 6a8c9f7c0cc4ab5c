"""Reads one rule or one preset use from its mapping."""

from __future__ import annotations

from typing import Any

from rules.actions import ACTIONS, PARAMETERS, read_action
from rules.jsonpath import Path, PathError, parse_path
from rules.model import PresetUse, Rule, Scope, template_of
from rules.nodes import Node
from rules.reading import Reader, nearest
from traffic.route import METHODS

RULE_KEYS = (
    *("id", "scope", "target", "path", "action", "reason", "owner", "ticket"),
    *("expires", "permanent", "decision", "max_rate", "why_not"),
    *sorted({name for names in PARAMETERS.values() for name in names} - {"builtin"}),
)
PRESET_KEYS = ("name", "reason", "owner", "ticket", "expires", "permanent", "decision")
OVER_BROAD = ("$", "$.*", "$[*]", "$..*", "$..[*]")


def read_rule(node: Node, name: str, problems: list[str], *, strict: bool = True, preset: str = "") -> Rule | None:
    """The rule, or None when it has problems. `strict` asks for id, reason, owner and an end; presets' own rules need none."""
    before = len(problems)
    reader = Reader(node, name, problems)
    if node.members is None:
        return None
    identity = reader.text("id", "" if strict else name)
    if strict and not reader.has("id"):
        reader.fault("", "needs an id: the name that reports and 'tolerated' use")
    target, header = _target(reader)
    found: dict[str, Any] = {"scope": _scope(reader), "target": target, "name": header}
    found |= read_action(reader, target, bool(preset))
    found["path"] = _path(reader, target, found["action"], strict)
    found |= _account(reader, strict)
    found["why_not"] = reader.text("why_not")
    found["max_rate"] = reader.number("max_rate", 1.0)
    reader.finish([*RULE_KEYS, "builtin"] if preset else RULE_KEYS)
    if len(problems) > before:
        return None
    return Rule(id=identity, place=node.place, preset=preset, **found)


def read_preset(node: Node, name: str, problems: list[str], known: tuple[str, ...], *, strict: bool = True) -> PresetUse | None:
    """The preset use, or None when it has problems. Without `strict` a bare name is enough."""
    before = len(problems)
    if not strict and isinstance(node.value, str):
        node = Node(node.place, members={"name": Node(node.place, value=node.value)})
    elif isinstance(node.value, str):
        problems.append(
            f"{node.place}: {name}: a preset is a decision: write {{name: {node.value}, reason: ..., owner: ..., "
            "expires: YYYY-MM-DD}, or 'permanent: true' with a 'decision'"
        )
        return None
    reader = Reader(node, name, problems)
    chosen = reader.text("name")
    if reader.has("name") and chosen and chosen not in known:
        reader.fault("name", f"{chosen!r} is no preset; {nearest(chosen, known)}allowed: {', '.join(known)}")
    elif not chosen and node.members is not None:
        reader.fault("", f"needs a name; allowed: {', '.join(known)}")
    account = _account(reader, strict)
    reader.finish(PRESET_KEYS)
    if len(problems) > before:
        return None
    account.pop("ticket")
    return PresetUse(chosen, place=node.place, **account)


def _target(reader: Reader) -> tuple[str, str]:
    text = reader.text("target", "body")
    kind, colon, name = text.partition(":")
    good = kind in ("header", "cookie") and name.strip() if colon else kind in ("body", "status")
    if not good:
        hint = nearest(kind, ACTIONS)
        reader.fault("target", f"got {text!r}; {hint}allowed: body, header:<name>, cookie:<name>, status")
        return "body", ""
    return kind, name.strip().lower() if kind == "header" else name.strip()


def _path(reader: Reader, target: str, action: str, strict: bool) -> Path | None:
    text = reader.text("path")
    if target != "body":
        if text:
            reader.fault("path", f"belongs to target body; {target} rules have none")
        return None
    if action == "builtin" and not text:
        return None
    if not reader.has("path"):
        reader.fault("", 'needs a path (RFC 9535), e.g. path: "$.results[*].updated_at"')
    if not text:
        return None
    if strict and action == "ignore" and text in OVER_BROAD:
        reader.fault("path", f"ignore on {text} would hide the whole body: name the members that may differ")
    try:
        return parse_path(text)
    except PathError as error:
        reader.fault("path", str(error))
        return None


def _scope(reader: Reader) -> Scope:
    scope = reader.child("scope")
    if scope is None:
        return Scope()
    methods = scope.texts("method")
    for method in methods:
        if method not in METHODS:
            scope.fault("method", f"got {method!r}; {nearest(method.upper(), METHODS)}allowed: {', '.join(sorted(METHODS))}")
    statuses = scope.texts("status")
    for entry in statuses:
        plain = entry.removeprefix("!")
        if not (len(plain) == 3 and plain[0] in "12345" and (plain[1:] == "xx" or plain[1:].isdigit())):
            scope.fault("status", f"got {entry!r}; allowed: a status such as 404, a class such as 4xx, or !405 for any other")
    route = scope.text("route")
    if route and not (template_of(route).startswith(("/", "__"))):
        scope.fault("route", f"got {route!r}; a route is a template such as /api/items/{{id}}/, or 'unrouted'")
    content_type = scope.text("content_type").lower()
    scope.finish()
    return Scope(frozenset(methods), template_of(route) if route else "", tuple(sorted(statuses)), content_type)


def _account(reader: Reader, strict: bool) -> dict[str, Any]:
    account = {
        "reason": reader.text("reason"),
        "owner": reader.text("owner"),
        "ticket": reader.text("ticket"),
        "expires": reader.day("expires"),
        "permanent": reader.flag("permanent"),
        "decision": reader.text("decision"),
    }
    if not strict or reader.node.members is None:
        return account
    for key, remedy in (("reason", "why may this differ?"), ("owner", "who answers for it?")):
        if not reader.has(key):
            reader.fault("", f"needs {key!r}: {remedy}")
    if account["permanent"]:
        if not reader.has("decision"):
            reader.fault("permanent", "needs 'decision': where it was decided, e.g. ADR-17")
        if reader.has("expires"):
            reader.fault("expires", "contradicts 'permanent: true'; keep one of them")
    elif not reader.has("expires"):
        reader.fault("", "needs 'expires' (YYYY-MM-DD), or 'permanent: true' with a 'decision'")
    return account
