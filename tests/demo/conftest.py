"""The twins, started once for all tests of the demo that only read or that create rows in step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import twins as demo_twins
from demo.twins import Twins
from tests.ports import free_ports


@pytest.fixture(scope="session")
def start_twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Twins]]:
    """Starts a pair on free ports and waits for it; all pairs are stopped at the end."""
    started: list[Twins] = []

    def start(fix: str = "") -> Twins:
        workdir: Path = tmp_path_factory.mktemp("twins")
        pair = demo_twins.start(*free_ports(2), workdir, fix)
        started.append(pair)
        pair.wait_ready()
        return pair

    yield start
    for pair in started:
        pair.stop()


@pytest.fixture(scope="session")
def twins(start_twins: Callable[[str], Twins]) -> Twins:
    """A pair with every defect planted."""
    return start_twins("")
