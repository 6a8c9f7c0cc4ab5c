"""One journey through the real server in a real browser."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from dashboard.launch import command, environment
from gate.facts import State
from settings.load import load_settings
from tests.ports import free_port

CHROMIUM = Path("/usr/bin/chromium")
GOOD, BAD = "GET /good/", "GET /bad/{id}/"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
assert CHROMIUM.exists(), "the browser tests need Debian's chromium: `make test` installs it"


@pytest.fixture
def server(filled: Any) -> Iterator[str]:
    port = free_port()
    filled.configure(port)
    settings = load_settings(filled.config)
    process = subprocess.Popen(
        command(settings), env=environment(settings), cwd=filled.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    base = f"http://127.0.0.1:{port}"
    try:
        wait_for_health(base, process)
        yield base
    finally:
        process.terminate()
        process.wait(20)


def wait_for_health(base: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{base}/_stcore/health", timeout=1) as answer:
                if answer.read() == b"ok":
                    return
        except OSError:
            pass
    raise AssertionError("the dashboard did not start")


def test_a_person_looks_opens_a_route_and_promotes_it(server: str, filled: Any) -> None:
    from playwright.sync_api import sync_playwright

    chosen = filled.use(lambda store: store.clusters())[0].id
    asked: list[str] = []
    dialogs: list[str] = []
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(30_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))

        page.goto(server)
        page.get_by_role("heading", name="Parity by route").wait_for()
        page.get_by_test_id("stDataFrame").first.wait_for()
        page.get_by_role("cell", name="GET /young/").wait_for()

        page.goto(f"{server}/mismatch?cluster={chosen}")
        page.get_by_text("Take it with you").wait_for()
        page.get_by_test_id("stCode").filter(has_text="<script>alert(1)</script>").first.wait_for()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export as test").click()
        assert download.value.suggested_filename == "parity_tests.zip"

        page.goto(f"{server}/route?route={quote(GOOD)}")
        page.get_by_role("button", name="Promote…").click()
        page.get_by_label("Who promotes").fill("Ada")
        page.get_by_role("button", name="Promote", exact=True).click()
        page.get_by_text("✓ Done").wait_for()
        page.get_by_text("● cutover").first.wait_for()
        browser.close()

    assert dialogs == []
    assert [url for url in asked if not url.startswith((server, server.replace("http", "ws"), "data:", "blob:"))] == []
    after = filled.use(lambda store: store.standing(GOOD))
    assert (after.state, after.weight_bp) == (State.CUTOVER, 10_000)
    assert filled.use(lambda store: store.audit(1))[0].actor == "Ada"


def test_another_host_name_gets_no_session(server: str) -> None:
    from playwright.sync_api import sync_playwright

    port = server.rpartition(":")[2]
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(
            executable_path=str(CHROMIUM), args=[*ARGUMENTS, "--host-resolver-rules=MAP rebound.example 127.0.0.1"]
        )
        page = browser.new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text))
        page.goto(f"http://rebound.example:{port}/")
        deadline = time.monotonic() + 20
        while not any("403" in text for text in errors) and time.monotonic() < deadline:
            page.wait_for_timeout(100)
        shown = page.inner_text("body")
        browser.close()

    assert any("403" in text for text in errors)
    assert "Parity by route" not in shown
