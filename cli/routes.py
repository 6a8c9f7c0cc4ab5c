"""`paritygate routes`: the parity table; `routes import-django`: the URLconf's routes as a file."""

from __future__ import annotations

import json as json_library
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from cli.codes import CommandError, Exit
from cli.console import out, say, show, show_json
from cli.context import ConfigOption, JsonOption, load, now, with_store
from cli.groups import DefaultsToShow
from cli.parity_table import judged_rows, parity_table, route_document
from cli.route_policies import policies_of
from gate.facts import GateVerdict
from traffic.route import UNROUTED

routes = typer.Typer(name="routes", cls=DefaultsToShow, help="The parity table per route; import of Django's routes.")
IMPORT_DEADLINE = 60


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(routes)


@routes.command("show")
def show_routes(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Print the parity table (the default). Exit 1 when a route's parity is broken, 3 when one is undecided, 0 when all hold."""
    settings = load(config)
    rows = with_store(settings, lambda store: store.route_rows(now=now()))
    judged = judged_rows(rows, policies_of(settings), now())
    if json:
        show_json({"routes": [route_document(row, verdict) for row, verdict in judged]})
    elif not judged:
        show(f"no request has been seen yet; send traffic to http://{settings.proxy.listen}")
    else:
        out.print(parity_table(judged, out.width))
    raise typer.Exit(_exit_code([verdict for _, verdict in judged]))


def _exit_code(verdicts: list[GateVerdict]) -> Exit:
    """Paths that no route names can never be promoted: they count here only when their parity itself is broken."""
    routed = [verdict for verdict in verdicts if not verdict.route.endswith(UNROUTED)]
    disproved = any(guard.name == "parity" and guard.holds is False for verdict in verdicts for guard in verdict.guards)
    if disproved or any(verdict.verdict == "fail" for verdict in routed):
        return Exit.BROKEN
    if not routed or any(verdict.verdict == "undecided" for verdict in routed):
        return Exit.INCONCLUSIVE
    return Exit.OK


@routes.command("import-django")
def import_django(
    settings_module: Annotated[str, typer.Option("--settings", help="DJANGO_SETTINGS_MODULE of the monolith.")],
    python: Annotated[
        str | None, typer.Option(help="The monolith's own interpreter, of its virtual environment; this one when left out.")
    ] = None,
    project: Annotated[Path, typer.Option(help="The folder with manage.py.")] = Path("."),
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("routes-django.json"),
) -> None:
    """Ask Django for its URLconf and write the routes to a file for `routes.urlconf`."""
    script = files("cli").joinpath("starter/django_urlconf.py").read_text(encoding="utf-8")
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": settings_module}
    python = python or sys.executable
    try:
        done = subprocess.run(
            [python, "-c", script], cwd=project, env=env, capture_output=True, timeout=IMPORT_DEADLINE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"--python {python}: could not be run: {error}", Exit.USAGE) from error
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        raise CommandError(f"Django's URLconf could not be read with --settings {settings_module}: {last[0]}", Exit.USAGE)
    entries = json_library.loads(done.stdout)
    output.write_text(json_library.dumps(entries, indent=1) + "\n", encoding="utf-8")
    say(f'wrote {len(entries)} routes to {output}; add urlconf = ["{output.name}"] to [routes]')
