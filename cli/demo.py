"""`paritygate demo`: the whole way in one command, on twin backends with planted defects."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.codes import CommandError, Exit
from cli.console import cell, err, out, say, show, table
from cli.context import now
from cli.parity_table import WIDE_ENOUGH, judged_rows, parity_table
from cli.route_policies import policies_of
from store.records import ClusterRow
from traffic.ledger import Ledger

SEED = 7


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("demo")(demo)


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the report; exit 0 when exactly the planted defects were found.")
    ] = False,
    requests: Annotated[int, typer.Option(min=200, max=100_000, help="How many requests the demo's clients send.")] = 2600,
    folder: Annotated[Path | None, typer.Option(help="Keep everything in this folder.", show_default=False)] = None,
    fix: Annotated[
        str, typer.Option(help="Turn planted defects off: ids from demo/defects.yaml, comma-separated, or 'all'.")
    ] = "",
) -> None:
    """Run Django and FastAPI twins behind the proxy, send them traffic, report what differs, and leave the dashboard running."""
    try:
        from demo import truth
    except ImportError as error:
        raise CommandError(f"the demo needs the extra 'demo': pip install 'paritygate[demo]' ({error})", Exit.USAGE) from error
    try:
        truth.planted_defects(fix)
    except truth.UnknownDefect as error:
        raise CommandError(f"--fix: {error}", Exit.USAGE) from error
    if folder is not None:
        raise typer.Exit(asyncio.run(_play(folder, once, requests, fix)))
    with tempfile.TemporaryDirectory(prefix="paritygate-demo-") as made:
        raise typer.Exit(asyncio.run(_play(Path(made), once, requests, fix)))


async def _play(folder: Path, once: bool, requests: int, fix: str) -> int:
    from cli.demo_stage import Stage

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def end() -> None:
        # During the run a signal ends it; once the dashboard is all that is left, it is the normal way out.
        if reported:
            stop.set()
        else:
            task.cancel()

    reported = False
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, end)
    say("paritygate demo: starting Django, FastAPI, proxy, shadow worker and dashboard on free loopback ports ...")
    try:
        async with Stage(folder, say, fix) as stage:
            await _drive(stage.url, requests)
            ledgers = await stage.rest()
            code = await _report(stage, ledgers, fix)
            await stage.dashboard_ready()
            reported = True
            if once:
                return code
            show(f"dashboard: http://{stage.settings.dashboard.listen}   proxy: {stage.url}   (Ctrl-C ends everything)")
            say(f"configuration for the other commands: --config {stage.settings.source}")
            await stop.wait()
            return code
    except asyncio.CancelledError:
        say("ended before the report")
        return 130


async def _drive(url: str, requests: int) -> None:
    from demo import traffic as demo_traffic

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as progress:
        bar = progress.add_task("traffic", total=requests)
        report = await demo_traffic.run(
            url, requests=requests, seed=SEED, progress=lambda done, _: progress.update(bar, completed=done)
        )
    if report.failed:
        raise CommandError(f"{report.failed} client requests failed through the proxy: {report.failures[0]}", Exit.BROKEN)


async def _report(stage: object, ledgers: dict[str, Ledger], fix: str) -> int:
    from cli.demo_stage import Stage
    from demo import truth

    assert isinstance(stage, Stage)
    rows = await stage.store.route_rows(now=now())
    out.print(parity_table(judged_rows(rows, policies_of(stage.settings), now()), out.width))
    clusters = await stage.store.clusters()
    outcome = truth.check(((c.atom.route, c.atom.aspect, c.atom.path) for c in clusters), fix)
    names = {place: defect.id for defect in truth.load_defects() for place in defect.keys}
    columns = ["planted defect", "route", "aspect", "path", "kind", "count", "detail"]
    shown = [name for name in columns if out.width >= WIDE_ENOUGH or name not in ("kind", "detail")]
    made = table("clusters found", shown, {"count"})
    for row in clusters:
        cells = dict(zip(columns, _cluster_cells(row, names), strict=True))
        made.add_row(*(cell(cells[name]) for name in shown))
    out.print(made)
    total = sum(ledgers.values(), Ledger())
    broken = [f"{route}: {text}" for route, ledger in ledgers.items() for text in ledger.violations()]
    show(
        f"ledger: seen {total.seen} = served {total.served_primary + total.served_candidate} + refused {sum(total.refused.values())}; "
        f"mirrored {total.mirrored} = compared {total.compared} + candidate_error {sum(total.candidate_error.values())} "
        f"+ lost {sum(total.lost.values())}; skipped {sum(total.skipped.values())}; "
        + ("every equation holds" if not broken else "VIOLATED")
    )
    for text in broken:
        show(f"VIOLATION: {text}")
    for defect in outcome.missing:
        show(f"NOT FOUND: {defect.id}: {defect.title} ({defect.route})")
    for place in outcome.unexpected:
        show(f"NOT PLANTED: {' '.join(place)}")
    if broken or not outcome.complete:
        return Exit.BROKEN
    show(f"all {len(truth.planted_defects(fix))} planted defects were found, and nothing else was reported")
    return Exit.OK


def _cluster_cells(row: ClusterRow, names: dict[tuple[str, str, str], str]) -> tuple[object, ...]:
    atom = row.atom
    place = (atom.route, atom.aspect, atom.path)
    return (names.get(place, "?"), *place, f"{atom.kind} {atom.types}".strip(), row.count, row.detail)
