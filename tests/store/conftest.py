"""Stores of both kinds: a SQLite file, and a database of its own on a real PostgreSQL that lives as long as the test session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from differ.facts import Atom
from store.records import Batch, DifferenceText, Ended, Example
from tests.postgres import NO_WAITING, empty_database, postgres_server, socket_of
from tests.upgraded_store import Scenario, with_store
from traffic.message import Request, Response
from traffic.outcome import Ending


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """A PostgreSQL server; the folder of its socket."""
    with postgres_server(NO_WAITING) as server:
        yield socket_of(server)


@pytest.fixture
def postgres_url(postgres: Path) -> str:
    """A new, empty database."""
    return empty_database(postgres)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file that is not there yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """A place for a store on each of the two databases."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def in_store(url: str) -> Callable[[Scenario], Any]:
    """Runs a scenario with a store of each kind."""
    return lambda scenario: with_store(url, scenario)


@pytest.fixture
def in_sqlite(sqlite_url: str) -> Callable[[Scenario], Any]:
    """Runs a scenario with a SQLite store."""
    return lambda scenario: with_store(sqlite_url, scenario)


def make_end(reason: str = "match", ending: Ending = Ending.COMPARED, **changes: Any) -> Ended:
    """An exchange of GET /x that ended at 100 s."""
    fields: dict[str, Any] = {"boot": "boot", "route": "GET /x", "at": 100.0, "epoch": "e1", "client": "c1", "unit": "u1"}
    return Ended(**{**fields, "ending": ending, "reason": reason, **changes})


@pytest.fixture
def end() -> Callable[..., Ended]:
    """Makes ends."""
    return make_end


@pytest.fixture
def mismatch() -> Callable[..., Ended]:
    """Makes mismatches with one difference at `path` and an example named `name`."""

    def make(name: str, at: float = 100.0, path: str = "$.price", **changes: Any) -> Ended:
        differences = (DifferenceText(Atom("GET /x", "200/200", "body", path, "value"), "1", "2"),)
        example = Example(
            id=name,
            route="GET /x",
            at=at,
            live_side="primary",
            client="c1",
            request=Request("GET", b"/x?a=\xff", ((b"Accept", b"*/*"),), b"\0body"),
            primary=Response(200, ((b"X-A", b"1"),), b"{}"),
            candidate=Response(200, (), b"[]", truncated=True),
            differences=differences,
            tolerated=("rule",),
            build="b1",
            rules_digest="r1",
            primary_ms=1.5,
        )
        return make_end("mismatch", at=at, differences=differences, example=example, **changes)

    return make


@pytest.fixture
def batch() -> Callable[..., Batch]:
    """A batch of ends."""
    return lambda *ended, **rest: Batch(ended=ended, **rest)
