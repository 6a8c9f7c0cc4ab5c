"""Nobody reads the logs, or they cannot be written: what we do matters more than what we say."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults_audit import Audit, assert_clients_fine
from faults_load import offer
from faults_stage import Stage


@contextmanager
def full_disk() -> Iterator[Path]:
    yield Path("/dev/full")


@contextmanager
def full_pipe() -> Iterator[Path]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writing, True)
    yield Path(f"/proc/self/fd/{writing}")
    os.close(writing)
    os.close(reading)


@pytest.mark.soak
@pytest.mark.parametrize("place", [full_disk, full_pipe])
def test_logs_that_nobody_takes(place) -> None:
    """[F-14] With the disk of the logs full, or their pipe: both processes start, work, meet an outage, and end as ever."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))

    async def scenario(log: Path) -> None:
        stage = Stage(folder, {}, None)
        stage.proxy.log = stage.shadow.log = log
        try:
            await stage.start()
            audit = await Audit.begin(stage)
            await stage.new_shadow()  # something to be said
            load = await offer(stage.port, 0.5)
            assert_clients_fine(load)
            assert (await audit.end(load)).verdicts == {"match": len(load.attempts)}
            assert [await part.stop() for part in (stage.proxy, stage.shadow)] == [0, 0]
        finally:
            await stage.stop()

    with place() as log:
        asyncio.run(scenario(log))
    shutil.rmtree(folder)
