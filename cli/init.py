"""`paritygate init`: a commented starter configuration, a first rule file and the signing key."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from cli.codes import CommandError, Exit
from cli.console import say
from rules.schema import schema_text
from settings.keyfile import make_key
from settings.load import FILE_NAME


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; made when missing.")] = Path("."),
    primary: Annotated[str, typer.Option(help="URL of the trusted backend (Django).")] = "http://127.0.0.1:8001",
    candidate: Annotated[str, typer.Option(help="URL of the backend under test (FastAPI).")] = "http://127.0.0.1:8002",
) -> None:
    """Write a commented paritygate.toml, rules/starter.yaml with its JSON Schema, and the signing key.

    Nothing that exists is overwritten.
    """
    written = []
    starter = files("cli").joinpath("starter")
    config, rules = (starter.joinpath(name).read_text(encoding="utf-8") for name in ("paritygate.toml", "rules.yaml"))
    config = config.replace("http://127.0.0.1:8001", primary).replace("http://127.0.0.1:8002", candidate)
    plan = {FILE_NAME: config, "rules/starter.yaml": rules, "rules/rules.schema.json": schema_text()}
    try:
        for name, text in plan.items():
            target = folder / name
            if target.exists():
                say(f"{target}: is there already, left as it is")
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            written.append(target)
    except OSError as error:
        raise CommandError(f"{folder}: cannot be written: {error}", Exit.USAGE) from error
    if make_key(folder / "paritygate.key"):
        written.append(folder / "paritygate.key")
    for path in written:
        say(f"wrote {path}")
    say("next: edit the two URLs in paritygate.toml, then `paritygate doctor` and `paritygate up`")
