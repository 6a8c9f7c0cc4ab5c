"""Starting and stopping the twins."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from demo import twins as demo_twins
from demo.truth import UnknownDefect
from demo.twins import Twin, TwinError, Twins
from tests.ports import free_port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_both_answer_when_ready_and_neither_listens_after_stop(start_twins: Callable[[str], Twins]) -> None:
    pair = start_twins("all")
    ports = (pair.primary.port, pair.candidate.port)
    assert all(_listens(port) for port in ports)
    pair.stop()
    pair.stop()
    assert not any(_listens(port) for port in ports)


def test_a_restarted_candidate_keeps_its_port_and_its_rows(start_twins: Callable[[str], Twins]) -> None:
    pair = start_twins("")
    made = httpx.post(f"{pair.candidate_url}/bench/records/", json={"label": "kept", "value": 1}, trust_env=False)
    before = pair.candidate_url
    pair.restart_candidate("all")
    answer = httpx.get(f"{pair.candidate_url}/bench/records/{made.json()['id']}/", trust_env=False)
    assert (pair.candidate_url, answer.status_code) == (before, 200)
    assert answer.json()["randomNumber"] != answer.json()["id"]


def test_a_new_start_has_new_databases(tmp_path: Path) -> None:
    ids = []
    for _ in range(2):
        pair = demo_twins.start(free_port(), free_port(), tmp_path)
        try:
            pair.wait_ready()
            made = httpx.post(f"{pair.primary_url}/bench/records/", json={"label": "new", "value": 1}, trust_env=False)
            ids.append(made.json()["id"])
        finally:
            pair.stop()
    assert ids == [10_001, 10_001]


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TwinError, match=f"port {port} .* choose another one"):
            demo_twins.start(port, free_port(), tmp_path)


def test_an_unknown_fix_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnknownDefect):
        demo_twins.start(free_port(), free_port(), tmp_path, "no-such-defect")
    assert not list(tmp_path.iterdir())


def test_a_twin_that_ends_at_once_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no database today')"]
    twin = Twin("FastAPI", free_port(), command, dict(os.environ), tmp_path / "log")
    with pytest.raises(TwinError, match=r"ended with code 1 .*no database today"):
        twin.wait_ready(time.monotonic() + 20)
    twin.stop()


def test_a_twin_that_never_answers_is_reported_at_the_deadline(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    twin = Twin("FastAPI", free_port(), command, dict(os.environ), tmp_path / "log")
    with pytest.raises(TwinError, match="does not answer"):
        twin.wait_ready(time.monotonic() + 0.2)
    twin.stop()


def test_a_twin_that_ignores_sigterm_is_killed_after_the_deadline(tmp_path: Path) -> None:
    script = "import signal, threading; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); threading.Event().wait()"
    twin = Twin("FastAPI", free_port(), [sys.executable, "-c", script], dict(os.environ), tmp_path / "log")
    deadline = time.monotonic() + 20
    while "deaf" not in twin.log.read_text() and time.monotonic() < deadline:
        with pytest.raises(subprocess.TimeoutExpired):
            twin.process.wait(timeout=0.02)
    twin.stop(seconds=0.2)
    assert twin.process.returncode == -signal.SIGKILL


def test_by_hand_they_run_until_sigterm(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "demo.twins", "--primary-port", str(port), "--candidate-port", str(free_port())]
    with subprocess.Popen(
        [*command, "--workdir", str(tmp_path)], cwd=demo_twins.ROOT, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        line = running.stderr.readline()
        assert f"primary (Django) http://127.0.0.1:{port}" in line
        running.terminate()
        assert running.wait(timeout=20) == 0
    assert not _listens(port)
