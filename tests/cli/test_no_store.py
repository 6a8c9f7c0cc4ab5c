"""Where there is no store, only who is there to make one makes one: an empty store reads as "nothing was ever found"."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import pytest
from alembic import command

from store.database import open_store
from store.migrate import alembic_config

ROUTE = "GET /api/search/{id}/"
READING = [
    ("status",),
    ("status", "--json"),
    ("routes",),
    ("mismatches",),
    ("show", "e1"),
    ("gate", ROUTE),
    ("gate", "plan"),
    ("rules", "audit"),
    ("rules", "explain", "e1"),
    ("export", "json"),
    ("export", "curl", "e1"),
    ("export", "pytest"),
    ("cutover", "log"),
    ("cutover", "promote", ROUTE),
    ("cutover", "rollback", ROUTE),
    ("store", "check"),
    ("store", "prune"),
]


def config(folder: Path) -> tuple[str, str]:
    return "--config", str(folder / "paritygate.toml")


@pytest.fixture
def site(folder: Path) -> Path:
    """A folder as `init` makes it, with one route."""
    path = folder / "paritygate.toml"
    path.write_text(path.read_text() + f'\n[[route]]\nmatch = "{ROUTE}"\n')
    return folder


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_commands_name_the_place_and_the_remedy_and_make_none(site: Path, run, monkeypatch, arguments) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(site)
    code, out, err = run(*arguments, *config(site))
    assert (code, out) == (4, ""), err
    assert f"{site / 'paritygate.db'}: there is no store; `paritygate store upgrade` makes one" in err
    assert "Traceback" not in err
    assert not list(site.glob("paritygate.db*"))


def test_store_upgrade_makes_one_and_the_others_read_it(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    assert run("store", "upgrade", *config(site))[0] == 0
    assert run("store", "check", *config(site))[0] == 0
    assert run("mismatches", *config(site))[0] == 0


def test_a_store_of_an_older_release_is_migrated_by_a_command_that_reads(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    assert run("store", "upgrade", *config(site))[0] == 0

    async def downgrade() -> None:
        store = open_store(f"sqlite+aiosqlite:///{site / 'paritygate.db'}")
        async with store.writing() as connection:
            await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0001"))
        await store.close()

    asyncio.run(downgrade())
    assert run("mismatches", *config(site))[0] == 0
    with sqlite3.connect(site / "paritygate.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() != ("0001",)
    connection.close()


def finding(run, folder: Path) -> tuple[object, str]:  # type: ignore[no-untyped-def]
    checks = json.loads(run("doctor", "--json", *config(folder))[1])["checks"]
    return next((check["ok"], check["text"]) for check in checks if check["name"] == "store")


def test_doctor_before_the_first_start_has_a_note_and_makes_none(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    """The newcomer's order is init, doctor, up: nothing is wrong yet."""
    place = site / "paritygate.db"
    text = f"{place}: there is no store yet; `paritygate up` makes one (so does `paritygate store upgrade`)"
    assert finding(run, site) == (None, text)
    assert not place.exists()
    assert run("store", "upgrade", *config(site))[0] == 0
    assert finding(run, site) == (True, f"{place} is at this release's schema")


def test_doctor_says_where_no_store_could_be_made(site: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    path = site / "paritygate.toml"
    path.write_text(path.read_text().replace("///paritygate.db", "///none/paritygate.db"))
    ok, text = finding(run, site)
    assert (ok, text) == (
        False,
        f"{site}/none/paritygate.db: the folder {site}/none does not exist; make it, or correct store.url",
    )
    (site / "none").mkdir()
    allowed = os.access  # tests may run as root, who may write everywhere
    monkeypatch.setattr(os, "access", lambda path, mode: path != site / "none" and allowed(path, mode))
    ok, text = finding(run, site)
    assert (ok, f"may not write to the folder {site}/none; make it writable" in text) == (False, True)
