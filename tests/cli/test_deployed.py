"""`paritygate deployed`: declared once, kept in the audit, refused where it names nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def where(folder: Path, run: Any) -> tuple[str, str]:
    """The option that names a configuration with an empty store."""
    option = ("--config", str(folder / "paritygate.toml"))
    assert run("store", "upgrade", *option)[0] == 0
    return option


def test_a_declaration_is_kept_in_the_audit_with_who_and_why(where: tuple[str, str], run: Any) -> None:
    code, out, err = run("deployed", "--build", " abc123 ", "--actor", "ada", "--reason", "release 7", *where)
    assert (code, out) == (0, "")
    assert "abc123 is declared to run, after none: evidence begins anew" in err
    document = json.loads(run("deployed", "--build", "v2", "--actor", "bob", "--json", *where)[1])
    assert (document["build"], document["before"], document["changed"]) == ("v2", "abc123", True)
    again = json.loads(run("deployed", "--build", "v2", "--actor", "eve", "--json", *where)[1])
    assert again == {"build": "v2", "before": "v2", "at": document["at"], "changed": False}
    assert "v2 was declared already; nothing changes" in run("deployed", "--build", "v2", "--actor", "eve", *where)[2]
    links = json.loads(run("cutover", "log", "--json", *where)[1])["audit"]
    told = [(link["actor"], link["action"], link["before"], link["after"]) for link in links]
    assert told == [("bob", "deployed", "abc123", "v2"), ("ada", "deployed", "", "abc123")]
    assert "release 7" in run("cutover", "log", *where)[1]
    assert run("store", "check", *where)[0] == 0


def test_a_declaration_that_will_not_count_says_so(where: tuple[str, str], folder: Path, run: Any) -> None:
    path = folder / "paritygate.toml"
    path.write_text(path.read_text().replace("[candidate]\n", '[candidate]\nversion_url = "/version"\n'))
    code, _, err = run("deployed", "--build", "abc", "--actor", "ada", *where)
    assert code == 0
    assert "note: candidate.version_url is set; while it answers, what it says counts" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--build", "two words"), "--build: the build 'two words' is no name"),
        (("--build", ""), "--build: the build is empty: give a commit"),
        (("--build", "x" * 201), "--build: the build has 201 signs, at most 200 are allowed"),
        (("--build", "{json}"), "is no name"),
        (("--build", "a\x1b[31m"), "is no name"),
        (("--build", "abc", "--actor", " "), "--actor is empty"),
        ((), "Missing option '--build'"),
    ],
)
def test_what_names_no_build_is_refused_and_writes_nothing(
    where: tuple[str, str], run: Any, arguments: tuple[str, ...], sentence: str
) -> None:
    code, out, err = run("deployed", *arguments, *where)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "\x1b[31m" not in err
    assert json.loads(run("cutover", "log", "--json", *where)[1]) == {"audit": []}


def test_without_a_store_the_declaration_is_not_lost_silently(folder: Path, run: Any) -> None:
    """It would reach no shadow: exit 4 and nothing is made."""
    code, _, err = run("deployed", "--build", "abc", "--config", str(folder / "paritygate.toml"))
    assert code == 4
    assert "there is no store" in err
    assert not list(folder.glob("paritygate.db*"))
