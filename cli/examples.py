"""`paritygate mismatches [ROUTE]`, `show ID` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.codes import CommandError, Exit
from cli.console import cell, err, out, say, show, show_json, table
from cli.context import ConfigOption, JsonOption, load, rules_of, today, with_store
from cli.known_routes import configured, resolve, seen
from differ.explain import explain
from export.case_lines import export_cases
from export.curl import curl_line
from export.pytest_files import export_pytest
from store.database import Store
from store.records import ClusterRow, Example
from traffic.message import Answer, Failure

export = typer.Typer(name="export", help="Mismatches as regression tests and cases.", no_args_is_help=True)
RouteArgument = Annotated[str | None, typer.Argument(help="A route as `paritygate routes` prints it; all when left out.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("mismatches")(mismatches)
    app.command("show")(show_example)
    app.add_typer(export)


def mismatches(route: RouteArgument = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the clusters of differences, most frequent first. Exit 1 when there are any."""
    settings = load(config)

    async def read(store: Store) -> list[ClusterRow]:
        wanted = None if route is None else resolve(route, configured(settings) | await seen(store))
        return await store.clusters(wanted)

    clusters = with_store(settings, read)
    if json:
        show_json({"clusters": [cluster_document(row) for row in clusters]})
    elif not clusters:
        show("no mismatch has been recorded" + (f" for {route}" if route else ""))
    else:
        out.print(cluster_table(clusters))
    raise typer.Exit(Exit.BROKEN if clusters else Exit.OK)


def cluster_table(clusters: list[ClusterRow]) -> Any:
    """The clusters for people."""
    made = table("", ["cluster", "count", "route", "aspect", "path", "kind", "detail", "example"], {"count"})
    for row in clusters:
        atom = row.atom
        kind = f"{atom.kind} {atom.types}".strip()
        example = row.example_ids[0] if row.example_ids else "-"
        made.add_row(
            *(cell(text) for text in (row.id, row.count, atom.route, atom.aspect, atom.path, kind, row.detail, example))
        )
    return made


def cluster_document(row: ClusterRow) -> dict[str, Any]:
    """A cluster as `mismatches --json` prints it."""
    atom = row.atom
    return {
        "id": row.id,
        "cause": atom.cause_id,
        "route": atom.route,
        "statuses": atom.statuses,
        "aspect": atom.aspect,
        "path": atom.path,
        "kind": atom.kind,
        "types": atom.types,
        "count": row.count,
        "clients": row.clients,
        "first_seen": row.first_seen,
        "last_seen": row.last_seen,
        "detail": row.detail,
        "examples": list(row.example_ids),
    }


