"""What each rule and preset hides, out of how much, and which of them call for somebody to act."""

import streamlit as st

from dashboard import answers, rule_tables, tables
from dashboard.figures import moment, visible
from dashboard.reads import example, rule_lines

st.title("Rules")
st.caption(
    "What a rule explains is counted as tolerated. On a sample each rule is left out in turn: what comes back is what it hides. "
    "No data is never shown as none."
)
lines = rule_lines()
rule_tables.flags(lines)
st.subheader("Rules and presets")
picked = rule_tables.rules(lines)
if picked is not None:
    st.query_params["rule"] = picked
chosen = next((line for line in lines if line.name == st.query_params.get("rule", "")), None)
if chosen is None:
    st.stop()
st.subheader("What it hides")
st.code(visible(chosen.name), language=None)
rule_tables.places(chosen)
known = rule_tables.example_ids(chosen)
if not known:
    st.stop()
number = 1
if len(known) > 1:
    number = st.segmented_control("Example", list(range(1, len(known) + 1)), default=1, key="rule_example", required=True) or 1
shown = example(known[number - 1])
if shown is None:
    st.info("This example is no longer kept.")
    st.stop()
st.text(f"Example {number} of {len(known)}, {moment(shown.at)}, redacted before it was stored")
tables.differences(shown)
answers.show(shown)
