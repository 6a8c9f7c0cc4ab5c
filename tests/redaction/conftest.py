"""A real PostgreSQL for the search of its tables, and the shadow's test stage from the folder beside."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import shadow.channel
from tests.postgres import empty_database, postgres_server, socket_of

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "shadow")]


@pytest.fixture(autouse=True)
def short_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's end of the channel does not leave when it is asked to."""
    monkeypatch.setattr(shadow.channel, "FAREWELL_S", 0.1)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """An empty database on a server of its own."""
    with postgres_server() as server:
        yield empty_database(socket_of(server))
