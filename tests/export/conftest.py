"""Builders of stored examples, and a way to run exported tests for real."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from differ.facts import Atom
from store.records import DifferenceText, Example
from traffic.message import Answer, Request, Response

JSON = ((b"content-type", b"application/json"),)


def answer(body: bytes = b"{}", status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = JSON) -> Response:
    return Response(status, headers, body)


def example(
    primary: Answer,
    candidate: Answer,
    *places: tuple[str, str] | str,
    route: str = "GET /items/",
    target: bytes = b"/items/",
    headers: tuple[tuple[bytes, bytes], ...] = ((b"Host", b"shop.example"), (b"Accept", b"application/json")),
    body: bytes = b"",
    id: str = "boot-1",
    tolerated: tuple[str, ...] = (),
) -> Example:
    """An example whose mismatches are `places`: a body path, or a pair (aspect, path)."""
    pairs = [place if isinstance(place, tuple) else ("body", place) for place in places]
    atoms = [Atom(route, "200/200", aspect, path, "value") for aspect, path in pairs]
    method = route.partition(" ")[0]
    return Example(
        id=id,
        route=route,
        at=1.0,
        live_side="primary",
        client="a1",
        request=Request(method, target, headers, body),
        primary=primary,
        candidate=candidate,
        differences=tuple(DifferenceText(atom, None, None) for atom in atoms),
        tolerated=tolerated,
    )


@dataclass
class Outcome:
    passed: int
    failed: int
    skipped: int
    text: str


@dataclass
class Exported:
    """A folder of exported tests and a way to run them."""

    folder: Path

    def run(self, app_source: str = "", **env: str) -> Outcome:
        """Runs the folder in a pytest of its own against `app` of `app_source`."""
        apps = self.folder.parent / f"apps_{abs(hash(app_source))}"
        apps.mkdir(exist_ok=True)
        (apps / "candidate.py").write_text(app_source)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PARITYGATE_", "PYTEST_"))}
        given = {**clean, "PARITYGATE_APP": "candidate:app", "PYTHONPATH": str(apps), "PYTHONDONTWRITEBYTECODE": "1", **env}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rs",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore",
            "--rootdir",
            str(self.folder),
            ".",
        ]
        done = subprocess.run(command, cwd=self.folder, env=given, capture_output=True, text=True, timeout=120, check=False)
        counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)}
        text = done.stdout + done.stderr
        assert "error" not in counts, text
        return Outcome(counts.get("passed", 0), counts.get("failed", 0), counts.get("skipped", 0), text)


@pytest.fixture
def exported(tmp_path: Path) -> Callable[[dict[str, bytes]], Exported]:
    """Writes exported files below a folder of their own."""

    def write(files: dict[str, bytes]) -> Exported:
        folder = tmp_path / "parity_tests"
        for name, content in files.items():
            path = folder / name
            assert path.resolve().is_relative_to(folder.resolve())
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return Exported(folder)

    return write


@pytest.fixture
def make() -> Any:
    """`make.example(...)` and `make.answer(...)`."""

    class Make:
        pass

    made: Any = Make()
    made.example, made.answer = example, answer
    return made
