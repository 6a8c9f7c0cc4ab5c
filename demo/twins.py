"""Starts and stops the two shops as their users run them: Django under gunicorn, FastAPI under uvicorn.

Each has its own SQLite file and log in `workdir` and seeds itself when its file is new. `python -m demo.twins` runs them by hand.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from demo.truth import FIX_VARIABLE, planted_defects

ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
READY_S = 60.0
STOP_S = 5.0
_POLL_S = 0.05


class TwinError(RuntimeError):
    """A twin did not start. The text names it, the reason and its log."""


@dataclass
class Twin:
    """One backend process. `stop` ends exactly this process and the workers it started."""

    name: str
    port: int
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        with self.log.open("ab") as output:
            # A session of its own: Ctrl-C in a terminal reaches the demo, which then stops its twins in order.
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def wait_ready(self, deadline: float) -> None:
        """Returns when the twin answers an HTTP request. `deadline` is on `time.monotonic`. Raises TwinError."""
        while not self._answers():
            if time.monotonic() >= deadline:
                raise TwinError(
                    f"the {self.name} twin does not answer on {self.url} in time; its log ends with: {self._tail()}"
                )
            try:
                code = self.process.wait(timeout=_POLL_S)
            except subprocess.TimeoutExpired:
                continue
            raise TwinError(
                f"the {self.name} twin ended with code {code} before it answered; its log ends with: {self._tail()}"
            )

    def ask_to_end(self) -> None:
        """Sends SIGTERM when the process is there, and does not wait."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self, seconds: float = STOP_S) -> None:
        """Ends the process: SIGTERM, then SIGKILL to it and its workers when it is still there after `seconds`."""
        self.ask_to_end()
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)  # the session's group: this process and what it started
            self.process.wait(timeout=seconds)

    def _answers(self) -> bool:
        # One plain request, and one look at the first bytes: before the start-up is over nobody listens, or nobody answers.
        try:
            with socket.create_connection((HOST, self.port), timeout=1.0) as connection:
                connection.sendall(b"GET /bench/random/ HTTP/1.1\r\nHost: ready\r\nConnection: close\r\n\r\n")
                return connection.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False

    def _tail(self) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace").strip()
        return text[-600:] or "(nothing)"


@dataclass
class Twins:
    """Both shops, running. The primary is the Django one."""

    workdir: Path
    primary: Twin
    candidate: Twin

    @property
    def primary_url(self) -> str:
        return self.primary.url

    @property
    def candidate_url(self) -> str:
        return self.candidate.url

    def wait_ready(self, seconds: float = READY_S) -> None:
        """Returns when both answer. Raises TwinError when one ends, or does not answer within `seconds`."""
        deadline = time.monotonic() + seconds
        self.primary.wait_ready(deadline)
        self.candidate.wait_ready(deadline)

    def restart_candidate(self, fix: str = "", seconds: float = READY_S) -> None:
        """Starts the FastAPI twin again on its port and its database as it is, with `fix` switching defects off."""
        planted_defects(fix)
        self.candidate.stop()
        self.candidate = _fastapi(self.candidate.port, self.workdir, fix)
        self.candidate.wait_ready(time.monotonic() + seconds)

    def stop(self) -> None:
        """Ends both, side by side. Safe to call twice."""
        self.candidate.ask_to_end()
        try:
            self.primary.stop()
        finally:
            self.candidate.stop()


def start(primary_port: int, candidate_port: int, workdir: Path, fix: str = "") -> Twins:
    """Starts both twins on new databases in `workdir` and returns at once; `wait_ready` tells when they answer.

    `fix` is a comma list of defect ids, or `all`. Raises `demo.truth.UnknownDefect`, and TwinError when a port is taken.
    """
    planted_defects(fix)
    for port in (primary_port, candidate_port):
        _require_free(port)
    workdir.mkdir(parents=True, exist_ok=True)
    for old in workdir.glob("*_shop.sqlite3*"):
        old.unlink()
    primary = _django(primary_port, workdir)
    try:
        candidate = _fastapi(candidate_port, workdir, fix)
    except BaseException:
        primary.stop()
        raise
    return Twins(workdir, primary, candidate)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise TwinError(f"port {port} of {HOST} cannot be used ({error.strerror}): choose another one") from error


def _environment(**values: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("GUNICORN_CMD_ARGS", FIX_VARIABLE)}
    path = os.pathsep.join(part for part in (str(ROOT), kept.get("PYTHONPATH")) if part)
    return {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **values}


def _django(port: int, workdir: Path) -> Twin:
    config = ROOT / "demo" / "django_shop" / "gunicorn_conf.py"
    command = [sys.executable, "-m", "gunicorn", "--config", f"file:{config}", "--bind", f"{HOST}:{port}"]
    environment = _environment(
        DJANGO_SETTINGS_MODULE="demo.django_shop.settings",
        PARITYGATE_DEMO_PRIMARY_DB=str(workdir.resolve() / "django_shop.sqlite3"),
    )
    return Twin("Django", port, command, environment, workdir / "django_shop.log")


def _fastapi(port: int, workdir: Path, fix: str) -> Twin:
    command = [sys.executable, "-m", "uvicorn", "demo.fastapi_shop.app:application", "--host", HOST, "--port", str(port)]
    command += ["--timeout-keep-alive", "75", "--timeout-graceful-shutdown", "2", "--no-access-log"]
    environment = _environment(
        PARITYGATE_DEMO_CANDIDATE_DB=str(workdir.resolve() / "fastapi_shop.sqlite3"), **{FIX_VARIABLE: fix}
    )
    return Twin("FastAPI", port, command, environment, workdir / "fastapi_shop.log")


def main() -> None:
    """Runs the twins until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m demo.twins", description="Runs the demo's two shops by hand.")
    parser.add_argument("--primary-port", type=int, default=8001)
    parser.add_argument("--candidate-port", type=int, default=8002)
    parser.add_argument("--workdir", type=Path, help="where databases and logs go; a new temporary directory without it")
    parser.add_argument("--fix", default="", help="defects to switch off: ids separated by commas, or `all`")
    chosen = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        workdir = chosen.workdir or Path(tempfile.mkdtemp(prefix="paritygate-twins-"))
        twins = start(chosen.primary_port, chosen.candidate_port, workdir, chosen.fix)
    except (TwinError, ValueError) as error:
        sys.exit(str(error))
    try:
        twins.wait_ready()
        sys.stderr.write(
            f"primary (Django) {twins.primary_url}, candidate (FastAPI) {twins.candidate_url}, logs in {workdir}\n"
        )
        ended.wait()
    except TwinError as error:
        sys.exit(str(error))
    finally:
        twins.stop()


if __name__ == "__main__":
    main()
