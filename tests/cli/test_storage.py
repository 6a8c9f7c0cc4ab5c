"""`paritygate store`: what it says, what it deletes, and what it never does."""

from __future__ import annotations

import asyncio
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from differ.facts import Atom
from store.database import open_store
from store.records import Batch, DifferenceText, Ended, Example
from traffic.message import Request, Response
from traffic.outcome import Ending

DAY = 86_400.0


@pytest.fixture
def kept(folder: Path) -> Path:
    """A store with an old and a new example; the new one holds a customer's number."""
    now = time.time()

    def row(name: str, at: float, body: bytes) -> Ended:
        found = (DifferenceText(Atom("GET /x", "200/200", "body", f"$.{name}", "value"), "1", "2"),)
        answer = Response(200, (), body)
        example = Example(name, "GET /x", at, "primary", f"u{name}", Request("GET", b"/x"), answer, answer, found)
        return Ended(
            "b", "GET /x", at, Ending.COMPARED, "mismatch", epoch="e", client=f"u{name}", differences=found, example=example
        )

    async def fill() -> None:
        store = open_store(f"sqlite+aiosqlite:///{folder / 'paritygate.db'}")
        await store.upgrade()
        await store.write(
            Batch(
                ended=(row("old", now - 40 * DAY, random.Random(1).randbytes(3_000)), row("new", now, b'{"customer": "4711"}'))
            ),
            5,
        )
        await store.close()

    asyncio.run(fill())
    return folder


def config(folder: Path) -> tuple[str, str]:
    return "--config", str(folder / "paritygate.toml")


def test_prune_takes_what_is_older_than_the_retention_and_shows_how_far_it_is(kept: Path, run: Any) -> None:
    code, out, err = run("store", "prune", *config(kept))
    assert (code, out) == (0, "6 rows deleted\n")  # a minute, its hour and its day, an hour of traffic, an example, a cluster
    assert "old examples" in err
    assert run("show", "old", *config(kept))[0] == 2
    assert run("show", "new", *config(kept))[0] == 0


def test_prune_can_write_the_file_anew(kept: Path, run: Any) -> None:
    assert run("store", "prune", "--compact", "--json", *config(kept))[0] == 0
    assert json.loads(run("store", "check", "--json", *config(kept))[1]) == {"problems": []}


def test_the_oldest_examples_go_beyond_the_size(kept: Path, run: Any) -> None:
    file = kept / "paritygate.toml"
    file.write_text(file.read_text().replace("[store]", '[store]\nmax_size = "2KiB"\nretention = "90d"'))
    assert run("store", "prune", *config(kept))[0] == 0
    assert [run("show", name, *config(kept))[0] for name in ("old", "new")] == [2, 0]


@pytest.mark.parametrize(
    ("options", "gone"), [(("--client", "unew"), "new"), (("--example", "old"), "old"), (("--text", "4711"), "new")]
)
def test_forget_deletes_by_client_id_or_text(kept: Path, run: Any, options: tuple[str, str], gone: str) -> None:
    code, out, _ = run("store", "forget", *options, "--json", *config(kept))
    assert (code, json.loads(out)["examples"]) == (0, 1)
    assert [name for name in ("old", "new") if run("show", name, *config(kept))[0]] == [gone]


def test_forget_asks_what(kept: Path, run: Any) -> None:
    code, _, err = run("store", "forget", *config(kept))
    assert code == 2
    assert "say what: --client, --example or --text" in err


def test_check_says_what_is_wrong_and_what_to_do(kept: Path, run: Any) -> None:
    async def damage() -> None:
        store = open_store(f"sqlite+aiosqlite:///{kept / 'paritygate.db'}")
        async with store.writing() as connection:
            await connection.exec_driver_sql("UPDATE example SET blob = x'00' WHERE id = 'old'")
        await store.close()

    asyncio.run(damage())
    code, out, _ = run("store", "check", *config(kept))
    assert code == 1
    assert "example old: it cannot be read: ZstdError; `paritygate store forget --example old` takes it out" in out
    assert run("store", "forget", "--example", "old", *config(kept))[0] == 0
    assert run("store", "check", *config(kept))[:2] == (0, "0 problems\n")


def test_quarantine_leaves_a_whole_file_alone_and_puts_a_damaged_one_aside(kept: Path, run: Any) -> None:
    code, _, err = run("store", "quarantine", *config(kept))
    assert code == 4
    assert "the file is whole, nothing was changed" in err
    file = kept / "paritygate.db"
    file.write_bytes(b"no database at all" * 300)
    assert run("status", *config(kept))[0] == 4
    code, out, _ = run("store", "quarantine", "--actor", "ada", "--json", *config(kept))
    assert code == 0
    assert Path(json.loads(out)["path"]).read_bytes().startswith(b"no database at all")
    assert json.loads(run("status", "--json", *config(kept))[1])["routes"] == {}
    assert "quarantine" in run("cutover", "log", *config(kept))[1]
