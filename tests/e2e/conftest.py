"""The whole of Paritygate, played once per module: twins, proxy, shadow, dashboard and the demo's traffic."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from e2e_stage import LoopThread, Played

from cli.demo_stage import Stage
from demo import traffic as demo_traffic


@pytest.fixture(scope="module")
def loop() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture(scope="module")
def played(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    stage = Stage(tmp_path_factory.mktemp("stage"), lambda text: None)
    loop.run(stage.__aenter__())
    try:
        report = loop.run(demo_traffic.run(stage.url, requests=2600, seed=7))
        yield Played(loop, stage, report, loop.run(stage.rest()))
    finally:
        loop.run(stage.__aexit__())
