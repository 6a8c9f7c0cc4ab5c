"""How figures are written. Pure formatting: no Streamlit, no clock, no store. Words and signs always stand beside colours."""

from __future__ import annotations

import json
import math
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from export.body_files import indented_json
from gate.facts import GateVerdict, RouteStanding, State
from store.records import TallyRow
from traffic.message import Answer, Failure, Headers, Request

VERDICTS = ("match", "tolerated", "mismatch", "candidate_error", "noise", "raced", "inconclusive", "cascade")
VERDICT_COLOURS = ("#2f7d4f", "#86b8a0", "#c0392b", "#7b241c", "#b7950b", "#8e7cc3", "#7f8c8d", "#b08968")
_GATE_WORDS = {"pass": "✓ pass", "fail": "✗ fail", "undecided": "… undecided"}
_STATE_WORDS = {
    State.OFF: "○ off",
    State.SHADOW: "◐ shadow",
    State.CANARY: "◑ canary",
    State.CUTOVER: "● cutover",
    State.ROLLED_BACK: "↩ rolled back",
    State.RETIRED: "■ retired",
}
_SHOWN_BODY = 20_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def gate_word(verdict: str) -> str:
    """The gate's verdict as a sign and a word."""
    return _GATE_WORDS.get(verdict, verdict)


def guard_word(holds: bool | None) -> str:
    """A guard's state as a sign and a word; too little data is never shown as holding."""
    return "… too little data" if holds is None else ("✓ holds" if holds else "✗ does not hold")


def state_word(standing: RouteStanding) -> str:
    """A route's state, with the share of clients the candidate serves and whether a person has to act."""
    text = _STATE_WORDS.get(standing.state, str(standing.state))
    if standing.weight_bp:
        text += f" {standing.weight_bp / 100:g} %"
    marks = [word for word, on in (("frozen", standing.frozen), ("locked", standing.locked)) if on]
    return f"{text} ({', '.join(marks)})" if marks else text


def percent(share: float | None, digits: int = 2) -> str:
    """A share of 1 in per cent. Never rounds something short of 100 % up to it, nor something above 0 down to it."""
    if share is None or math.isnan(share):
        return "-"
    value = share * 100
    step = 10.0**-digits
    if value < 100 and round(value, digits) >= 100:
        value = 100 - step
    elif value > 0 and round(value, digits) <= 0:
        return f"< {step:.{digits}f} %"
    return f"{value:.{digits}f} %"


def observed_parity(verdict: GateVerdict) -> float | None:
    """1 - k/n, None before the first unit."""
    return 1 - verdict.k / verdict.n if verdict.n else None


def parity_text(verdict: GateVerdict) -> str:
    """Observed parity and the bounds the evidence allows, e.g. `99.80 % (98.10 % to 99.99 %)`."""
    return f"{percent(observed_parity(verdict))} ({percent(1 - verdict.upper)} to {percent(1 - verdict.lower)})"


def milliseconds(value: float | None) -> str:
    """A latency; `-` where nothing was measured."""
    if value is None:
        return "-"
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def moment(at: float | None) -> str:
    """Unix seconds as UTC; `-` where there is none."""
    if not at:
        return "-"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def visible(text: str) -> str:
    """Text from outside with control, bidi and invisible characters spelt out, so that it reads as what it is."""
    return "".join(
        char if char == "\n" or (char.isprintable() and unicodedata.category(char)[0] != "C") else _spelt(char) for char in text
    )


def _spelt(char: str) -> str:
    if char == "\t":
        return "    "
    return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"


def cell(text: str | None) -> str:
    """Text from outside as a table's cell: visible, one line, and no formula when the table is saved as CSV."""
    if text is None:
        return "(absent)"
    shown = visible(text).replace("\n", "\\n")
    return f"'{shown}" if text.startswith(_FORMULA) else shown


def literal(text: str) -> str:
    """Text for a place that Streamlit reads as Markdown (labels, `st.table`, captions): every sign escaped, nothing is formatted."""
    shown = visible(text).replace("\n", " ")
    return "".join(f"\\{char}" if char.isascii() and not char.isalnum() and char not in " " else char for char in shown)


def counts_text(counts: Mapping[str, int]) -> str:
    """Counts by reason, largest first; empty when there are none."""
    ordered = sorted(((count, name) for name, count in counts.items() if count), reverse=True)
    return ", ".join(f"{name} {count}" for count, name in ordered)


def blockers(verdict: GateVerdict) -> str:
    """What stands in the way of the next step, as one line; empty when the gate passes."""
    return "" if verdict.verdict == "pass" else "; ".join(verdict.reasons)


def header_lines(headers: Headers) -> str:
    """Raw headers, one a line."""
    return visible("\n".join(f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in headers))


def request_text(request: Request) -> str:
    """A request as it went over the wire, its body cut for the page."""
    first = f"{request.method} {visible(request.target.decode('latin-1'))}"
    return "\n".join(
        part for part in (first, header_lines(request.headers), "", body_text(request.body)) if part or part == ""
    ).rstrip()


def answer_head(answer: Answer) -> str:
    """Status line and headers of an answer, or why there is none."""
    if isinstance(answer, Failure):
        return f"no complete answer: {answer.reason} {visible(answer.detail)}".rstrip()
    return f"status {answer.status}{' (cut)' if answer.truncated else ''}\n{header_lines(answer.headers)}"


def answer_body(answer: Answer) -> tuple[str, str | None]:
    """A body for `st.code` and its language: JSON indented, text as it is, bytes as a hex dump; cut for the page."""
    if isinstance(answer, Failure):
        return "", None
    try:
        if isinstance(json.loads(answer.body), dict | list):
            return _cut(visible(indented_json(answer.body.decode("utf-8")).decode("utf-8").rstrip("\n"))), "json"
    except (ValueError, RecursionError):
        pass
    return body_text(answer.body), None


def body_text(body: bytes) -> str:
    """A body as text, or as a hex dump where it is none."""
    try:
        return _cut(visible(body.decode("utf-8")))
    except UnicodeDecodeError:
        lines = [f"{at:06x}  {body[at : at + 16].hex(' ')}" for at in range(0, min(len(body), 1024), 16)]
        return "\n".join([f"{len(body)} bytes, not text", *lines])


def _cut(text: str) -> str:
    if len(text) <= _SHOWN_BODY:
        return text
    return f"{text[:_SHOWN_BODY]}\n... {len(text) - _SHOWN_BODY} more characters; the export holds all of it"


def tally_points(rows: Iterable[TallyRow], step_s: int) -> list[dict[str, object]]:
    """Verdicts over time as one record per step of `step_s` seconds and verdict, for a chart. Longer rows are in their first step."""
    sums: dict[tuple[int, str], int] = defaultdict(int)
    for row in rows:
        for verdict in VERDICTS:
            if row.verdicts.get(verdict):
                sums[row.at // step_s * step_s, verdict] += row.verdicts[verdict]
    return [
        {"time": datetime.fromtimestamp(at, UTC).isoformat(), "verdict": verdict, "exchanges": count}
        for (at, verdict), count in sums.items()
    ]
