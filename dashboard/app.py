"""The dashboard's entry: `python -m streamlit run dashboard/app.py`, started by `paritygate dashboard`."""

import sys
from pathlib import Path

import streamlit as st
from PIL import Image

# Streamlit puts this folder on the path; the packages that the pages import stand beside it.
root = str(Path(__file__).resolve().parent.parent)
if root not in sys.path:
    sys.path.insert(0, root)

# An equals sign, drawn here so that no browser asks another host for a picture.
favicon = Image.new("RGB", (32, 32), "white")
for top in (8, 19):
    favicon.paste((31, 111, 235), (5, top, 27, top + 5))

st.set_page_config(page_title="Paritygate", page_icon=favicon, layout="wide")
page = st.navigation(
    [
        st.Page("app_pages/overview.py", title="Overview", icon="", url_path="overview", default=True),
        st.Page("app_pages/route.py", title="Route", icon="", url_path="route"),
        st.Page("app_pages/mismatch.py", title="Mismatches", icon="", url_path="mismatch"),
        st.Page("app_pages/rule_audit.py", title="Rules", icon="", url_path="rules"),
        st.Page("app_pages/ledger.py", title="Ledger", icon="", url_path="ledger"),
        st.Page("app_pages/audit.py", title="Audit", icon="", url_path="audit"),
    ],
    position="top",
)
page.run()
