"""`paritygate gate ROUTE`, `gate plan` and `gate calc`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.codes import CommandError, Exit
from cli.console import cell, out, show, show_json, table
from cli.context import ConfigOption, JsonOption, load, now, with_store
from cli.gate_plan import plan
from cli.groups import DefaultsToShow
from cli.known_routes import configured, resolve, seen
from cli.parity_table import parity_text
from cli.route_policies import policies_of
from gate.evaluate import evaluate
from gate.facts import Evidence, GateVerdict, RouteStanding
from gate.parity import calculate
from settings.admin_token import read_admin_token
from settings.gate_token import gate_token
from settings.model import Settings
from store.database import Store
from store.errors import StoreError

gate = typer.Typer(name="gate", cls=DefaultsToShow, help="May a route move? Every guard with its figure.", no_args_is_help=True)
CODES = {"pass": Exit.OK, "fail": Exit.BROKEN, "undecided": Exit.INCONCLUSIVE}
HOLDS = {True: "holds", False: "REFUSES", None: "no data yet"}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(gate)


@gate.command("show")
def show_gate(
    route: Annotated[str, typer.Argument(help="A route as `paritygate routes` prints it.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print the gate's verdict for a route with every guard. Exit 0 pass, 1 fail, 3 undecided."""
    settings = load(config)
    verdict, standing = judged(settings, route, configured(settings))
    if json:
        show_json(verdict_document(verdict, standing))
    else:
        show(f"{verdict.route}: {verdict.verdict} (state {standing.state}, weight {standing.weight_bp / 100:g} %)")
        for reason in verdict.reasons:
            show(f"  {reason}")
        show(
            f"  n = {verdict.n}, k = {verdict.k}, parity {parity_text(verdict)}, asked {verdict.parity:g}, ln E {verdict.log_e:.3f}"
        )
        made = table("", ["guard", "", "figure", "threshold", "missing"])
        for guard in verdict.guards:
            word = HOLDS[guard.holds] + ("" if guard.blocking else " (shown only)")
            made.add_row(cell(guard.name), cell(word), cell(guard.figure), cell(guard.threshold), cell(guard.missing))
        out.print(made)
    raise typer.Exit(CODES[verdict.verdict])


def judged(settings: Settings, route: str, known: Collection[str]) -> tuple[GateVerdict, RouteStanding]:
    """The verdict on a route that is `known` or that the store has seen. Raises CommandError for another one, and StoreError."""
    policies = policies_of(settings)

    async def read(store: Store) -> tuple[Evidence, RouteStanding]:
        label = resolve(route, {*known, *await seen(store)})
        return await store.evidence(label, now=now()), await store.standing(label)

    evidence, standing = with_store(settings, read)
    return evaluate(evidence, standing, policies.of(standing.route), now()), standing


def gate_answer(settings: Settings, route: str, known: Collection[str]) -> tuple[int, dict[str, Any]]:
    """What the admin listener answers to `GET /gate/ROUTE`: an HTTP status and the document of `gate ROUTE --json`."""
    try:
        verdict, standing = judged(settings, route, known)
    except CommandError as error:
        return 404, {"error": str(error)}
    except StoreError as error:
        return 503, {"error": str(error)}
    return 200 if verdict.verdict == "pass" else 409, verdict_document(verdict, standing)


def verdict_document(verdict: GateVerdict, standing: RouteStanding) -> dict[str, Any]:
    """A verdict as `gate ROUTE --json` prints it."""
    return {**asdict(verdict), "state": standing.state.value, "weight": standing.weight_bp / 10_000}


gate.command("plan")(plan)


@gate.command("calc")
def calc(
    n: Annotated[int, typer.Option("--n", help="Comparisons.")],
    k: Annotated[int, typer.Option("--k", help="Mismatches and candidate errors among them.")],
    parity: Annotated[float, typer.Option(help="The parity asked for, e.g. 0.999.")] = 0.999,
    alpha: Annotated[float, typer.Option(help="The error allowed, e.g. 0.05.")] = 0.05,
    json: JsonOption = False,
) -> None:
    """The bare statistics. Exit 0 pass, 1 fail, 3 undecided, 2 for impossible input."""
    try:
        result = calculate(n, k, parity, alpha)
    except ValueError as error:
        raise CommandError(str(error), Exit.USAGE) from error
    document = asdict(result)
    if json:
        show_json(document)
    else:
        for name, value in document.items():
            show(f"{name}: {value}")
    raise typer.Exit(CODES[result.verdict])


@gate.command("token")
def token(config: ConfigOption = None) -> None:
    """Print the token that may ask the gate over the admin listener, and do nothing else: for Argo Rollouts and Flagger."""
    settings = load(config)
    admin = read_admin_token(settings)
    if admin is None:
        text = "proxy.admin_token_file is not set: the admin listener is on loopback and asks for no token"
        raise CommandError(text, Exit.USAGE)
    show(gate_token(admin))
