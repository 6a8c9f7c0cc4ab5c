"""What `paritygate doctor` says of key files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def findings(run: Any, folder: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    code, out, _ = run("doctor", "--json", "--config", str(folder / "paritygate.toml"))
    return code, {check["name"]: check for check in json.loads(out)["checks"]}


def own_key(folder: Path) -> Path:
    config = folder / "paritygate.toml"
    config.write_text(config.read_text() + '\n[redact]\nkey_file = "tokens.key"\n')
    return folder / "tokens.key"


def test_a_derived_redaction_key_is_told(run: Any, folder: Path) -> None:
    found = findings(run, folder)[1]["redaction key"]
    assert (found["ok"], "derived from the signing key" in found["text"]) == (True, True)


def test_a_redaction_key_that_is_not_there_yet_is_a_note(run: Any, folder: Path) -> None:
    path = own_key(folder)
    found = findings(run, folder)[1]["redaction key"]
    assert (found["ok"], found["text"]) == (
        None,
        f"{path}: there is none yet (redact.key_file); `paritygate up` makes it",
    )


def test_a_redaction_key_that_is_none_must_be_mended(run: Any, folder: Path) -> None:
    path = own_key(folder)
    path.write_text("not hex")
    code, found = findings(run, folder)
    assert found["redaction key"]["ok"] is False
    assert str(path) in found["redaction key"]["text"]
    assert code


@pytest.mark.parametrize(("name", "setting"), [("redaction key", "redact.key_file"), ("signing key", "cutover.key_file")])
def test_a_key_that_others_may_read_is_a_note(run: Any, folder: Path, name: str, setting: str) -> None:
    path = own_key(folder) if name == "redaction key" else folder / "paritygate.key"
    path.write_text("ab" * 32)
    path.chmod(0o640)
    found = findings(run, folder)[1][name]
    assert (found["ok"], found["text"]) == (None, f"{path}: others may use this key (mode 0640, {setting}); chmod 600 it")
    path.chmod(0o600)
    assert findings(run, folder)[1][name]["ok"] is True
