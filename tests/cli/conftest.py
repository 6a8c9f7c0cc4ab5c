"""A folder with a configuration, and the command line run in process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import run_command

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command line; exit code, stdout, stderr."""

    def run_it(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_command(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_it


@pytest.fixture
def folder(tmp_path: Path, run: Run) -> Path:
    """A folder as `paritygate init` makes it, with rules and routes that need no network."""
    assert run("init", str(tmp_path))[0] == 0
    config = tmp_path / "paritygate.toml"
    config.write_text(config.read_text().replace('openapi = ["http://127.0.0.1:8002/openapi.json"]', "openapi = []"))
    return tmp_path
