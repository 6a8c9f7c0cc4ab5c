"""`paritygate rules`: what stands behind each command is in `cli.rule_lint`, `cli.rule_audit` and `cli.rule_preview`."""

from __future__ import annotations

import typer

from cli.rule_audit import audit
from cli.rule_lint import lint_rules, schema
from cli.rule_preview import explain_rules, try_rules

rules = typer.Typer(name="rules", help="Ignore rules: what a difference means.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    rules.command("lint")(lint_rules)
    rules.command("schema")(schema)
    rules.command("audit")(audit)
    rules.command("test")(try_rules)
    rules.command("explain")(explain_rules)
    app.add_typer(rules)
