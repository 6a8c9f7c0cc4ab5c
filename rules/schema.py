"""The JSON Schema (draft 2020-12) of a rule file, for editors, made from the tables that the loader reads.

Every file that loads is valid under it. What a schema cannot say is checked by the loader alone: the grammars of paths and
patterns, days of the calendar, ids that stand twice, what rules mean to each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rules.actions import ACTION_TABLE, ACTIONS, PARAMETERS, Parameter
from rules.keys import ACCOUNT, IDENTITY, PRESET_KEYS, REMARKS, RULE_KEYS, SCOPE, Key
from rules.presets import NAMES, preset
from rules.sections import section_schemas

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def rule_file_schema() -> dict[str, Any]:
    """The schema as plain values."""
    return {
        "$schema": DRAFT,
        "title": "Paritygate rule file",
        "description": "What a difference between the two backends means: presets and rules, each with who answers for it and until when.",
        "type": "object",
        "required": ["version"],
        "additionalProperties": False,
        "properties": {
            "version": {"description": "the version of this language", "const": 1},
            **section_schemas(),
            "presets": {
                "description": "decisions about framework conventions",
                "type": ["array", "null"],
                "items": {"$ref": "#/$defs/preset"},
            },
            "rules": {
                "description": "rules; their order never matters",
                "type": ["array", "null"],
                "items": {"$ref": "#/$defs/rule"},
            },
        },
        "$defs": {"preset": _preset(), "rule": _rule(), "account": _account()},
    }


def schema_text() -> str:
    """The schema as the text of docs/rules.schema.json."""
    return json.dumps(rule_file_schema(), indent=2, ensure_ascii=True) + "\n"


def _described(key: Key | Parameter) -> dict[str, Any]:
    return {"description": key.about, **key.kind.schema()}


def _properties(keys: Mapping[str, Key]) -> dict[str, Any]:
    return {name: _described(key) for name, key in keys.items()}


def _account() -> dict[str, Any]:
    """Who answers, and until when: an end, or a decision that there is none."""
    permanent = {"properties": {"permanent": {"const": True}}, "required": ["permanent"]}
    return {
        "required": ["reason", "owner"],
        "if": permanent,
        "then": {"required": ["decision"], "properties": {"expires": False}},
        "else": {"required": ["expires"]},
    }


def _preset() -> dict[str, Any]:
    names = {
        "description": "the preset to switch on",
        "oneOf": [{"const": name, "description": preset(name).reason} for name in NAMES],
    }
    return {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": _in_order({"name": names, **_properties(ACCOUNT)}, PRESET_KEYS),
        "allOf": [{"$ref": "#/$defs/account"}],
    }


def _rule() -> dict[str, Any]:
    scope = {
        "description": "where it holds; everywhere when left out",
        "type": "object",
        "additionalProperties": False,
        "properties": _properties(SCOPE),
    }
    actions = [
        {"const": name, "description": f"explains a difference when: {action.about}"} for name, action in ACTION_TABLE.items()
    ]
    action = {"description": "what the difference means", "oneOf": actions}
    known = {**_properties({**IDENTITY, **ACCOUNT, **REMARKS}), "scope": scope, "action": action, **_parameters()}
    return {
        "type": "object",
        "required": ["id", "action"],
        "additionalProperties": False,
        "properties": _in_order(known, RULE_KEYS),
        "allOf": [{"$ref": "#/$defs/account"}, *_targets(), *_actions(), *_owned()],
    }


def _in_order(known: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """The properties of all `keys`, none forgotten."""
    return {key: known[key] for key in keys}


def _parameters() -> dict[str, Any]:
    """All parameters, whichever actions take them; one that several take is any of theirs."""
    found: dict[str, list[dict[str, Any]]] = {}
    for action in ACTION_TABLE.values():
        for name, parameter in action.parameters.items():
            described = _described(parameter)
            if described not in found.setdefault(name, []):
                found[name].append(described)
    return {name: several[0] if len(several) == 1 else {"anyOf": several} for name, several in found.items()}


def _target_is(target: str) -> dict[str, Any]:
    if target == "body":
        return {"properties": {"target": {"const": "body"}}}  # the default: also where there is none
    return {"properties": {"target": {"type": "string", "pattern": f"^{target}"}}, "required": ["target"]}


def _targets() -> list[dict[str, Any]]:
    rules = []
    for target, names in ACTIONS.items():
        then: dict[str, Any] = {"properties": {"action": {"enum": list(names)}}}
        if target == "body":
            then["required"] = ["path"]
        else:
            then["properties"]["path"] = False
        rules.append({"if": _target_is(target), "then": then})
    return rules


def _action_is(name: str) -> dict[str, Any]:
    return {"properties": {"action": {"const": name}}, "required": ["action"]}


def _actions() -> list[dict[str, Any]]:
    """What each action needs, and what it does not take for single targets."""
    rules: list[dict[str, Any]] = []
    for name, action in ACTION_TABLE.items():
        then: dict[str, Any] = {}
        required = [key for key, parameter in action.parameters.items() if parameter.required]
        if required:
            then["required"] = required
        if action.any_of:
            then["anyOf"] = [{"required": [key]} for key in action.any_of]
        needs = {key: parameter.needs for key, parameter in action.parameters.items() if parameter.needs is not None}
        if needs:
            then["dependentSchemas"] = {key: {"properties": {other: {"const": value}}} for key, (other, value) in needs.items()}
        if then:
            rules.append({"if": _action_is(name), "then": then})
        for target, narrowed in action.narrowed.items():
            properties = {key: False if kind is None else kind.schema() for key, kind in narrowed.items()}
            rules.append({"if": {"allOf": [_action_is(name), _target_is(target)]}, "then": {"properties": properties}})
    return rules


def _owned() -> list[dict[str, Any]]:
    """Each parameter belongs to the actions that take it."""
    owners: dict[tuple[str, ...], list[str]] = {}
    for key in {key: None for keys in PARAMETERS.values() for key in keys}:
        owners.setdefault(tuple(name for name, keys in PARAMETERS.items() if key in keys), []).append(key)
    return [
        {
            "if": {"anyOf": [{"required": [key]} for key in keys]},
            "then": {"properties": {"action": {"enum": list(names)}}},
        }
        for names, keys in owners.items()
    ]
