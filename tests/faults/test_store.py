"""The store is locked, full, moved away, replaced or deleted: clients never notice, results wait, and no number is made up."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from faults_audit import assert_clients_fine
from faults_load import Load, offer
from faults_play import SLOWEST_S, during, resumed
from faults_stage import Stage, staged, until

from store.database import open_store
from store.tasks import spawn
from traffic.ledger import Ledger

DISK = 24 * 1024 * 1024


@pytest.fixture(scope="module")
def disk(folder: Path) -> Iterator[Path]:
    """A small file system for the store, or a plain folder where mounting is not allowed."""
    place = folder / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", place], capture_output=True, check=False)
    yield place
    if mounted.returncode == 0:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture(scope="module")
def stage(runner: asyncio.Runner, folder: Path, disk: Path) -> Iterator[Stage]:
    context = staged(folder, disk)
    yield runner.run(context.__aenter__())
    runner.run(context.__aexit__(None, None, None))


def all_judged(load: Load, ledger: Ledger) -> None:
    assert_clients_fine(load)
    assert load.percentile(0.99) < SLOWEST_S
    assert ledger.verdicts == {"match": len(load.attempts)}
    assert (ledger.lost, ledger.skipped) == ({}, {})


def test_locked(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-13] Another process holds the database for seconds: every result is stored afterwards."""

    async def lock() -> None:
        with closing(sqlite3.connect(stage.store_path, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            await asyncio.sleep(2.0)
            connection.execute("ROLLBACK")

    async def scenario() -> None:
        all_judged(*await during(stage, lock))

    runner.run(scenario())


def test_disk_full(stage: Stage, disk: Path, runner: asyncio.Runner) -> None:
    """[F-14] Nothing can be written for seconds: every result is stored once there is room, without a restart, and the file is whole."""

    async def fill() -> None:
        _empty_log(stage.store_path)
        if not _filled(disk):
            _limit_file_size(stage, 0)
        try:
            said = stage.shadow.log.stat().st_size
            await until("the shadow says so", lambda: "does not take results" in stage.shadow.log.read_text()[said:], 5.0)
            await asyncio.sleep(1.5)
        finally:
            (disk / "filling").unlink(missing_ok=True)
            _limit_file_size(stage, resource.RLIM_INFINITY)

    async def scenario() -> None:
        all_judged(*await during(stage, fill))
        with closing(sqlite3.connect(stage.store_path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    runner.run(scenario())


@pytest.mark.soak
def test_writes_refused(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-14] [F-15] The same where the process may not write any more (a quota, a read-only file system)."""

    async def refuse() -> None:
        _empty_log(stage.store_path)
        _limit_file_size(stage, 0)
        await asyncio.sleep(1.5)
        _limit_file_size(stage, resource.RLIM_INFINITY)

    async def scenario() -> None:
        all_judged(*await during(stage, refuse))

    runner.run(scenario())


def test_moved_away_and_back(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-15] The file is away for seconds, and a folder lies in its place: results wait for it and nothing is lost."""

    async def move() -> None:
        away = stage.store_path.parent / "away"
        away.mkdir()
        for path in _files(stage):
            path.rename(away / path.name)
        stage.store_path.mkdir()
        await asyncio.sleep(1.5)
        stage.store_path.rmdir()
        for path in away.iterdir():
            path.rename(stage.store_path.parent / path.name)
        away.rmdir()

    async def scenario() -> None:
        all_judged(*await during(stage, move))

    runner.run(scenario())


def test_deleted(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-15] The file is deleted for good: no result goes into what nobody can read, and in a new store all that is gone shows as lost."""

    async def scenario() -> None:
        before = await stage.at_rest()
        for path in _files(stage):
            path.unlink()
        said = stage.shadow.log.stat().st_size
        load = await offer(stage.port, 1.0, 200.0)
        assert_clients_fine(load)
        await until("the shadow says so", lambda: "there is no store" in stage.shadow.log.read_text()[said:], 5.0)
        store = open_store(stage.settings.store_url)
        await store.upgrade()
        await store.close()
        load += await offer(stage.port, 1.0, 200.0)
        await stage.shadow.stop()  # the next one compares what was sent with what the new store knows of
        stage.shadow.start()
        await stage.shadow_ready()
        ledger = await stage.at_rest()
        assert ledger.violations() == []
        assert ledger.seen == before.seen + len(load.attempts)
        assert ledger.verdicts == {"match": len(load.attempts)}
        assert ledger.lost == {"worker_died": before.seen}
        await resumed(stage)

    runner.run(scenario())


@pytest.mark.soak
def test_damaged(stage: Stage, runner: asyncio.Runner) -> None:
    """[F-15] Pages full of noise: a shadow that is started on them says what to do and ends; clients are fine, and so is what follows."""

    async def damage() -> None:
        _empty_log(stage.store_path)
        await stage.shadow.kill()
        with stage.store_path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(16384))
        stage.shadow.start()
        assert await stage.shadow.ended() == 4
        assert (
            "the database file is damaged; restore a backup, or `paritygate store quarantine`" in stage.shadow.log.read_text()
        )
        shutil.rmtree(stage.folder / "damaged", ignore_errors=True)
        (stage.folder / "damaged").mkdir()
        for path in _files(stage):
            shutil.move(path, stage.folder / "damaged" / path.name)
        stage.shadow.start()
        await stage.shadow_ready()

    async def scenario() -> None:
        asking = spawn(offer(stage.port, 12.0, 50.0), "load")
        await damage()
        assert_clients_fine(await asking)
        ledger = await stage.at_rest()
        assert ledger.violations() == []
        assert ledger.seen == sum(ledger.verdicts.values()) + sum(ledger.lost.values()) + sum(ledger.skipped.values())
        await resumed(stage)

    runner.run(scenario())


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [1, 10, 60])
def test_locked_for_long(stage: Stage, runner: asyncio.Runner, seconds: int) -> None:
    """[F-13] Locks of 1, 10 and 60 s: longer than any patience of the database's own."""

    async def lock() -> None:
        with closing(sqlite3.connect(stage.store_path, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            await asyncio.sleep(seconds)

    async def scenario() -> None:
        begun = time.monotonic()
        load, ledger = await during(stage, lock, rate=100.0, within_s=30.0)
        assert time.monotonic() - begun > seconds
        all_judged(load, ledger)

    runner.run(scenario())


def _files(stage: Stage) -> list[Path]:
    return sorted(stage.store_path.parent.glob("paritygate.db*"))


def _empty_log(path: Path) -> None:
    """Without room in the write-ahead log the next write needs the disk."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _filled(disk: Path) -> bool:
    """Whether it is a disk of its own, which is full now."""
    if not disk.is_mount():
        return False
    with (disk / "filling").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    return True


def _limit_file_size(stage: Stage, most: int) -> None:
    """Where the shadow's files may end; its log is another process' descriptor and bound by it as well."""
    resource.prlimit(stage.shadow.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
