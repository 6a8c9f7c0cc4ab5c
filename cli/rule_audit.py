"""`paritygate rules audit`: what each rule and preset hides, out of how much, and what calls for somebody to act."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import typer

from cli.codes import Exit
from cli.console import cell, out, say, show, show_json, table
from cli.context import ConfigOption, JsonOption, load, now, rules_of, with_store
from differ.audit import Audited, alarms
from differ.audit import audit as audit_of
from differ.rule_use import RuleUsage
from rules.errors import RuleError
from settings.load import SettingsError
from settings.model import Settings

NO_DATA = "no data"
COLUMNS = ["rule or preset", "owner", "hits", "responses", "in scope", "rate", "hides alone", "last hit", "ends", "flags"]
MAX_PLACES = 5


def audit(config: ConfigOption = None, json: JsonOption = False) -> None:
    """What each rule and preset hid, out of how much. Exit 1 when one calls for somebody to act, 3 when nothing was judged yet.

    To act upon: dead, over_rate (more than its max_rate), expired, redundant, over_broad. expires_soon is a reminder.
    """
    settings = load(config)
    rule_set = rules_of(settings)
    at = now()
    usage = with_store(settings, lambda store: store.rule_usage())
    lines = audit_of(rule_set, usage, at)
    if json:
        show_json(audit_document(lines, usage, at))
    else:
        _print(lines)
    if any(flag.action for line in lines for flag in line.flags):
        raise typer.Exit(Exit.BROKEN)
    if lines and not usage.judged:
        say("nothing has been judged yet: whether a rule is used, and what it hides, is not known")
        raise typer.Exit(Exit.INCONCLUSIVE)


def raised_alarms(settings: Settings) -> list[Audited] | None:
    """The rules that suppress in more than their max_rate, None where the rule files cannot be read (said on stderr)."""
    try:
        rule_set = rules_of(settings)
    except (RuleError, SettingsError) as error:
        say(f"the rules cannot be read, their alarms are not known: {error}")
        return None
    if not any(rule.max_rate is not None for rule in rule_set.all_rules):
        return []
    usage = with_store(settings, lambda store: store.rule_usage())
    return alarms(audit_of(rule_set, usage, now()))


def alarm_documents(raised: list[Audited] | None) -> list[dict[str, Any]] | None:
    """Alarms as `status --json` prints them."""
    if raised is None:
        return None
    return [{"rule": line.name, "owner": line.owner, "text": _text(line, "over_rate")} for line in raised]


def alarm_lines(raised: list[Audited] | None) -> list[str]:
    """Alarms for people."""
    return [f"ALARM: {line.name} {_text(line, 'over_rate')}" for line in raised or ()]


def _text(line: Audited, kind: str) -> str:
    return next(flag.text for flag in line.flags if flag.kind == kind)


def _print(lines: list[Audited]) -> None:
    if not lines:
        show("no rules and no presets are configured")
        return
    made = table("", COLUMNS, {"hits", "responses", "in scope", "rate"})
    for line in lines:
        made.add_row(*(cell(text) for text in _cells(line)))
    out.print(made)
    for line in lines:
        if line.since is None:
            show(f"{line.name}: no shadow has loaded this version of it yet")
        for flag in line.flags:
            show(f"{line.name}: {flag.kind}: {flag.text}")
        for place in line.places[:MAX_PLACES]:
            where = " ".join(part for part in (place.aspect, place.path, place.kind, place.note and f"({place.note})") if part)
            show(f"{line.name}: hides {where} of {place.route}, {place.count} in the sample")


def _cells(line: Audited) -> list[str]:
    known = line.since is not None or line.responses > 0
    ends = "never" if line.expires is None else f"{line.expires} ({line.days_left} d)"
    return [
        line.name,
        line.owner or "-",
        f"{line.hits:,}" if known else NO_DATA,
        f"{line.responses:,}" if known else NO_DATA,
        f"{line.in_scope:,}" if line.in_scope is not None else NO_DATA,
        f"{line.rate:.2%}" if line.rate is not None else NO_DATA,
        alone_text(line),
        datetime.fromtimestamp(line.last_at, UTC).strftime("%Y-%m-%d %H:%M") if line.last_at else "-",
        ends if line.kind != "drop_query" else "-",
        ", ".join(sorted({flag.kind for flag in line.flags})) or "-",
    ]


def alone_text(line: Audited) -> str:
    """In how many answers it alone made the difference: as counted in the sample, and estimated for all."""
    if line.alone is None or line.alone_estimate is None:
        return NO_DATA
    return f"{line.alone} of {line.sampled} sampled, about {line.alone_estimate:,.0f} of all"


def audit_document(lines: list[Audited], usage: RuleUsage, at: float) -> dict[str, Any]:
    """The audit as `rules audit --json` prints it."""
    return {
        "version": 1,
        "as_of": at,
        "judged": sum(kind.count for kind in usage.judged),
        "rules": [_document(line) for line in lines],
        "dead": [line.name for line in lines if any(flag.kind == "dead" for flag in line.flags)],
        "hits": [
            {"rule": tally.rule, "route": tally.route, "count": tally.responses, "version": tally.version}
            for tally in sorted(usage.tallies, key=lambda tally: (-tally.responses, tally.rule, tally.route))
            if tally.responses
        ],
    }


def _document(line: Audited) -> dict[str, Any]:
    return {
        "name": line.name,
        "kind": line.kind,
        "version": line.version,
        "owner": line.owner,
        "reason": line.reason,
        "expires": line.expires.isoformat() if line.expires else None,
        "days_left": line.days_left,
        "since": line.since,
        "hits": line.hits,
        "responses": line.responses,
        "in_scope": line.in_scope,
        "rate": line.rate,
        "max_rate": line.max_rate,
        "matched": line.matched,
        "sampled": line.sampled,
        "alone": line.alone,
        "needed": line.needed,
        "alone_estimate": line.alone_estimate,
        "first_at": line.first_at,
        "last_at": line.last_at,
        "routes": [
            {"route": tally.route, "hits": tally.differences, "responses": tally.responses, "sampled": tally.sampled}
            for tally in line.routes
        ],
        "hides": [
            {
                "route": place.route,
                "aspect": place.aspect,
                "path": place.path,
                "kind": place.kind,
                "note": place.note,
                "count": place.count,
            }
            for place in line.places
        ],
        "examples": list(line.examples),
        "flags": [{"kind": flag.kind, "text": flag.text, "action": flag.action} for flag in line.flags],
    }
