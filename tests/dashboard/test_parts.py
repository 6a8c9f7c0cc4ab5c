"""The parts without a page: figures, the client's thread, and the command line of the process."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import figures
from dashboard.client import StoreClient
from dashboard.launch import command, environment
from gate.facts import RouteStanding, State
from settings.load import load_settings
from store.errors import StoreError
from traffic.message import Failure, Request, Response


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "-"), (1.0, "100.00 %"), (0.99999, "99.99 %"), (0.0, "0.00 %"), (0.00001, "< 0.01 %"), (0.5, "50.00 %")],
)
def test_a_share_is_never_rounded_into_perfection(share: float | None, text: str) -> None:
    assert figures.percent(share) == text


def test_a_state_says_its_share_and_what_holds_it() -> None:
    standing = RouteStanding("GET /", State.CANARY, weight_bp=500, frozen=True)

    assert figures.state_word(standing) == "◑ canary 5 % (frozen)"


@given(st.text())
def test_a_cell_is_one_visible_line_and_no_formula(text: str) -> None:
    shown = figures.cell(text)

    assert shown.isprintable()
    assert not shown.startswith(("=", "+", "-", "@"))


@given(st.text())
def test_literal_text_has_no_sign_that_markdown_reads(text: str) -> None:
    shown = figures.literal(text)

    plain = shown.replace("\\\\", "")
    for i, char in enumerate(plain):
        if char in "*_`[]()<>!#$:|~&":
            assert plain[i - 1] == "\\"


def test_a_body_is_shown_as_it_was_spelt() -> None:
    body = b'{"a":1.10,"a":2,"b":"\\u00e9"}'

    text, language = figures.answer_body(Response(200, (), body))

    assert language == "json"
    assert text == '{\n  "a": 1.10,\n  "a": 2,\n  "b": "\\u00e9"\n}'


@given(st.binary(max_size=300))
def test_any_body_can_be_shown(body: bytes) -> None:
    text, _ = figures.answer_body(Response(200, ((b"x", body),), body))

    assert all(char == "\n" or char.isprintable() for char in text)
    assert all(char == "\n" or char.isprintable() for char in figures.request_text(Request("GET", body, ((b"a", body),), body)))


def test_a_missing_answer_says_why() -> None:
    assert figures.answer_head(Failure("timeout", "after 5 s")) == "no complete answer: timeout after 5 s"


def test_one_client_serves_many_threads_on_one_loop(empty: Any) -> None:
    client = StoreClient(f"sqlite+aiosqlite:///{empty.folder / 'parity.db'}")
    loops = set()

    async def work(store: Any) -> int:
        loops.add((id(asyncio.get_running_loop()), threading.current_thread().name))
        return len(await store.route_rows())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: client.call(work), range(16))) == [0] * 16
    client.close()

    assert len(loops) == 1


def test_a_query_that_hangs_ends_at_its_deadline(empty: Any) -> None:
    client = StoreClient(f"sqlite+aiosqlite:///{empty.folder / 'parity.db'}")

    with pytest.raises(TimeoutError):
        client.call(lambda store: asyncio.Event().wait(), 0.05)

    assert client.call(lambda store: store.audit(1)) == []
    client.close()


def test_a_store_url_that_cannot_be_used_is_said_at_once() -> None:
    with pytest.raises(StoreError, match=r"store\.url"):
        StoreClient("mysql://x/y")


def test_the_process_listens_on_loopback_with_everything_off(empty: Any) -> None:
    empty.configure(port=9123)
    line = command(load_settings(empty.config))

    assert line[1:5] == ["-P", "-m", "streamlit", "run"]  # the user's own folders never come before our packages
    assert Path(line[5]).is_file()
    for option in (
        "--server.address=127.0.0.1",
        "--server.port=9123",
        "--server.headless=true",
        "--server.allowedHosts=localhost",
        "--server.fileWatcherType=none",
        "--server.enableAgentApi=false",
        "--browser.gatherUsageStats=false",
        "--client.toolbarMode=viewer",
        "--client.showErrorDetails=none",
    ):
        assert option in line


def test_the_process_finds_the_configuration_and_our_packages(empty: Any) -> None:
    made = environment(load_settings(empty.config), {"PYTHONPATH": "/else"})

    assert made["PARITYGATE_CONFIG"] == str(empty.config)
    root, rest = made["PYTHONPATH"].split(os.pathsep)
    assert (Path(root) / "dashboard" / "app.py").is_file()
    assert rest == "/else"


def test_no_module_here_hides_a_room() -> None:
    folder = Path(__file__).resolve().parents[2] / "dashboard"
    rooms = {"traffic", "rules", "differ", "gate", "settings", "store", "proxy", "shadow", "export", "dashboard", "cli", "demo"}

    assert not rooms & {path.stem for path in folder.iterdir()}
