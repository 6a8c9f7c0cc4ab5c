"""`paritygate store`: migrations and integrity."""

from __future__ import annotations

import typer

from cli.codes import Exit
from cli.console import say, show, show_json
from cli.context import ConfigOption, JsonOption, load, with_store
from store.database import Store

storage = typer.Typer(name="store", help="The store: migrations and integrity.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(storage)


@storage.command("upgrade")
def upgrade(config: ConfigOption = None) -> None:
    """Bring the store's schema to this release."""
    settings = load(config)

    async def nothing(_: Store) -> None:
        return None

    with_store(settings, nothing)
    say(f"{settings.store_url}: at the schema of this release")


@storage.command("check")
def check(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Check that the ledger's equations hold for every route."""
    ledgers = with_store(load(config), lambda store: store.ledgers())
    broken = {route: ledger.violations() for route, ledger in ledgers.items() if ledger.violations()}
    if json:
        show_json({"routes": len(ledgers), "violations": broken})
    else:
        for route, sentences in broken.items():
            for sentence in sentences:
                show(f"{route}: {sentence}")
        show(f"{len(ledgers)} routes, {len(broken)} with violations of the ledger's equations")
    raise typer.Exit(Exit.BROKEN if broken else Exit.OK)
