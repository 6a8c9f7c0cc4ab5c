"""What `paritygate doctor` says of this machine's limits."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest


def findings(run: Any, folder: Path) -> dict[str, dict[str, Any]]:
    _, out, _ = run("doctor", "--json", "--config", str(folder / "paritygate.toml"))
    return {check["name"]: check for check in json.loads(out)["checks"]}


def configure(folder: Path, proxy: str) -> None:
    config = folder / "paritygate.toml"
    config.write_text(config.read_text().replace("[proxy]\n", f"[proxy]\n{proxy}\n"))


def test_more_workers_than_cores_are_a_note(run: Any, folder: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    assert findings(run, folder)["workers"]["ok"] is True
    config = folder / "paritygate.toml"
    text = "".join(line for line in config.read_text().splitlines(True) if not line.startswith("workers"))
    config.write_text(text)
    configure(folder, f"workers = {cores + 1}")
    found = findings(run, folder)["workers"]
    assert (found["ok"], f"set proxy.workers = {cores}" in found["text"]) == (None, True)


def test_the_descriptor_limit_is_told_in_clients(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[F-23] Two descriptors for each client and 64 for ourselves; a limit for few clients is named with the way to raise it."""
    monkeypatch.setattr(resource, "getrlimit", lambda which: (200, 20_000))
    found = findings(run, folder)["descriptors"]
    assert (found["ok"], "limit 20000: 9968 clients" in found["text"]) == (True, True)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (200, 200))
    found = findings(run, folder)["descriptors"]
    assert (found["ok"], "limit 200: 68 clients" in found["text"], "ulimit -Hn" in found["text"]) == (None, True, True)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert findings(run, folder)["descriptors"]["ok"] is True


def test_a_token_that_cannot_be_read_must_be_mended(run: Any, folder: Path) -> None:
    configure(folder, 'admin_token_file = "admin.token"')
    found = findings(run, folder)["admin token"]
    assert (found["ok"], "there is no such file; make one with" in found["text"]) == (False, True)
    (folder / "admin.token").write_text("0123456789abcdef0123\n")
    (folder / "admin.token").chmod(0o644)
    found = findings(run, folder)["admin token"]
    assert (found["ok"], "chmod 600" in found["text"], "0123456789" in found["text"]) == (None, True, False)
    (folder / "admin.token").chmod(0o600)
    assert findings(run, folder)["admin token"]["ok"] is True


def test_an_old_interpreter_is_a_note_with_its_reasons(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.doctor.sys.version_info", (3, 11, 7, "final", 0))
    found = findings(run, folder)["versions"]
    assert found["ok"] is None
    for fact in ("3.13 is", "not maintained", "CVE-2025-43859", "HTTP/2"):
        assert fact in found["text"]
