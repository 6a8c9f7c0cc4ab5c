"""The tables of the pages. Whatever comes from traffic goes through `figures.cell` (data frames) or `figures.literal` (`st.table`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import figures
from dashboard.reads import RouteView
from gate.facts import Decision, GateVerdict
from store.records import AuditRow, ClusterRow, Example, RouteRow
from traffic.ledger import Ledger, ledger_document

_MOST_BLOCKED = 100


def _pick(rows: Sequence[Mapping[str, Any]], key: str, alt: str, columns: dict[str, Any] | None = None) -> int | None:
    """A data frame with one selectable row; the index of the selected one."""
    event = st.dataframe(
        list(rows),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        alt=alt,
        column_config=columns,
    )
    chosen = event["selection"]["rows"]
    return chosen[0] if chosen and chosen[0] < len(rows) else None


def totals(views: Sequence[RouteView], total: Ledger) -> None:
    """The head line: routes, gate verdicts, evidence and the ledger's health."""
    passing = sum(view.verdict.verdict == "pass" for view in views)
    failing = sum(view.verdict.verdict == "fail" for view in views)
    violations = total.violations()
    with st.container(horizontal=True):
        st.metric("Routes", f"{len(views):,}", border=True)
        st.metric("Gate passes", f"{passing:,}", border=True, help="Routes whose next step is open now.")
        st.metric("Gate fails", f"{failing:,}", border=True)
        st.metric("Requests seen", f"{total.seen:,}", border=True)
        st.metric("Compared", f"{total.compared:,}", border=True)
        st.metric("Mismatches", f"{total.verdicts.get('mismatch', 0):,}", border=True)
        st.metric("Candidate errors", f"{sum(total.candidate_error.values()):,}", border=True)
        st.metric("Ledger", "✗ does not add up" if violations else "✓ adds up", border=True)
    for violation in violations:
        st.error(figures.literal(f"Ledger: {violation}"))


def route_record(view: RouteView) -> dict[str, Any]:
    """One line of the parity table."""
    row, verdict = view.row, view.verdict
    counted = row.evidence.verdicts
    record: dict[str, Any] = {
        "Route": figures.cell(row.route),
        "State": figures.state_word(row.standing),
        "Gate": figures.gate_word(verdict.verdict),
        "Parity": figures.percent(figures.observed_parity(verdict)),
        "At least": figures.percent(1 - verdict.upper),
        "At most": figures.percent(1 - verdict.lower),
        "n": verdict.n,
        "k": verdict.k,
    }
    for name in ("match", "tolerated", "mismatch"):
        record[name.capitalize()] = counted.get(name, 0)
    record["Errors"] = row.evidence.candidate_errors
    record["Clusters"] = row.clusters
    record["Primary p50"] = row.primary_p50_ms
    record["Candidate p50"] = row.candidate_p50_ms
    for name in ("noise", "raced", "inconclusive", "cascade"):
        record[name.capitalize()] = counted.get(name, 0)
    record["Blocked by"] = figures.cell(figures.blockers(verdict))
    return record


def routes(views: Sequence[RouteView]) -> str | None:
    """The parity table; the route whose line was clicked."""
    latency = st.column_config.NumberColumn(format="%.1f ms")
    columns: dict[str, Any] = {
        "Route": st.column_config.TextColumn(pinned=True, width="medium"),
        "At least": st.column_config.TextColumn(help="Parity the evidence proves at the gate's alpha."),
        "At most": st.column_config.TextColumn(help="Parity the evidence does not yet rule out."),
        "n": st.column_config.NumberColumn(help="Closed evidence units."),
        "k": st.column_config.NumberColumn(help="Units with a mismatch or a candidate error."),
        "Tolerated": st.column_config.NumberColumn(help="Equal only because a rule or preset applied."),
        "Errors": st.column_config.NumberColumn(help="The candidate gave no complete answer."),
        "Primary p50": latency,
        "Candidate p50": latency,
        "Blocked by": st.column_config.TextColumn(width="large"),
    }
    at = _pick(
        [route_record(view) for view in views], "routes", "Parity of every route; select a row to open the route", columns
    )
    st.caption("Select a row to open the route.")
    return views[at].row.route if at is not None else None


def blocked(views: Sequence[RouteView]) -> None:
    """What each route still needs, readable by every assistive technology."""
    rows = [
        {
            "Route": figures.literal(view.row.route),
            "Gate": figures.gate_word(view.verdict.verdict),
            "Parity and bounds": figures.parity_text(view.verdict),
            "What is missing": figures.literal(figures.blockers(view.verdict)),
        }
        for view in views[:_MOST_BLOCKED]
    ]
    st.table(rows, border="horizontal", hide_index=True, alt="What blocks each route")
    if len(views) > _MOST_BLOCKED:
        st.caption(f"{len(views) - _MOST_BLOCKED} more routes are in the table above.")


def guards(verdict: GateVerdict) -> None:
    """Every guard with its figure, its threshold and what is missing."""
    rows = [
        {
            "Guard": figures.literal(guard.name),
            "Holds": figures.guard_word(guard.holds) + ("" if guard.blocking else " (advice only)"),
            "Figure": figures.literal(guard.figure),
            "Threshold": figures.literal(guard.threshold),
            "Missing": figures.literal(guard.missing),
        }
        for guard in verdict.guards
    ]
    st.table(rows, border="horizontal", hide_index=True, alt="The guards of the gate")


def latency(row: RouteRow) -> None:
    """Both sides' quantiles side by side."""
    rows = [
        {"Quantile": name, "Primary": figures.milliseconds(primary), "Candidate": figures.milliseconds(candidate)}
        for name, primary, candidate in (
            ("p50", row.primary_p50_ms, row.candidate_p50_ms),
            ("p95", row.primary_p95_ms, row.candidate_p95_ms),
        )
    ]
    st.table(rows, border="horizontal", hide_index=True, alt="Latency of both sides")


