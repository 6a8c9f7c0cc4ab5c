"""Who moved which route when, and what is in force now."""

import streamlit as st

from dashboard import tables
from dashboard.reads import audit, decisions
from dashboard.session import REFRESH_S

LIMIT = 500

st.title("Audit")


@st.fragment(run_every=REFRESH_S)
def figures() -> None:
    st.subheader("In force now")
    tables.decisions(decisions())
    st.subheader("Changes, newest first")
    tables.audit(audit(LIMIT))


figures()
