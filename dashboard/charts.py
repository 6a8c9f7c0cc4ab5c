"""The charts of the pages. Each has its figures in a table or text beside it; no label comes from a payload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import streamlit as st

from dashboard import figures
from dashboard.reads import RouteView
from gate.facts import Evidence
from store.records import TallyRow
from store.tallies import MINUTE

_MOST_ROUTES = 30


def _data(rows: Sequence[Mapping[str, object]]) -> Any:
    return alt.Data(values=list(rows))  # type: ignore[no-untyped-call]  # Altair's schema classes have no annotations


def parity(views: Sequence[RouteView]) -> None:
    """Parity of each route with the bounds its evidence allows, and the line it has to clear."""
    measured = sorted((view for view in views if view.verdict.n), key=lambda view: -view.verdict.n)[:_MOST_ROUTES]
    if not measured:
        return
    st.subheader("Parity and its bounds")
    rows = [
        {
            "Route": figures.cell(view.row.route),
            "lower": 1 - view.verdict.upper,
            "upper": 1 - view.verdict.lower,
            "Parity": figures.observed_parity(view.verdict),
            "Gate": figures.gate_word(view.verdict.verdict),
            "Needed": view.verdict.parity,
        }
        for view in measured
    ]
    floor = min(float(row["lower"] or 0.0) for row in rows)
    scale = alt.Scale(domain=[max(0.0, min(floor, 0.99) - 0.01), 1.0])
    base = alt.Chart(_data(rows)).encode(y=alt.Y("Route:N", sort=None, title=None, axis=alt.Axis(labelLimit=320)))
    spread = base.mark_rule(strokeWidth=3, opacity=0.45, color="#5b6b7b").encode(
        x=alt.X("lower:Q", scale=scale, title="parity", axis=alt.Axis(format="%")), x2="upper:Q"
    )
    points = base.mark_point(filled=True, size=110).encode(
        x=alt.X("Parity:Q", scale=scale),
        shape=alt.Shape("Gate:N", title="gate", scale=alt.Scale(domain=list(_GATES), range=["circle", "cross", "diamond"])),
        color=alt.Color("Gate:N", title="gate", scale=alt.Scale(domain=list(_GATES), range=["#2f7d4f", "#c0392b", "#b7950b"])),
    )
    needed = alt.Chart(_data(rows[:1])).mark_rule(strokeDash=[4, 4], color="#1f6feb").encode(x=alt.X("Needed:Q", scale=scale))
    chart = alt.layer(spread, points, needed).properties(height=max(120, 30 * len(rows)))
    st.altair_chart(
        chart, width="stretch", alt="Parity of each route with its bounds; the dashed line is the parity that is needed"
    )
    if len(views) > len(measured):
        st.caption(f"The {len(measured)} routes with the most evidence; the table has all.")


_GATES = ("✓ pass", "✗ fail", "… undecided")


def verdicts(rows: Sequence[TallyRow], evidence: Evidence, step_s: int) -> None:
    """Verdicts per minute or hour, and their sums in words."""
    points = figures.tally_points(rows, step_s)
    per = "minute" if step_s == MINUTE else "hour"
    if not points:
        st.text("No exchange was compared in this time.")
    else:
        order = list(figures.VERDICTS)
        chart = (
            alt.Chart(_data(points))
            .mark_bar()
            .encode(
                x=alt.X(
                    "time:T",
                    title=None,
                    timeUnit="utcyearmonthdatehoursminutes" if step_s == MINUTE else "utcyearmonthdatehours",
                ),
                y=alt.Y("sum(exchanges):Q", title=f"exchanges per {per}"),
                color=alt.Color("verdict:N", title=None, scale=alt.Scale(domain=order, range=list(figures.VERDICT_COLOURS))),
                tooltip=["time:T", "verdict:N", "exchanges:Q"],
            )
            .properties(height=260)
        )
        st.altair_chart(chart, width="stretch", alt=f"Verdicts per {per}")
    st.text(
        f"In this epoch: {figures.counts_text(evidence.verdicts) or 'nothing compared'}; candidate errors {evidence.candidate_errors}"
    )
