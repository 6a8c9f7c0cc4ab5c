"""One route: the gate guard by guard, verdicts over time, clusters, latency, and the controls of its cutover."""

import time

import streamlit as st

from dashboard import charts, cutover_controls, tables
from dashboard.figures import gate_word, moment, parity_text, state_word
from dashboard.reads import clusters, route_names, route_view, tallies
from dashboard.session import REFRESH_S
from store.tallies import HOUR, MINUTE

WINDOWS = {"last hour": 3600, "last day": 86400, "last week": 7 * 86400}

st.title("Route")
chosen = st.selectbox(
    "Route",
    route_names(),
    index=None,
    key="route",
    bind="query-params",
    placeholder="Choose a route",
    label_visibility="collapsed",
)
if chosen is None:
    st.info("Choose a route to see its gate, its verdicts and its controls.")
    st.stop()
route: str = chosen
window = st.segmented_control("Verdicts over", list(WINDOWS), default="last hour", key="window", required=True)


shown = route_view(route)
if shown is None:
    st.warning("This route is no longer in the store.")
    st.stop()
cutover_controls.show(shown)


@st.fragment(run_every=REFRESH_S)
def figures() -> None:
    view = route_view(route)
    if view is None:
        return
    row, verdict = view.row, view.verdict
    with st.container(horizontal=True):
        st.metric("State", state_word(row.standing), border=True)
        st.metric("Gate", gate_word(verdict.verdict), border=True)
        st.metric("Units n", f"{verdict.n:,}", border=True)
        st.metric("Mismatching units k", f"{verdict.k:,}", border=True)
        st.metric("Clean units still needed", f"{verdict.clean_needed:,}", border=True)
    st.text(f"Parity {parity_text(verdict)}")
    since = f"since {moment(row.standing.since)}" if row.standing.since else "from the beginning"
    st.text(f"In this state {since}, evidence of epoch {row.evidence.epoch or '-'}")
    st.subheader("Gate, guard by guard")
    tables.guards(verdict)
    left, right = st.columns([3, 2])
    with left:
        st.subheader("Verdicts over time")
        seconds = WINDOWS[window or "last hour"]
        charts.verdicts(tallies(route, time.time() - seconds), row.evidence, MINUTE if seconds <= HOUR else HOUR)
    with right:
        st.subheader("Latency")
        tables.latency(row)
    st.subheader("Clusters of mismatches")
    picked = tables.clusters(clusters(route), "route_clusters")
    if picked is not None:
        st.switch_page("app_pages/mismatch.py", query_params={"cluster": picked})


figures()
