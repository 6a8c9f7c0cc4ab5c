"""[F-25] Memory: near its ceiling a proxy gives up copies, never clients; what the kernel ends first is the shadow; no core is dumped."""

from __future__ import annotations

import asyncio
import gzip
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from proxy import memory_ceiling
from proxy.copy_budget import CopyBudget, Copying
from proxy.live_path import Identity, LivePath
from proxy.memory_ceiling import MemoryCeiling, ceiling_of, cgroup_limit, resident_bytes
from settings.model import Settings
from settings.routes import load_route_table

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024


@pytest.fixture
def path(folder: Path) -> Iterator[LivePath]:
    settings = Settings().located(folder, None)
    made = LivePath(settings, b"k" * 32, load_route_table(settings, []), Identity("boot", "node"))
    yield made
    made.close()


def test_copies_are_given_up_in_two_steps_and_come_back_lower(path: LivePath) -> None:
    """[F-25] One line of log for each change, with the figures."""
    resident = 0
    ceiling = MemoryCeiling(path, 100 * MIB, "proxy.max_memory", lambda: resident)
    steps = [
        (79, Copying.ALL),
        (80, Copying.NO_BODIES),
        (76, Copying.NO_BODIES),
        (94, Copying.NO_BODIES),
        (95, Copying.NOTHING),
        (90, Copying.NOTHING),
        (89, Copying.NO_BODIES),
        (75, Copying.NO_BODIES),
        (74, Copying.ALL),
        (79, Copying.ALL),
        (99, Copying.NOTHING),
        (10, Copying.ALL),
    ]
    with capture_logs() as logs:
        for percent, expected in steps:
            resident = percent * MIB
            ceiling.look()
            assert ceiling.copying is expected, percent
            assert path.copies.take(1) is (expected is Copying.ALL)
            path.copies.give(path.copies.used)
    assert [entry["log_level"] for entry in logs] == ["warning", "warning", "warning", "info", "warning", "info"]
    assert logs[0]["resident_mib"] == 80
    assert (logs[0]["ceiling_mib"], logs[0]["ceiling_from"]) == (100, "proxy.max_memory")


def test_bodies_are_not_kept_and_then_nothing_is_copied_while_clients_are_served(
    stage: Any, wait: Any, monkeypatch: Any
) -> None:
    """[F-25] The first step lets bodiless exchanges go on; each copy given up is counted as queue_full."""
    resident = 10 * MIB
    monkeypatch.setattr(memory_ceiling, "resident_bytes", lambda: resident)
    monkeypatch.setattr(MemoryCeiling.run, "__defaults__", (0.02,))

    async def scenario() -> None:
        nonlocal resident
        async with stage(proxy={"max_memory": 100 * MIB}) as s:
            s.primary.says(b"/none", b"HTTP/1.1 204 No Content\r\n\r\n")
            assert (await s.ask("/items/1")).body == b"primary /items/1 "
            assert (await s.at_rest(1)).skipped == {}
            with capture_logs() as logs:
                resident = 85 * MIB
                await wait(lambda: logs)
                assert (await s.ask("/items/2")).body == b"primary /items/2 "
                assert (await s.at_rest(2)).skipped == {"queue_full": 1}
                assert (await s.ask("/none")).status == 204
                assert (await s.at_rest(3)).pending == 2
                resident = 96 * MIB
                await wait(lambda: len(logs) == 2)
                assert (await s.ask("/none")).status == 204
                assert (await s.at_rest(4)).skipped == {"queue_full": 2}
                resident = 20 * MIB
                await wait(lambda: len(logs) == 3)
            assert (await s.ask("/items/3")).status == 200
            ledger = await s.at_rest(5)
            assert (ledger.served_primary, ledger.pending, ledger.skipped) == (5, 3, {"queue_full": 2})

    asyncio.run(scenario())


