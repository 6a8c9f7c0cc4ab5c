"""`paritygate deployed --build SHA`: says which build of the candidate runs from now on, where its answers do not."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.codes import CommandError, Exit
from cli.console import say, show_json
from cli.context import ActorOption, ConfigOption, JsonOption, load, now, with_store
from store.declared_builds import declare_build
from traffic.build import BuildError, build_name


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("deployed")(deployed)


def deployed(
    build: Annotated[str, typer.Option("--build", help="A commit, a version or an image's digest.")],
    config: ConfigOption = None,
    actor: ActorOption = "unknown",
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in the audit.")] = "",
    json: JsonOption = False,
) -> None:
    """Declare which build of the candidate runs from now on: a new build starts new evidence.

    Every running shadow of the store knows it within seconds, and it outlives restarts. Call it when the new build has replaced the old
    one. Where the candidate names its build itself (`candidate.build_header`, `candidate.version_url`), that wins.
    """
    settings = load(config)
    try:
        name = build_name(build)
    except BuildError as error:
        raise CommandError(f"--build: {error}", Exit.USAGE) from error
    if not actor.strip():
        raise CommandError("--actor is empty: the audit keeps who declared a build", Exit.USAGE)
    if settings.candidate.version_url is not None:
        say("note: candidate.version_url is set; while it answers, what it says counts and this does not")
    declared, before = with_store(settings, lambda store: declare_build(store, name, actor.strip(), reason, now()))
    if json:
        show_json({"build": declared.build, "before": before, "at": declared.at, "changed": declared.build != before})
    elif declared.build == before:
        say(f"{declared.build} was declared already; nothing changes")
    else:
        say(f"{declared.build} is declared to run, after {before or 'none'}: evidence begins anew with the next comparisons")
