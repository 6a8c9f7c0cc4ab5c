"""`paritygate rules lint` and `rules schema`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.codes import CommandError, Exit
from cli.console import say, show, show_json
from cli.context import ConfigOption, JsonOption, load, rules_of, today
from cli.stored_answers import Stored, read_stored
from rules.errors import RuleError
from rules.lint import Lint, lint
from rules.load import decode_rules, load_rules
from rules.model import RuleSet
from rules.narrower import narrower_actions
from rules.schema import schema_text
from settings.load import SettingsError
from settings.model import Settings
from settings.routes import load_route_table

MAX_RULE_FILE = 4 * 1024 * 1024
"""Bytes; a file over the loader's limit of characters gets the loader's own message."""


@dataclass
class _Surroundings:
    """What rules are checked against besides themselves, and what could not be had."""

    settings: Settings | None = None
    stored: Stored = field(default_factory=Stored)
    routes: set[str] | None = None
    notes: list[str] = field(default_factory=list)


def schema() -> None:
    """Print the JSON Schema of rule files, for editors: `paritygate rules schema > rules/rules.schema.json`."""
    sys.stdout.write(schema_text())


def lint_rules(
    files: Annotated[list[Path] | None, typer.Argument(help="Rule files; the configured ones when left out.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Check rule files against themselves, the known routes and the stored answers. Errors end with exit 2, warnings with exit 1."""
    around = _Surroundings()
    try:
        if not files:
            around.settings = load(config)
            rule_set = rules_of(around.settings)
        else:
            rule_set = read_rules(files)
            _configuration(around, config)
    except RuleError as error:
        if json:
            show_json({"errors": list(error.problems)})
        raise
    _look_around(around, rule_set)
    remarks = lint(rule_set, today(), around.routes, around.stored.bodies)
    remarks = sorted([*remarks, *narrower_actions(rule_set, around.stored.pairs, today())], key=lambda remark: remark.order)
    warnings = [remark for remark in remarks if remark.is_warning]
    if json:
        show_json(_document(rule_set, around, remarks))
    else:
        for remark in remarks:
            show(f"{remark}{f' ({remark.kind})' if remark.is_warning else f' (note: {remark.kind})'}")
        for note in around.notes:
            say(note)
        show(f"{len(rule_set.rules)} rules, {len(rule_set.presets)} presets, {len(warnings)} warnings")
    raise typer.Exit(Exit.BROKEN if warnings else Exit.OK)


def _document(rule_set: RuleSet, around: _Surroundings, remarks: list[Lint]) -> dict[str, Any]:
    return {
        "rules": len(rule_set.rules),
        "presets": len(rule_set.presets),
        "warnings": [str(remark) for remark in remarks if remark.is_warning],
        "remarks": [
            {
                "kind": remark.kind,
                "level": "warning" if remark.is_warning else "note",
                "place": remark.place,
                "rule": remark.rule,
                "text": remark.text,
            }
            for remark in remarks
        ],
        "checked": {
            "routes": None if around.routes is None else len(around.routes),
            "stored_bodies": len(around.stored.bodies),
            "stored_pairs": len(around.stored.pairs),
        },
        "notes": around.notes,
    }


def _configuration(around: _Surroundings, config: Path | None) -> None:
    """Named files need no configuration: without one they are checked against themselves alone."""
    try:
        around.settings = load(config)
    except SettingsError as error:
        if config is not None:
            raise
        around.notes.append(f"{error}: routes and stored answers were not looked at")


def _look_around(around: _Surroundings, rule_set: RuleSet) -> None:
    if around.settings is None:
        return
    warnings: list[str] = []
    labels: set[str] = set()
    try:
        labels = {route.label for route in load_route_table(around.settings, warnings).routes.values()}
    except SettingsError as error:
        warnings.append(str(error))
    around.stored = read_stored(around.settings, rule_set, today())
    if around.stored.trouble:
        around.notes.append(f"stored answers were not looked at: {around.stored.trouble}")
    if warnings:
        around.notes.append(f"scopes were not checked against the routes: {'; '.join(warnings)}")
    elif labels:
        around.routes = labels | around.stored.routes
    else:
        around.notes.append(
            "scopes were not checked against the routes: the configuration names none ([routes] openapi, urlconf)"
        )


def read_rules(files: Sequence[Path]) -> RuleSet:
    """The rules of these files. Raises RuleError, or CommandError for a file that cannot be read."""
    return load_rules([(str(path), _text(path)) for path in files], today())


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_RULE_FILE:
            raise CommandError(f"{path}: larger than {MAX_RULE_FILE} bytes: that is no rule file", Exit.USAGE)
        return decode_rules(str(path), path.read_bytes())
    except OSError as error:
        raise CommandError(f"{path}: the rule file cannot be read: {error.strerror or error}", Exit.USAGE) from error
