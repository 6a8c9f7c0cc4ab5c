"""`paritygate status`: the ledger, the health of each part, the alarms of rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import typer

from cli.codes import Exit
from cli.console import cell, out, say, show, show_json, table
from cli.context import ConfigOption, JsonOption, load, now, with_store
from cli.rule_audit import alarm_documents, alarm_lines, raised_alarms
from settings.admin_token import admin_headers
from settings.load import SettingsError
from settings.model import Settings
from store.database import Store
from store.openings import OpeningsError, openings_in, read_openings
from store.records import Batch
from traffic.ledger import Ledger, ledger_document

PROBE_DEADLINE = 2.0


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("status")(status)


def status(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Print the ledger per route and in total, the health of each part and the alarms of rules.

    Exit 1 when an equation does not hold.
    """
    settings = load(config)
    health = part_health(settings)
    ledgers = with_store(settings, lambda store: current_ledgers(store, settings))
    total = sum(ledgers.values(), Ledger())
    raised = raised_alarms(settings)
    if json:
        show_json(
            {
                "version": 1,
                "as_of": now(),
                "parts": health,
                "alarms": alarm_documents(raised),
                "total": ledger_document(total),
                "routes": {route: ledger_document(ledger) for route, ledger in sorted(ledgers.items())},
            }
        )
    else:
        _print(health, ledgers, total)
        for line in alarm_lines(raised):
            show(line)
    raise typer.Exit(Exit.BROKEN if total.violations() else Exit.OK)


async def current_ledgers(store: Store, settings: Settings) -> dict[str, Ledger]:
    """The ledgers as of now: this machine's opening counters are read from shared memory first, so that a dead shadow hides nothing.

    Those of dead proxies are read as they are: what they had open stays open until a shadow closes their books.
    """
    openings = []
    for path in openings_in(settings.state_dir):
        try:
            openings.append(replace(read_openings(path)[0], closed=False))
        except OpeningsError as error:
            if path.exists():  # else the shadow has just closed these books
                say(f"warning: {error}")
    if openings:
        await store.write(Batch(openings=tuple(openings)), settings.store.keep_examples)
    return await store.ledgers()


def part_health(settings: Settings) -> dict[str, str]:
    """`up` or why not, for each part of this machine."""
    probes = {
        "proxy": f"http://{settings.proxy.admin}/readyz",
        "dashboard": f"http://{settings.dashboard.listen}/_stcore/health",
    }
    found = {name: _probe(url) for name, url in probes.items()}
    found["decisions"] = _unsigned(settings)
    found["shadow"] = "up" if settings.channel_path.exists() else "down: no channel"
    return found


def _unsigned(settings: Settings) -> str:
    """Whether the proxy enforces what it was told: a decision that another key signed is believed by nobody but its author."""
    try:
        headers = admin_headers(settings)
        answer = httpx.get(f"http://{settings.proxy.admin}/decisions", headers=headers, timeout=PROBE_DEADLINE, trust_env=False)
        unsigned = sorted(answer.json().get("unsigned", {}))
    except SettingsError as error:
        return f"unknown: {error}"
    except (httpx.HTTPError, ValueError, AttributeError):
        return "unknown"
    return "enforced" if not unsigned else f"NOT ENFORCED, signed by another key: {', '.join(unsigned)}"


def _probe(url: str) -> str:
    try:
        answer = httpx.get(url, timeout=PROBE_DEADLINE, trust_env=False)
    except httpx.HTTPError as error:
        return f"down: {type(error).__name__}"
    return "up" if answer.is_success else f"not ready: HTTP {answer.status_code}"


def _print(health: dict[str, str], ledgers: dict[str, Ledger], total: Ledger) -> None:
    for name, state in health.items():
        show(f"{name}: {state}")
    figures = ["seen", "open", "pending", "mirrored", "skipped", "compared", "errors", "lost"]
    made = table("", ["route", *figures], right=set(figures))
    for route, ledger in [*sorted(ledgers.items()), ("total", total)]:
        made.add_row(cell(route), *(cell(value) for value in _figures(ledger)))
    out.print(made)
    for label, reasons in (("refused", total.refused), ("skipped", total.skipped), ("lost", total.lost)):
        for reason, count in sorted(reasons.items()):
            show(f"{label}({reason}): {count}")
    for sentence in total.violations():
        show(f"VIOLATION: {sentence}")


def _figures(ledger: Ledger) -> list[Any]:
    return [
        ledger.seen,
        ledger.open,
        ledger.pending,
        ledger.mirrored,
        sum(ledger.skipped.values()),
        ledger.compared,
        sum(ledger.candidate_error.values()),
        sum(ledger.lost.values()),
    ]
