"""`paritygate rules test` and `rules explain`: stored answers judged again. Nothing is sent and nothing stored is changed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.codes import CommandError, Exit
from cli.console import cell, out, show, show_json, table
from cli.context import ConfigOption, JsonOption, load, rules_of, today, with_store
from cli.rule_lint import read_rules
from cli.stored_answers import plain, read_stored
from differ.left_out import Examined, examine
from rules.model import RuleSet
from rules.narrower import Found, StoredPair
from rules.subset import Subsets
from store.database import Store
from store.records import Example
from traffic.message import Failure

Change = tuple[str, str, str, str]
"""Route, aspect, generalised path, kind and types."""


def try_rules(
    files: Annotated[list[Path], typer.Argument(help="The rule files to try in place of the configured ones.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Judge the stored examples under other rules: which differences would be hidden, which would come back.

    Exit 0 when it was done, 3 when there is no stored example to judge.
    """
    settings = load(config)
    now, then = rules_of(settings), read_rules(files)
    stored = read_stored(settings, now, today())
    if stored.trouble:
        raise CommandError(f"the stored answers cannot be read: {stored.trouble}", Exit.UNREACHABLE)
    hidden, back, judged = _changes(stored.pairs, now, then)
    if json:
        show_json({"judged": judged, "hidden": _rows(hidden), "back": _rows(back)})
    else:
        _print("would be hidden", hidden)
        _print("would come back", back)
        show(f"{judged} stored pairs judged again: {len(hidden)} kinds of differences hidden, {len(back)} back")
    raise typer.Exit(Exit.OK if judged else Exit.INCONCLUSIVE)


def _changes(pairs: list[StoredPair], now: RuleSet, then: RuleSet) -> tuple[Counter[Change], Counter[Change], int]:
    """In how many pairs each difference is hidden or back; pairs of which that cannot be said are left out."""
    hidden, back, judged = Counter[Change](), Counter[Change](), 0
    for pair in pairs:
        before, after = pair.judged(now), pair.judged(then)
        if before is None or after is None:
            continue
        judged += 1
        hidden.update(_kinds(pair, before - after) - _kinds(pair, after))
        back.update(_kinds(pair, after - before) - _kinds(pair, before))
    return hidden, back, judged


def _kinds(pair: StoredPair, found: frozenset[Found]) -> set[Change]:
    return {(pair.route, aspect, path, kind.strip()) for aspect, path, kind, _ in found}


def _rows(changes: Counter[Change]) -> list[dict[str, Any]]:
    return [
        {"route": route, "aspect": aspect, "path": path, "kind": kind, "pairs": count}
        for (route, aspect, path, kind), count in sorted(changes.items(), key=lambda item: (-item[1], item[0]))
    ]


def _print(title: str, changes: Counter[Change]) -> None:
    if not changes:
        return
    made = table(title, ["route", "aspect", "where", "kind", "pairs"], {"pairs"})
    for row in _rows(changes):
        made.add_row(*(cell(row[key]) for key in ("route", "aspect", "path", "kind", "pairs")))
    out.print(made)


def explain_rules(
    name: Annotated[str, typer.Argument(metavar="ID", help="The id of an example or of a cluster.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Tell which rules decide about one stored example now: what each one hides, and what none of them explains."""

    async def find(store: Store) -> Example | None:
        found = await store.example(name)
        return found or next(iter(await store.examples(name)), None)

    settings = load(config)
    example = with_store(settings, find)
    if example is None:
        raise CommandError(f"{name}: no example has this id; `paritygate mismatches` lists them", Exit.USAGE)
    if isinstance(example.primary, Failure) or isinstance(example.candidate, Failure):
        raise CommandError(
            f"{name}: one side gave no answer, so no rule was asked; `paritygate show {name}` tells why", Exit.USAGE
        )
    build = settings.candidate.build_header
    examined = examine(
        example.request,
        example.route,
        plain(example.primary),
        plain(example.candidate),
        Subsets(rules_of(settings)),
        today(),
        identity_headers=frozenset({build.lower()} if build else ()),
    )
    if json:
        show_json(_document(example, examined))
        return
    show(f"{example.id}  {example.route}: {examined.judgement.verdict.value} under the configured rules")
    made = table("rules that apply", ["rule or preset", "hides", "without it"])
    for entry in examined.hidden:
        places = (
            ", ".join(dict.fromkeys(item.shown_path for item in entry.differences)) or "(nothing that no other rule explains)"
        )
        made.add_row(cell(entry.rule), cell(places), cell(entry.verdict_without.value))
    if examined.hidden:
        out.print(made)
    others = sorted(examined.matching - {entry.rule for entry in examined.hidden})
    if others:
        show("would explain something too: " + ", ".join(others))
    for item in examined.judgement.differences:
        note = f"  ({item.note})" if item.note else ""
        show(f"no rule explains {item.atom.aspect} {item.location or item.atom.path}: {item.atom.kind}{note}")


def _document(example: Example, examined: Examined) -> dict[str, Any]:
    return {
        "id": example.id,
        "route": example.route,
        "verdict": examined.judgement.verdict,
        "rules": [
            {
                "rule": entry.rule,
                "verdict_without": entry.verdict_without,
                "alone": entry.alone,
                "hides": sorted({item.shown_path for item in entry.differences}),
            }
            for entry in examined.hidden
        ],
        "matching": sorted(examined.matching),
        "unexplained": [
            {"aspect": item.atom.aspect, "path": item.shown_path, "kind": item.atom.kind, "note": item.note}
            for item in examined.judgement.differences
        ],
    }