def clusters(rows: Sequence[ClusterRow], key: str) -> str | None:
    """Clusters, most frequent first; the id of the one whose line was clicked."""
    if not rows:
        st.text("No mismatches.")
        return None
    records = [
        {
            "Count": row.count,
            "Route": figures.cell(row.atom.route),
            "What": row.atom.aspect,
            "Where": figures.cell(row.atom.path),
            "Kind": figures.cell(f"{row.atom.kind} {row.atom.types}".strip()),
            "Status": row.atom.statuses,
            "Clients": row.clients,
            "First seen": figures.moment(row.first_seen),
            "Last seen": figures.moment(row.last_seen),
            "Detail": figures.cell(row.detail),
            "Id": row.id,
        }
        for row in rows
    ]
    at = _pick(records, key, "Clusters of mismatches; select a row to open it")
    st.caption("Select a row to see an example with both answers.")
    return rows[at].id if at is not None else None


def cluster(row: ClusterRow) -> None:
    """What is known of one cluster."""
    atom = row.atom
    st.code(f"{atom.route}\n{atom.aspect} {figures.visible(atom.path)}", language=None, wrap_lines=True)
    with st.container(horizontal=True):
        st.metric("Exchanges", f"{row.count:,}", border=True)
        st.metric("Clients", f"{row.clients:,}", border=True)
        st.metric("Kind", f"{atom.kind} {atom.types}".strip(), border=True)
        st.metric("Status primary/candidate", atom.statuses, border=True)
        st.metric("Last seen", figures.moment(row.last_seen), border=True)
    if row.detail:
        st.text(figures.visible(row.detail))


def differences(example: Example) -> None:
    """Where the answers differ, each place with both values."""
    rows = [
        {
            "What": difference.atom.aspect,
            "Where": figures.cell(difference.location or difference.atom.path),
            "Kind": figures.cell(f"{difference.atom.kind} {difference.atom.types}".strip()),
            "Primary": figures.cell(difference.primary),
            "Candidate": figures.cell(difference.candidate),
            "Note": figures.cell(difference.note),
        }
        for difference in example.differences
    ]
    st.dataframe(rows, hide_index=True, alt="Differences between the two answers")
    applied = ", ".join(figures.visible(name) for name in example.tolerated) or "none"
    st.text(f"Rules that applied: {applied}")


def ledger_health(total: Ledger) -> None:
    """Whether the sums hold, with the figures of each that does not."""
    violations = total.violations()
    if not violations:
        st.success("✓ The sums hold.")
    for violation in violations:
        st.error(figures.literal(violation))


def ledger_total(total: Ledger) -> None:
    """Every line of the ledger with its reasons, zeros left out."""
    document = ledger_document(total)
    rows = []
    for name, value in document.items():
        if isinstance(value, dict):
            rows.append({"Line": name, "Requests": f"{sum(value.values()):,}", "Reasons": figures.counts_text(value)})
        elif isinstance(value, int):
            rows.append({"Line": name, "Requests": f"{value:,}", "Reasons": ""})
    safe = [{**row, "Line": figures.literal(row["Line"]), "Reasons": figures.literal(row["Reasons"])} for row in rows]
    st.table(safe, border="horizontal", hide_index=True, alt="The ledger of all routes")


def ledgers(known: Mapping[str, Ledger]) -> None:
    """The ledger of each route."""
    rows = []
    for route, ledger in sorted(known.items()):
        rows.append(
            {
                "Route": figures.cell(route),
                "Adds up": "✗ no" if ledger.violations() else "✓ yes",
                "Seen": ledger.seen,
                "Primary": ledger.served_primary,
                "Candidate": ledger.served_candidate,
                "Refused": figures.counts_text(ledger.refused),
                "Mirrored": ledger.mirrored,
                "Skipped": figures.counts_text(ledger.skipped),
                "Open": ledger.open,
                "Pending": ledger.pending,
                "Compared": ledger.compared,
                "Candidate error": figures.counts_text(ledger.candidate_error),
                "Lost": figures.counts_text(ledger.lost),
                "Verdicts": figures.counts_text(ledger.verdicts),
            }
        )
    st.dataframe(rows, hide_index=True, alt="The ledger of each route")


def decisions(known: Sequence[Decision]) -> None:
    """What the proxies enforce."""
    if not known:
        st.text("No decision has been made: every route is answered by the primary.")
        return
    rows = [
        {
            "Route": figures.cell(decision.route),
            "State": str(decision.state),
            "Candidate's clients": figures.percent(decision.weight_bp / 10_000),
            "Number": decision.seq,
            "Since": figures.moment(decision.issued),
            "Lease until": figures.moment(decision.lease_until),
            "Actor": figures.cell(decision.actor),
            "Reason": figures.cell(decision.reason),
        }
        for decision in known
    ]
    st.dataframe(rows, hide_index=True, alt="Decisions in force")


def audit(links: Sequence[AuditRow]) -> None:
    """The audit chain."""
    if not links:
        st.text("Nothing has been changed yet.")
        return
    rows = [
        {
            "Number": link.seq,
            "At": figures.moment(link.at),
            "Actor": figures.cell(link.actor),
            "Action": link.action,
            "Route": figures.cell(link.route),
            "Before": figures.cell(link.before),
            "After": figures.cell(link.after),
            "Detail": figures.cell(link.detail),
            "Hash": link.hash[:16],
        }
        for link in sorted(links, key=lambda link: -link.seq)
    ]
    st.dataframe(rows, hide_index=True, alt="Audit chain, newest first")
