"""Every route at a glance: where it stands, whether it may move, and what blocks it."""

import streamlit as st

from dashboard import charts, rule_tables, tables
from dashboard.reads import ledgers, route_names, route_views, rule_lines
from dashboard.session import REFRESH_S, current_policy
from traffic.ledger import Ledger

MANY = 500
SLOW_REFRESH_S = 60

st.title("Parity by route")
st.caption(
    f"A route may move when its mismatch rate is shown to be below {1 - current_policy().p0:.4g}. No data is never a pass."
)


# A gate verdict costs most of a millisecond: thousands of routes are looked at less often.
@st.fragment(run_every=REFRESH_S if len(route_names()) <= MANY else SLOW_REFRESH_S)
def figures() -> None:
    views = route_views()
    total = sum(ledgers().values(), Ledger())
    tables.totals(views, total)
    rule_tables.alarms_of(rule_lines())
    if not views:
        st.info("No traffic has been compared yet. Send requests through the proxy; routes appear here as they are judged.")
        return
    chosen = tables.routes(views)
    if chosen is not None:
        st.switch_page("app_pages/route.py", query_params={"route": chosen})
    charts.parity(views)
    blocked = [view for view in views if view.verdict.verdict != "pass"]
    if blocked:
        st.subheader("What blocks the routes")
        tables.blocked(blocked)


figures()
