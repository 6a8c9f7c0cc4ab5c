"""The ledger: every request counted once in each line, and whether the sums hold."""

import streamlit as st

from dashboard import tables
from dashboard.reads import ledgers
from dashboard.session import REFRESH_S
from traffic.ledger import Ledger

st.title("Ledger")
st.text(
    "seen = served_primary + served_candidate + refused + open\n"
    "seen = mirrored + skipped + open + pending\n"
    "mirrored = compared + candidate_error + lost\n"
    "compared = sum of verdicts"
)


@st.fragment(run_every=REFRESH_S)
def figures() -> None:
    known = ledgers()
    total = sum(known.values(), Ledger())
    tables.ledger_health(total)
    tables.ledger_total(total)
    if known:
        st.subheader("By route")
        tables.ledgers(known)


figures()
