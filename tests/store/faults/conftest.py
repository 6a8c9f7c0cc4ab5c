"""Makes the helpers of this folder importable by a name of their own; a PostgreSQL that tests may stop, kill and freeze."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from store_server import Server
from store_writers import Writers


@pytest.fixture(scope="session")
def frail() -> Iterator[Server]:
    """A PostgreSQL of this folder's own: whoever breaks it starts it again."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def writers() -> Iterator[Writers]:
    """Starts writer processes in no time: what they need is imported once."""
    made = Writers()
    yield made
    made.close()
