"""The tables of the Rules page. What comes from traffic or from files goes through `figures.cell` or `figures.literal`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import figures
from differ.audit import Audited, alarms

NO_DATA = "no data"
_MOST_EXAMPLES = 5


def alarms_of(lines: Sequence[Audited]) -> None:
    """A warning for each rule that suppresses in more than its `max_rate`."""
    for line in alarms(lines):
        text = next(flag.text for flag in line.flags if flag.kind == "over_rate")
        st.warning(figures.literal(f"✗ Rule {line.name} {text}"))


def flags(lines: Sequence[Audited]) -> None:
    """What stands out, one line each: what calls for somebody to act before what is a reminder."""
    found = [(line, flag) for line in lines for flag in line.flags]
    if not found:
        st.success("✓ Nothing calls for anybody to act.")
        return
    rows = [
        {
            "Rule": figures.literal(line.name),
            "Flag": ("✗ " if flag.action else "… ") + figures.literal(flag.kind.replace("_", " ")),
            "Why": figures.literal(flag.text),
            "Owner": figures.literal(line.owner or "-"),
        }
        for line, flag in sorted(found, key=lambda pair: (not pair[1].action, pair[0].name))
    ]
    st.table(rows, border="horizontal", hide_index=True, alt="Rules that stand out")


def rules(lines: Sequence[Audited]) -> str | None:
    """Every rule and preset with its figures; the name of the one whose line was clicked."""
    if not lines:
        st.text("No rules and no presets are configured.")
        return None
    event = st.dataframe(
        [_record(line) for line in lines],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="rules",
        alt="Rules and presets; select a row to see what it hides",
        column_config={
            "Hits": st.column_config.NumberColumn(help="Differences it explained."),
            "Responses": st.column_config.NumberColumn(help="Answers in which it explained something."),
            "In scope": st.column_config.NumberColumn(help="Answers judged that the rule is about."),
            "Rate": st.column_config.TextColumn(help="The share of the answers in scope in which it applied."),
            "Hides alone": st.column_config.TextColumn(
                help="Sampled answers that are mismatches without it, of those it was left out for; then the estimate for all."
            ),
        },
    )
    st.caption("Select a row to see what the rule hides.")
    chosen = event["selection"]["rows"]
    return lines[chosen[0]].name if chosen and chosen[0] < len(lines) else None


def _record(line: Audited) -> dict[str, Any]:
    loaded = line.since is not None or line.responses > 0
    alone = NO_DATA
    if line.alone is not None and line.alone_estimate is not None:
        alone = f"{line.alone} of {line.sampled}, about {line.alone_estimate:,.0f} of all"
    return {
        "Rule": figures.cell(line.name),
        "Kind": line.kind,
        "Owner": figures.cell(line.owner or "-"),
        "Flags": ", ".join(sorted({flag.kind for flag in line.flags})),
        "Hits": line.hits if loaded else None,
        "Responses": line.responses if loaded else None,
        "In scope": line.in_scope,
        "Rate": figures.percent(line.rate) if line.rate is not None else NO_DATA,
        "Limit": figures.percent(line.max_rate) if line.max_rate is not None else "-",
        "Hides alone": alone,
        "First hit": figures.moment(line.first_at),
        "Last hit": figures.moment(line.last_at),
        "Ends": str(line.expires) if line.expires else "-",
        "Days left": line.days_left,
        "Reason": figures.cell(line.reason),
    }


def places(line: Audited) -> None:
    """Where a rule hides something, as far as the sample showed it."""
    if not line.places:
        st.text("The sample has not shown anything yet that this rule hides." if not line.sampled else "Nothing came back.")
        return
    rows = [
        {
            "Count": place.count,
            "Route": figures.cell(place.route),
            "What": figures.cell(place.aspect),
            "Where": figures.cell(place.path),
            "Kind": figures.cell(place.kind),
            "Note": figures.cell(place.note),
        }
        for place in line.places
    ]
    st.dataframe(rows, hide_index=True, alt="What the rule hides, in the sample")


def example_ids(line: Audited) -> list[str]:
    """The examples to offer, newest first."""
    return list(line.examples[:_MOST_EXAMPLES])
