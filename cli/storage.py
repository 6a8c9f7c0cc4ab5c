"""`paritygate store`: migrations, integrity, retention, legal deletion, and what to do with a damaged file."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from cli.codes import Exit
from cli.console import err, say, show, show_json
from cli.context import ActorOption, ConfigOption, JsonOption, load, now, with_store
from store.database import Store
from store.quarantine import quarantine as put_aside
from store.steps import Step

storage = typer.Typer(name="store", help="The store: migrations, integrity, retention, legal deletion.", no_args_is_help=True)


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
def prune(
    config: ConfigOption = None,
    compact: Annotated[
        bool,
        typer.Option(
            "--compact",
            help="then write a SQLite file anew (writers wait) or PostgreSQL's indexes (nobody waits); disk for a copy is needed",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Delete examples, clusters and charts older than `store.retention`, and the oldest examples beyond `store.max_size`."""
    settings = load(config)
    moment = now()

    async def work(store: Store) -> int:
        with Progress(TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), console=err) as progress:
            bars: dict[str, TaskID] = {}

            def tell(step: Step) -> None:
                bar = bars.get(step.part)
                if bar is None:
                    bar = bars[step.part] = progress.add_task(step.part, total=step.total)
                progress.update(bar, completed=step.done, total=step.total)

            rows = await store.prune(moment - settings.store.retention, moment, settings.store.max_size, tell)
        if compact:
            await store.compact()
        return rows

    rows = with_store(settings, work)
    if json:
        show_json({"rows": rows})
    else:
        show(f"{rows} rows deleted")


@storage.command("forget")
def forget(
    client: Annotated[list[str] | None, typer.Option(help="a client's key, as examples show it; may be repeated")] = None,
    example: Annotated[list[str] | None, typer.Option(help="an example's id; may be repeated")] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="whatever examples hold this text, e.g. a customer's number; may be repeated")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Delete what is kept of one person: examples by client, by id or by a text in them. Counts stay, they name nobody."""
    if not (client or example or text):
        raise typer.BadParameter("say what: --client, --example or --text", param_hint="--client")
    settings = load(config)
    gone = with_store(settings, lambda store: store.forget(client or (), example or (), text or ()))
    if json:
        show_json({"examples": gone.examples, "clusters": gone.clusters})
    else:
        show(f"{gone.examples} examples deleted; {gone.clusters} clusters no longer name or show it")


@storage.command("quarantine")
def quarantine(config: ConfigOption = None, actor: ActorOption = "unknown", json: JsonOption = False) -> None:
    """Put a damaged SQLite file aside and begin anew; refused where the file is whole. Every route is in shadow then, with no evidence."""
    settings = load(config)
    done = asyncio.run(put_aside(settings.store_url, now(), actor))
    if json:
        show_json({"damage": done.damage, "path": str(done.path)})
    else:
        show(f"{done.path}: put aside ({done.damage}); the new store begins empty: every route is in shadow, its n is 0")