def test_what_is_kept_for_open_requests_is_given_back_at_the_second_step(stage: Any, wait: Any, monkeypatch: Any) -> None:
    """[F-25]"""
    resident = 10 * MIB
    monkeypatch.setattr(memory_ceiling, "resident_bytes", lambda: resident)
    monkeypatch.setattr(MemoryCeiling.run, "__defaults__", (0.02,))
    budgets: list[CopyBudget] = []

    def noted() -> CopyBudget:
        budgets.append(CopyBudget())
        return budgets[-1]

    monkeypatch.setattr("proxy.live_path.CopyBudget", noted)

    async def scenario() -> None:
        nonlocal resident
        async with stage(proxy={"max_memory": 100 * MIB}) as s:
            go_on = asyncio.Event()

            async def slow(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1000)
                await go_on.wait()
                writer.write(b"y")
                return True

            s.primary.scripts[b"/items/1"] = slow
            asking = asyncio.get_running_loop().create_task(s.ask("/items/1"))
            await wait(lambda: budgets[0].used == 1000)
            resident = 99 * MIB
            await wait(lambda: budgets[0].used == 0)
            go_on.set()
            assert (await asking).body == b"x" * 1000 + b"y"
            assert (await s.at_rest(1)).skipped == {"queue_full": 1}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("lines", "files", "expected"),
    [
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": str(300 * MIB)}, 300 * MIB),
        ("0::/\n", {"memory.max": str(200 * MIB)}, 200 * MIB),
        ("0::/outside\n", {"memory.max": "max"}, None),
        ("4:memory:/a\n3:cpu:/\n0::/\n", {"memory/a/memory.limit_in_bytes": str(100 * MIB)}, 100 * MIB),
        ("4:memory:/gone\n", {"memory/memory.limit_in_bytes": str(50 * MIB)}, 50 * MIB),
        ("4:cpu,memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("nonsense\n", {}, None),
    ],
)
def test_the_limit_of_the_own_cgroup_is_found(folder: Path, lines: str, files: dict[str, str], expected: int | None) -> None:
    (folder / "membership").write_text(lines)
    for name, text in files.items():
        place = folder / "root" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text + "\n")
    assert cgroup_limit(folder / "root", folder / "membership") == expected


def test_without_a_setting_each_worker_has_its_share_of_the_cgroups_limit(path: LivePath, monkeypatch: Any) -> None:
    monkeypatch.setattr(memory_ceiling, "cgroup_limit", lambda root: 900 * MIB)
    ceiling = ceiling_of(Settings(proxy={"workers": 2}), path)  # type: ignore[arg-type]
    assert ceiling is not None
    assert ceiling.limit == 300 * MIB
    monkeypatch.setattr(memory_ceiling, "cgroup_limit", lambda root: None)
    assert ceiling_of(Settings(), path) is None
    own = ceiling_of(Settings(proxy={"max_memory": "64MiB"}), path)  # type: ignore[arg-type]
    assert own is not None
    assert own.limit == 64 * MIB


def test_answers_that_unpack_to_a_thousand_times_their_size_are_never_unpacked(stage: Any, wait: Any) -> None:
    """[T8] 60 answers of 200 kB that are 200 MB each: they pass as they are, and memory stays where it was."""
    bomb = gzip.compress(b"\0" * (200 * MIB), 9)
    assert len(bomb) < 210_000

    async def scenario() -> None:
        async with stage() as s:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
            s.primary.says(b"/items/1", head % len(bomb) + bomb)
            assert (await s.ask("/items/1")).body == bomb
            before = resident_bytes()
            for _ in range(12):
                assert {len(a.body) for a in await asyncio.gather(*(s.ask("/items/1") for _ in range(5)))} == {len(bomb)}
            await wait(lambda: len(s.shadow.exchanges) == 61)
            s.shadow.exchanges.clear()
            assert resident_bytes() - before < 50 * MIB
            ledger = await s.at_rest(61)
            assert (ledger.served_primary, ledger.pending) == (61, 61)

    asyncio.run(scenario())


