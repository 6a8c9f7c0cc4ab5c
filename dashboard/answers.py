"""Both answers of an example side by side, and the example as a test. Payloads are only ever shown as code, never formatted."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from dashboard import figures
from dashboard.session import current_rules, current_settings
from export.case_lines import export_cases
from export.curl import curl_line
from export.pytest_files import export_pytest
from store.records import Example
from traffic.message import Answer

# The same bytes every time: a zip would otherwise hold the hour of its making.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def show(example: Example) -> None:
    """The request, then both answers in two columns."""
    st.subheader("Request")
    st.code(figures.request_text(example.request), language="http", wrap_lines=True)
    left, right = st.columns(2)
    with left:
        _answer("Primary", example.primary, example.primary_ms)
    with right:
        _answer("Candidate", example.candidate, example.candidate_ms)


def _answer(title: str, answer: Answer, took_ms: float | None) -> None:
    st.subheader(title)
    st.text(f"{figures.milliseconds(took_ms)}")
    st.code(figures.answer_head(answer), language=None, wrap_lines=True)
    text, language = figures.answer_body(answer)
    st.code(text or "(no body)", language=language, wrap_lines=True)


def zipped(files: dict[str, bytes], folder: str) -> bytes:
    """The files as a zip archive below `folder`; the same files give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{folder}/{name}", _ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return target.getvalue()


def exports(kept: Sequence[Example], example: Example) -> None:
    """The examples as pytest files and as case lines to download, and the shown request as a curl line."""
    st.subheader("Take it with you")
    today = datetime.now(UTC).date()
    rules = current_rules(today)
    configured = current_settings()
    paths = {entry.match: entry.candidate_path for entry in configured.route if entry.candidate_path}
    with st.container(horizontal=True):
        st.download_button(
            "Export as test",
            data=lambda: zipped(export_pytest(kept, rules, today, paths), "parity_tests"),
            file_name="parity_tests.zip",
            mime="application/zip",
            on_click="ignore",
            key="export_tests",
            help="pytest files that fail on this candidate and pass once it is fixed",
        )
        st.download_button(
            "Export as case",
            data=lambda: export_cases(kept, rules).encode("utf-8"),
            file_name="cases.jsonl",
            mime="application/jsonl",
            on_click="ignore",
            key="export_cases",
            help="for `paritygate compare --cases`",
        )
    st.text("The same request against the candidate:")
    st.code(figures.visible(curl_line(example, configured.candidate.url)), language="bash", wrap_lines=True)
