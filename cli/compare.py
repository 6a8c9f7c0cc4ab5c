"""`paritygate compare A B` and `compare --cases F.jsonl`: the differ on stored answers, without any server."""

from __future__ import annotations

import json as json_lines
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cli.codes import CommandError, Exit
from cli.console import show, show_json
from cli.context import ConfigOption, JsonOption, today
from cli.rule_lint import read_rules
from differ.cases import judge_case
from differ.decode import decoded_body
from differ.explain import explain as explain_bodies
from differ.judge import judge
from differ.message_file import parse_response
from rules.load import EMPTY, rules_from_case
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
    explain: Annotated[
        bool, typer.Option("--explain", help="Also tell each unequal part of the bodies, without any rule.")
    ] = False,
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
    answers = _answer(primary), _answer(candidate)
    judgement = judge(
        Request(method.upper(), path.encode("utf-8")),
        f"{method.upper()} {path.partition('?')[0]}",
        *answers,
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
                    "location": item.location,
                    "kind": item.atom.kind,
                    "types": item.atom.types,
                    "primary": item.primary,
                    "candidate": item.candidate,
                    "note": item.note,
                }
                for item in judgement.differences
            ],
            "truncated": judgement.truncated,
        }
        if explain:
            document["explanation"] = _explained(answers)
        show_json(document)
    else:
        show(judgement.verdict + (f": {judgement.reason}" if judgement.reason else ""))
        for item in judgement.differences:
            where = f"{item.atom.aspect} {item.location or item.atom.path}"
            note = f"  ({item.note})" if item.note else ""
            show(f"  {where}: {item.atom.kind}: {_shown(item.primary)} -> {_shown(item.candidate)}{note}")
        if judgement.tolerated:
            show("  tolerated by: " + ", ".join(judgement.tolerated))
        if judgement.truncated:
            show("  ... and more: raise `limits.diffs` or `limits.nodes` in a rule file to see them")
        if explain:
            show(_explained(answers))
    raise typer.Exit(CODES.get(judgement.verdict, Exit.OK))


def _explained(answers: tuple[Response, Response]) -> str:
    """What differs in the bodies as they are, rules left aside."""
    bodies = [decoded_body(answer, EMPTY.limits.body) for answer in answers]
    if bodies[0] is None or bodies[1] is None:
        return "A body cannot be decoded: its content coding is unknown, cut short or too large."
    return explain_bodies(bodies[0], bodies[1])


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
    made = read_rules(paths)
    asked = rules_from_case({"presets": presets})
    known = {use.name for use in made.presets}
    return replace(
        made,
        presets=(*made.presets, *(use for use in asked.presets if use.name not in known)),
        preset_rules=(*made.preset_rules, *(rule for rule in asked.preset_rules if rule.preset not in known)),
    )


def _judge_cases(path: Path) -> Exit:
    unreadable = failed = inconclusive = False
    for number, line in enumerate(_read(path).splitlines(), 1):
        if not line.strip():
            continue
        name: Any = f"line {number}"
        try:
            document = _parsed(line)
            if not isinstance(document, dict):
                raise ValueError(f"an object expected, got {type(document).__name__}")
            name = document.get("name", name)
            result = judge_case(document, today())
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            unreadable = True
            _emit({"name": name, "verdict": "error", "error": f"line {number}: {error}"})
            continue
        if result["verdict"] == "error":
            unreadable = True
            _emit({**result, "name": name, "error": f"line {number}: {result.get('error', 'unreadable')}"})
            continue
        _emit(result)
        if "expected" in document:
            wrong = result["verdict"] != document["expected"]
            failed |= wrong or ("paths" in document and sorted(result["paths"]) != sorted(document["paths"]))
        else:
            failed |= result["verdict"] == Verdict.MISMATCH
            inconclusive |= result["verdict"] == Verdict.INCONCLUSIVE
    return Exit.USAGE if unreadable else Exit.BROKEN if failed else Exit.INCONCLUSIVE if inconclusive else Exit.OK


def _parsed(line: bytes) -> Any:
    """One line as JSON. A body may hold what the fast parser refuses and the standard one reads: a lone surrogate."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            return json_lines.loads(line.decode("utf-8"))
        except RecursionError as error:
            raise ValueError("nested too deep") from error


def _emit(result: dict[str, Any]) -> None:
    typer.echo(orjson.dumps(result).decode())
