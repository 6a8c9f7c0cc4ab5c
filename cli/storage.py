"""`paritygate store`: migrations and integrity."""

from __future__ import annotations

import typer

from cli.codes import Exit
from cli.console import say, show, show_json
from cli.context import ConfigOption, JsonOption, load, now, with_store
from store.database import Store

storage = typer.Typer(name="store", help="The store: migrations and integrity.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(storage)


@storage.command("upgrade")
def upgrade(config: ConfigOption = None) -> None:
    """Make the store where there is none, else bring its schema to this release."""
    settings = load(config)

    async def nothing(_: Store) -> None:
        return None

    with_store(settings, nothing, make=True)
    say(f"{settings.store_url}: at the schema of this release")


@storage.command("check")
def check(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Check the ledger's equations, the rows' references and the audit chain. Exit 1 when anything is wrong."""
    problems = with_store(load(config), lambda store: store.check())
    if json:
        show_json({"problems": problems})
    else:
        for sentence in problems:
            show(sentence)
        show(f"{len(problems)} problems")
    raise typer.Exit(Exit.BROKEN if problems else Exit.OK)


@storage.command("prune")
def prune(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Delete examples and charts older than `store.retention`; counters and the audit stay."""
    settings = load(config)
    rows = with_store(settings, lambda store: store.prune(now() - settings.store.retention))
    if json:
        show_json({"rows": rows})
    else:
        show(f"{rows} rows deleted")
