"""`paritygate rules lint` and `rules audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.codes import CommandError, Exit
from cli.console import cell, out, show, show_json, table
from cli.context import ConfigOption, JsonOption, load, rules_of, today, with_store
from rules.lint import lint
from rules.load import load_rules

rules = typer.Typer(name="rules", help="Ignore rules: what a difference means.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(rules)


@rules.command("lint")
def lint_rules(
    files: Annotated[list[Path] | None, typer.Argument(help="Rule files; the configured ones when left out.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Check rule files: errors end with exit 2, warnings with exit 1."""
    rule_set = load_rules([(str(path), _text(path)) for path in files], today()) if files else rules_of(load(config))
    warnings = [str(warning) for warning in lint(rule_set, today())]
    if json:
        show_json({"rules": len(rule_set.rules), "presets": len(rule_set.presets), "warnings": warnings})
    else:
        for warning in warnings:
            show(warning)
        show(f"{len(rule_set.rules)} rules, {len(rule_set.presets)} presets, {len(warnings)} warnings")
    raise typer.Exit(Exit.BROKEN if warnings else Exit.OK)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: the rule file cannot be read: {error}", Exit.USAGE) from error


@rules.command("audit")
def audit(config: ConfigOption = None, json: JsonOption = False) -> None:
    """What each rule and preset tolerated, per route; rules that never applied are listed as dead."""
    settings = load(config)
    rule_set = rules_of(settings)
    hits = with_store(settings, lambda store: store.rule_hits())
    known = [*(rule.id for rule in rule_set.rules), *(preset.name for preset in rule_set.presets)]
    used = {name for name, _, _ in hits}
    dead = [name for name in known if name not in used]
    if json:
        show_json({"hits": [{"rule": r, "route": route, "count": n} for r, route, n in hits], "dead": dead})
        return
    made = table("", ["rule or preset", "route", "exchanges"], {"exchanges"})
    for name, route, count in hits:
        made.add_row(cell(name), cell(route), cell(count))
    out.print(made)
    for name in dead:
        show(f"never applied: {name}")
