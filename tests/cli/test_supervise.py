"""The supervisor: starts parts, restarts what dies, ends all of them in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from cli.supervise import Part, Supervisor

FOREVER = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print('up', flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause(); signal.pause()"
)


def part(name: str, code: str, folder: Path, essential: bool = True) -> Part:
    return Part(name, [sys.executable, "-c", code], log=folder / name, essential=essential)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


def is_up(folder: Path, name: str, times: int = 1) -> bool:
    path = folder / name
    return path.exists() and path.read_text().count("up") >= times


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_part_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """[F-17] [F-26] At once the first time; each next time, it waits for twice as long."""

    async def scenario() -> None:
        said: list[str] = []
        supervisor = Supervisor([part("a", FOREVER, tmp_path)], said.append)
        supervisor.start()
        await until(lambda: is_up(tmp_path, "a"))
        pid = supervisor.pid("a")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: is_up(tmp_path, "a", times=2))
        assert supervisor.starts("a") == 2
        assert said == ["a: ended (exit -9), started again at once"]
        for times in (3, 4):
            pid = supervisor.pid("a")
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda count=times: is_up(tmp_path, "a", times=count))  # type: ignore[misc]
        assert [text.rpartition(" in ")[2] for text in said[1:]] == ["0.2 s", "0.4 s"]
        await supervisor.stop()

    asyncio.run(scenario())


def test_stop_ends_every_part_and_a_stubborn_one_by_force(tmp_path: Path) -> None:
    async def scenario() -> None:
        supervisor = Supervisor([part("a", FOREVER, tmp_path), part("b", STUBBORN, tmp_path)], lambda text: None)
        supervisor.start()
        await until(lambda: is_up(tmp_path, "a") and is_up(tmp_path, "b"))
        pids = [supervisor.pid("a"), supervisor.pid("b")]
        await supervisor.stop(patience=0.5)
        assert [supervisor.pid("a"), supervisor.pid("b")] == [None, None]
        for pid in pids:
            assert pid is not None
            assert not is_alive(pid)

    asyncio.run(scenario())


def test_an_essential_part_that_cannot_start_ends_everything_with_its_code(tmp_path: Path) -> None:
    async def scenario() -> int:
        supervisor = Supervisor(
            [part("a", FOREVER, tmp_path), part("b", "import sys; sys.exit(4)", tmp_path)], lambda text: None
        )
        supervisor.start()
        code = await asyncio.wait_for(supervisor.wait(), 20)
        await supervisor.stop()
        return code

    assert asyncio.run(scenario()) == 4


def test_the_dashboard_may_fail_without_taking_the_proxy_down(tmp_path: Path) -> None:
    async def scenario() -> None:
        said: list[str] = []
        parts = [part("a", FOREVER, tmp_path), part("b", "import sys; sys.exit(2)", tmp_path, essential=False)]
        supervisor = Supervisor(parts, said.append)
        supervisor.start()
        await until(lambda: is_up(tmp_path, "a") and any("b: cannot run" in text for text in said))
        assert supervisor.pid("a") is not None
        await supervisor.stop()

    asyncio.run(scenario())
