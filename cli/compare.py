"""`paritygate compare A B` and `compare --cases F.jsonl`: the differ on stored answers, without any server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cli.codes import CommandError, Exit
from cli.console import show, show_json
from cli.context import ConfigOption, JsonOption, today
from differ.cases import judge_case
from differ.judge import judge
from differ.message_file import parse_response
from rules.load import load_rules, rules_from_case
from rules.model import RuleSet
from traffic.message import Request, Response
from traffic.outcome import Verdict

MAX_FILE = 256 * 1024 * 1024
CODES = {Verdict.MISMATCH: Exit.BROKEN, Verdict.INCONCLUSIVE: Exit.INCONCLUSIVE}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("compare")(compare)


def compare(
    primary: Annotated[
        Path | None, typer.Argument(metavar="A", help="The trusted answer: HTTP message, HAR entry or JSON.")
    ] = None,
    candidate: Annotated[Path | None, typer.Argument(metavar="B", help="The answer under test.")] = None,
    cases: Annotated[Path | None, typer.Option(help="A file of cases, one JSON object a line.")] = None,
    rules: Annotated[list[Path] | None, typer.Option(help="A rule file; may be repeated.")] = None,
    preset: Annotated[list[str] | None, typer.Option(help="A preset by name; may be repeated.")] = None,
    method: Annotated[str, typer.Option(help="The request's method; HEAD answers have no body.")] = "GET",
    path: Annotated[str, typer.Option(help="The request's path, for rules with a route.")] = "/",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Compare two stored answers, or judge a file of cases. Exit 0 equal or tolerated, 1 mismatch, 3 inconclusive, 2 unreadable."""
    del config  # accepted everywhere, needed here for nothing
    if cases is not None:
        if primary is not None or rules or preset:
            raise CommandError("--cases judges a file by itself: leave A, B, --rules and --preset out", Exit.USAGE)
        raise typer.Exit(_judge_cases(cases))
    if primary is None or candidate is None:
        raise CommandError("two files are needed: `paritygate compare A B`, or --cases FILE", Exit.USAGE)
    judgement = judge(
        Request(method.upper(), path.encode("utf-8")),
        f"{method.upper()} {path}",
        _answer(primary),
        _answer(candidate),
        _rule_set(rules or [], preset or []),
        today(),
    )
    if json:
        document: dict[str, Any] = {
            "verdict": judgement.verdict,
            "paths": judgement.paths,
            "tolerated": list(judgement.tolerated),
            "reason": judgement.reason,
            "differences": [
                {
                    "aspect": item.atom.aspect,
                    "path": item.atom.path,
                    "kind": item.atom.kind,
                    "types": item.atom.types,
                    "primary": item.primary,
                    "candidate": item.candidate,
                    "note": item.note,
                }
                for item in judgement.differences
            ],
        }
        show_json(document)
    else:
        show(judgement.verdict + (f": {judgement.reason}" if judgement.reason else ""))
        for item in judgement.differences:
            where = f"{item.atom.aspect} {item.location or item.atom.path}"
            note = f"  ({item.note})" if item.note else ""
            show(f"  {where}: {item.atom.kind}: {_shown(item.primary)} -> {_shown(item.candidate)}{note}")
        if judgement.tolerated:
            show("  tolerated by: " + ", ".join(judgement.tolerated))
    raise typer.Exit(CODES.get(judgement.verdict, Exit.OK))


def _shown(text: str | None) -> str:
    return "(absent)" if text is None else text


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE:
            raise CommandError(f"{path}: larger than {MAX_FILE} bytes", Exit.USAGE)
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}", Exit.USAGE) from error


def _answer(path: Path) -> Response:
    try:
        return parse_response(_read(path))
    except ValueError as error:
        raise CommandError(f"{path}: {error}", Exit.USAGE) from error


def _rule_set(paths: list[Path], presets: list[str]) -> RuleSet:
    if presets and paths:
        raise CommandError("--preset and --rules exclude each other: enable presets inside the rule file", Exit.USAGE)
    if presets:
        return rules_from_case({"presets": presets})
    return load_rules([(str(path), _read(path).decode("utf-8", "replace")) for path in paths], today())


def _judge_cases(path: Path) -> Exit:
    unreadable = failed = inconclusive = False
    for number, line in enumerate(_read(path).splitlines(), 1):
        if not line.strip():
            continue
        name: Any = f"line {number}"
        try:
            document = orjson.loads(line)
            if not isinstance(document, dict):
                raise ValueError(f"an object expected, got {type(document).__name__}")
            name = document.get("name", name)
            result = judge_case(document, today())
        except (ValueError, KeyError, TypeError) as error:
            unreadable = True
            _emit({"name": name, "verdict": "error", "error": f"line {number}: {error}"})
            continue
        _emit(result)
        if "expected" in document:
            wrong = result["verdict"] != document["expected"]
            failed |= wrong or ("paths" in document and sorted(result["paths"]) != sorted(document["paths"]))
        else:
            failed |= result["verdict"] == Verdict.MISMATCH
            inconclusive |= result["verdict"] == Verdict.INCONCLUSIVE
    return Exit.USAGE if unreadable else Exit.BROKEN if failed else Exit.INCONCLUSIVE if inconclusive else Exit.OK


def _emit(result: dict[str, Any]) -> None:
    typer.echo(orjson.dumps(result).decode())
