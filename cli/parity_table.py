"""The parity table: one line per route, for terminals and as JSON. Every number comes from the store or the gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.console import cell, table
from gate.evaluate import evaluate
from gate.facts import GateVerdict
from gate.policies import ByRoute
from store.records import RouteRow
from traffic.ledger import ledger_document
from traffic.outcome import Verdict

WIDE_ENOUGH = 150
"""Below this many columns a terminal would fold every cell of the whole table: fewer columns are shown then."""
NARROW = {"route", "gate", "parity", "n", "k", "mismatch"}
WORDS = {"pass": ("PASS", "green"), "fail": ("FAIL", "red"), "undecided": ("undecided", "yellow")}
COLUMNS = [
    "route",
    "state",
    "gate",
    "parity",
    "n",
    "k",
    "match",
    "tolerated",
    "mismatch",
    "other",
    "errors",
    "clusters",
    "p50 old/new",
]


def judged_rows(rows: Sequence[RouteRow], policies: ByRoute, now: float) -> list[tuple[RouteRow, GateVerdict]]:
    """Each route with the gate's verdict, worst first, then by traffic."""
    order = {"fail": 0, "undecided": 1, "pass": 2}
    judged = [(row, evaluate(row.evidence, row.standing, policies.of(row.route), now)) for row in rows]
    return sorted(judged, key=lambda pair: (order[pair[1].verdict], -pair[0].ledger.seen, pair[0].route))


def parity_table(judged: Sequence[tuple[RouteRow, GateVerdict]], width: int) -> Table:
    """The table for people; words carry the meaning, colour only repeats it. `width` is the terminal's."""
    shown = [name for name in COLUMNS if width >= WIDE_ENOUGH or name in NARROW]
    made = table("", shown, right=set(shown) & set(COLUMNS[3:]))
    made.columns[0].ratio = 1 if width < WIDE_ENOUGH else None
    for row, verdict in judged:
        cells = dict(zip(COLUMNS, _cells(row, verdict), strict=True))
        made.add_row(*(cells[name] for name in shown))
    return made


def _cells(row: RouteRow, verdict: GateVerdict) -> list[Text]:
    word, colour = WORDS[verdict.verdict]
    verdicts = row.ledger.verdicts
    other = sum(verdicts.get(name, 0) for name in (Verdict.NOISE, Verdict.RACED, Verdict.INCONCLUSIVE, Verdict.CASCADE))
    mismatches = verdicts.get(Verdict.MISMATCH, 0)
    return [
        cell(row.route),
        cell(row.standing.state),
        cell(word, colour),
        cell(parity_text(verdict)),
        cell(verdict.n),
        cell(verdict.k),
        cell(verdicts.get(Verdict.MATCH, 0)),
        cell(verdicts.get(Verdict.TOLERATED, 0)),
        cell(mismatches, "red" if mismatches else ""),
        cell(other),
        cell(sum(row.ledger.candidate_error.values())),
        cell(row.clusters, "red" if row.clusters else ""),
        cell(f"{milliseconds(row.primary_p50_ms)}/{milliseconds(row.candidate_p50_ms)}"),
    ]


def parity_text(verdict: GateVerdict) -> str:
    """The bounds of the parity rate in percent; a dash while there is no evidence."""
    if verdict.n == 0:
        return "-"
    return f"{100 * (1 - verdict.upper):.2f}..{100 * (1 - verdict.lower):.2f} %"


def milliseconds(value: float | None) -> str:
    """A latency for people; `-` when it is not known."""
    return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def route_document(row: RouteRow, verdict: GateVerdict) -> dict[str, Any]:
    """One route as `routes --json` prints it."""
    return {
        "route": row.route,
        "state": row.standing.state.value,
        "weight": row.standing.weight_bp / 10_000,
        "gate": verdict.verdict,
        "reasons": list(verdict.reasons),
        "n": verdict.n,
        "k": verdict.k,
        "parity_asked": verdict.parity,
        "mismatch_lower": verdict.lower,
        "mismatch_upper": verdict.upper,
        "clean_needed": verdict.clean_needed,
        "ledger": ledger_document(row.ledger),
        "clusters": row.clusters,
        "tolerated_by": row.tolerated,
        "latency_ms": {
            "primary": {"p50": row.primary_p50_ms, "p95": row.primary_p95_ms},
            "candidate": {"p50": row.candidate_p50_ms, "p95": row.candidate_p95_ms},
        },
    }