@pytest.fixture
def confined(folder: Path) -> Iterator[Path | None]:
    """A cgroup of 300 MiB below our own, None where we may make none (then the tests use limits of the process)."""
    made = None
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, place = line.split(":", 2)
        if "memory" in controllers.split(","):
            made = Path("/sys/fs/cgroup/memory") / place.strip("/") / f"paritygate-test-{os.getpid()}"
    try:
        if made is None:
            raise FileNotFoundError
        made.mkdir()
        (made / "memory.limit_in_bytes").write_text(str(300 * MIB))
    except OSError:
        yield None
        return
    try:
        yield made
    finally:
        made.rmdir()


HOG = """
import sys
sys.path.insert(0, sys.argv[1])
from shadow.giving_way import give_way
give_way()
print("ready", flush=True)
sys.stdin.readline()
held = []
try:
    while True:
        held.append(b"x" * (4 << 20))
except MemoryError:
    sys.exit(9)
"""


@pytest.mark.soak
def test_a_shadow_that_eats_all_memory_is_ended_and_the_proxy_serves_on(
    stage: Any, folder: Path, confined: Path | None, wait: Any
) -> None:
    """[F-25] Both under one limit of 300 MiB (where no cgroup may be made: each under its own limit of address space)."""
    config = folder / "paritygate.toml"

    async def start(command: list[str], output: Any, limited: int) -> asyncio.subprocess.Process:
        def confine() -> None:
            if confined is not None:
                (confined / "cgroup.procs").write_text("0")
            else:
                resource.setrlimit(resource.RLIMIT_AS, (limited, limited))

        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        return await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=output, stderr=output, preexec_fn=confine
        )

    async def scenario() -> None:
        async with stage() as s:
            await s.admin("POST", "/drain")
            await asyncio.wait([s.task], timeout=10)
            for file in s.settings.state_dir.glob("openings-*"):
                file.unlink()
            config.write_text(
                f'[primary]\nurl = "{s.settings.primary.url}"\n[candidate]\nurl = "{s.settings.candidate.url}"\n'
                f'[proxy]\nlisten = "127.0.0.1:{s.port}"\nadmin = "127.0.0.1:{s.admin_port}"\n'
            )
            (folder / "paritygate.key").write_text("ab" * 32)
            with (folder / "log").open("wb") as output:
                proxy = await start(
                    [sys.executable, "-P", "-m", "cli.main", "proxy", "--config", str(config)], output, 4096 * MIB
                )
                hog = await start([sys.executable, "-c", HOG, str(ROOT)], output, 300 * MIB)
            await wait(lambda: b"proxy: http" in (folder / "log").read_bytes(), "ready", 60)
            await wait(lambda: b"ready\n" in (folder / "log").read_bytes(), "ready", 60)
            served = 0
            hog.stdin.write(b"\n")  # type: ignore[union-attr]
            while hog.returncode is None or served < 200:
                answer = await s.ask(f"/items/{served}")
                assert (answer.status, answer.body) == (200, b"primary /items/%d " % served)
                served += 1
            assert hog.returncode in (-signal.SIGKILL, 9)
            assert proxy.returncode is None
            proxy.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(proxy.wait(), 30) == 0
            ledgers = s.ledgers().values()
            assert sum(ledger.served_primary for ledger in ledgers) == served

    asyncio.run(scenario())


CRASH = """
import os, sys
sys.path.insert(0, sys.argv[1])
from store.no_core_dumps import forbid_core_dumps
forbid_core_dumps()
os.abort()
"""


def test_a_process_that_crashes_leaves_no_core(folder: Path) -> None:
    """Its memory holds what clients and backends say to each other."""

    def as_much_as_allowed() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    ended = subprocess.Popen([sys.executable, "-P", "-c", CRASH, str(ROOT)], cwd=folder, preexec_fn=as_much_as_allowed)
    _, status = os.waitpid(ended.pid, 0)
    ended.returncode = 0
    assert os.WTERMSIG(status) == signal.SIGABRT
    assert not os.WCOREDUMP(status)
    assert list(folder.iterdir()) == []