def show_example(
    name: Annotated[str, typer.Argument(metavar="ID", help="The id of an example or of a cluster.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show one example: the request, both answers, the differences, the rules that applied."""

    async def find(store: Store) -> tuple[Example | None, ClusterRow | None]:
        found = await store.example(name)
        if found is None:
            several = await store.examples(name)
            found = several[0] if several else None
        return found, await store.cluster(name)

    settings = load(config)
    example, cluster = with_store(settings, find)
    if example is None and cluster is not None:
        # A finding about many exchanges (a latency, a relation) has no single example.
        if json:
            show_json({"cluster": cluster_document(cluster)})
        else:
            out.print(cluster_table([cluster]))
            show("a finding about many answers: no single exchange shows it")
        return
    if example is None:
        raise CommandError(f"{name}: no example and no cluster has this id; `paritygate mismatches` lists them", Exit.USAGE)
    if json:
        show_json(example_document(example))
        return
    show(f"{example.id}  {example.route}  (live: {example.live_side}, build {example.build or '-'})")
    show(curl_line(example, settings.candidate.url))
    made = table("differences", ["aspect", "where", "kind", "primary", "candidate", "note"])
    for item in example.differences:
        texts = (item.atom.aspect, item.location or item.atom.path, item.atom.kind, item.primary, item.candidate, item.note)
        made.add_row(*(cell("(absent)" if text is None else text) for text in texts))
    out.print(made)
    if example.tolerated:
        show("tolerated by: " + ", ".join(example.tolerated))
    for side, answer in (("primary", example.primary), ("candidate", example.candidate)):
        show(f"--- {side}")
        show(_answer_text(answer))
    if not isinstance(example.primary, Failure) and not isinstance(example.candidate, Failure):
        explained = explain(example.primary.body, example.candidate.body)
        if explained:
            show("--- explanation")
            show(explained)


def _answer_text(answer: Answer) -> str:
    if isinstance(answer, Failure):
        return f"no complete answer: {answer.reason} {answer.detail}"
    lines = [f"HTTP {answer.status}"]
    lines += [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in answer.headers]
    return "\n".join([*lines, "", answer.body[:4000].decode("utf-8", "backslashreplace")])


def example_document(example: Example) -> dict[str, Any]:
    """An example as `show --json` prints it."""

    def answer(given: Answer) -> dict[str, Any]:
        if isinstance(given, Failure):
            return {"error": given.reason, "detail": given.detail}
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in given.headers]
        return {"status": given.status, "headers": headers, "body": given.body.decode("utf-8", "backslashreplace")}

    return {
        "id": example.id,
        "route": example.route,
        "at": example.at,
        "live_side": example.live_side,
        "request": {
            "method": example.request.method,
            "target": example.request.target.decode("latin-1"),
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in example.request.headers],
            "body": example.request.body.decode("utf-8", "backslashreplace"),
        },
        "primary": answer(example.primary),
        "candidate": answer(example.candidate),
        "differences": [
            {
                "aspect": item.atom.aspect,
                "path": item.atom.path,
                "location": item.location,
                "kind": item.atom.kind,
                "types": item.atom.types,
                "primary": item.primary,
                "candidate": item.candidate,
                "note": item.note,
            }
            for item in example.differences
        ],
        "tolerated": list(example.tolerated),
        "reason": example.reason,
    }


async def _examples(store: Store, route: str | None) -> list[Example]:
    found: dict[str, Example] = {}
    for cluster in await store.clusters(route):
        for example in await store.examples(cluster.id):
            found.setdefault(example.id, example)
    return sorted(found.values(), key=lambda example: (example.route, example.id))


@export.command("pytest")
def export_tests(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write the tests to.")] = Path("parity_tests"),
    route: Annotated[str | None, typer.Option(help="Only this route.")] = None,
    config: ConfigOption = None,
) -> None:
    """Write the stored mismatches as pytest files for the FastAPI repository."""
    settings = load(config)
    examples = with_store(settings, lambda store: _examples(store, route))
    if not examples:
        raise CommandError("there is no stored mismatch to export" + (f" for {route}" if route else ""), Exit.INCONCLUSIVE)
    written = export_pytest(examples, rules_of(settings), today())
    root = output.resolve()
    try:
        for name, content in written.items():
            target = (root / name).resolve()
            if not target.is_relative_to(root):
                raise CommandError(f"{name}: would be written outside {root}", Exit.BUG)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    except OSError as error:
        raise CommandError(f"{output}: cannot be written: {error}", Exit.USAGE) from error
    say(f"wrote {len(written)} files for {len(examples)} examples to {output}; see the README there")


@export.command("json")
def export_json(
    route: Annotated[str | None, typer.Option(help="Only this route.")] = None, config: ConfigOption = None
) -> None:
    """Print the stored mismatches as a case file for `paritygate compare --cases`."""
    settings = load(config)
    out.print(
        export_cases(
            with_store(settings, lambda store: _examples(store, route)),
            rules_of(settings),
            settings.candidate.build_header,
            today(),
        ),
        markup=False,
        end="",
    )


@export.command("curl")
def export_curl(
    name: Annotated[str, typer.Argument(metavar="ID", help="The id of an example.")], config: ConfigOption = None
) -> None:
    """Print a curl line that sends an example's request again; secrets are variables."""
    settings = load(config)
    example = with_store(settings, lambda store: store.example(name))
    if example is None:
        err.print(f"{name}: no example has this id", markup=False)
        raise typer.Exit(Exit.USAGE)
    out.print(curl_line(example, settings.candidate.url), markup=False)
