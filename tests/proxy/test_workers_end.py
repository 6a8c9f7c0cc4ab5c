"""How a proxy with workers ends: by a signal, by force, in the middle of everything; and how the next one begins."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from crew_stage import CrewStage, children, is_alive, load, until, worker_pids

from proxy.errors import AddressTaken, ProxyError
from proxy.port import PATIENCE_S, take_port
from tests.ports import free_port


def slowly(seconds: float) -> Any:
    async def script(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(seconds)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    return script


def raw_client(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port))
    made.settimeout(10)
    return made


def test_sigterm_answers_everybody_who_is_connected_and_exits_cleanly(crew: Any) -> None:
    """[F-19] 20 requests of a second each and connections that nobody has accepted yet: all are answered, new ones are refused."""

    async def scenario() -> None:
        async with crew(own_process=True) as s:
            s.primary.scripts[b"/items/slow"] = slowly(1.0)
            under_way = [asyncio.get_running_loop().create_task(s.ask("/items/slow")) for _ in range(20)]
            await until(lambda: s.ledger().open == 20, "they are under way")
            pids = [worker["pid"] for worker in await s.workers()]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            waiting = [raw_client(s.port) for _ in range(8)]  # in the kernel's backlog, their requests with them
            for client in waiting:
                client.sendall(b"GET /items/late HTTP/1.1\r\nHost: a\r\n\r\n")
            s.process.send_signal(signal.SIGTERM)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            answers = [await asyncio.to_thread(client.recv, 65536) for client in waiting]
            for client in waiting:
                client.close()
            assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
            assert (await s.admin("GET", "/readyz")).status_code == 503
            with pytest.raises(ConnectionRefusedError):
                raw_client(s.port)
            assert await asyncio.gather(*under_way) == [(200, b"ok")] * 20
            assert await s.process.wait() == 0
            ledger = s.ledger()
            assert (ledger.seen, ledger.served_primary, ledger.open) == (28, 28, 0)
            late = ledger.skipped.get("draining", 0)  # what began in the drain is answered and not mirrored any more
            assert (late <= 8, ledger.pending) == (True, 28 - late)
            await until(lambda: len(s.shadow.exchanges) == ledger.pending, "everything is handed over: lost = 0")
            assert [line for line in s.log().splitlines() if '"level": "error"' in line or "Traceback" in line] == []

    asyncio.run(scenario())


async def never(asked: Any, reader: asyncio.StreamReader, writer: Any) -> bool:
    """Reads until the proxy gives up."""
    await reader.read(1)
    return False


def test_a_drain_is_cut_short_by_an_impatient_person_and_by_no_second_sigterm(crew: Any) -> None:
    """[F-19]"""

    async def scenario() -> None:
        async with crew(workers=1) as s:
            s.primary.scripts[b"/items/slow"] = never
            under_way = asyncio.get_running_loop().create_task(s.ask("/items/slow"))
            await until(lambda: s.ledger().open == 1, "it is under way")
            assert callable(signal.getsignal(signal.SIGTERM))  # both are the parent's, here in this very process
            os.kill(os.getpid(), signal.SIGTERM)
            await until(lambda: _draining(s), "the drain begins")
            begun = time.monotonic()
            os.kill(os.getpid(), signal.SIGTERM)  # shells and containers send it twice
            await asyncio.sleep(0.5)
            assert not s.task.done()
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.wait([s.task], timeout=10)
            assert s.task.done()
            assert time.monotonic() - begun < 8.0  # a whole drain takes 9
            assert isinstance((await asyncio.gather(under_way, return_exceptions=True))[0], OSError | EOFError)
            assert s.ledger().refused == {"draining": 1}

    asyncio.run(scenario())


async def _draining(s: CrewStage) -> bool:
    return bool((await s.admin("GET", "/readyz")).json()["draining"])


def test_a_parent_that_is_killed_takes_its_workers_with_it_and_the_next_one_has_the_port_at_once(crew: Any) -> None:
    """[F-18] [F-26] kill -9 of the parent: what is under way is still answered, nothing is left of it, routing is as it was."""

    async def scenario() -> None:
        async with crew(own_process=True) as s:
            await s.decide(10_000)
            s.candidate.scripts[b"/items/slow"] = slowly(2.0)
            under_way = asyncio.get_running_loop().create_task(s.ask("/items/slow"))
            await until(lambda: s.ledger().open == 1, "it is under way")
            orphans = {worker["pid"] for worker in await s.workers()}
            assert children(s.process.pid) == orphans
            os.kill(s.process.pid, signal.SIGKILL)
            await s.process.wait()
            # At once, as a supervisor does it: the port may still be theirs for a moment.
            await s.start_here()
            assert (await s.ask())[1].startswith(b"candidate")
            assert await under_way == (200, b"ok")
            await until(lambda: not any(is_alive(pid) for pid in orphans), "the orphans have ended")
            assert worker_pids(s.port) == {worker["pid"] for worker in await s.workers()}
            ledger = s.ledger()
            assert (ledger.seen, ledger.served_candidate, ledger.open) == (2, 2, 0)
            kept = sorted(file.name for file in s.settings.state_dir.iterdir() if not file.name.startswith("openings-"))
            assert kept == ["decisions.json", f"parent-127.0.0.1-{s.port}.lock", f"port-127.0.0.1-{s.port}.lock"]

    asyncio.run(scenario())


async def restarts(s: CrewStage, count: int) -> None:
    """Kills the parent with -9 under load, again and again; whoever was connected may fail, nothing is ever left behind."""
    answered = failed = 0
    for _ in range(count):
        async with load(s, connections=4) as clients:
            await until(lambda found=clients: found.answered > 20, "clients are served")
            os.kill(s.process.pid, signal.SIGKILL)
            await s.process.wait()
            await asyncio.sleep(0.1)
        answered, failed = answered + clients.answered, failed + clients.failed
        await s.start()
        assert len(worker_pids(s.port)) <= 4  # ours, and orphans that are about to end
    await s.end()
    await until(lambda: not worker_pids(s.port), "no process is left", 20)
    ledger = s.ledger()
    assert ledger.served_primary + ledger.open >= answered
    assert ledger.served_primary <= answered + failed
    files = list(s.settings.state_dir.iterdir())
    assert sum(file.stat().st_size for file in files) < (count + 1) * 2 * 1_000_000
    assert len([file for file in files if not file.name.startswith("openings-")]) <= 4, files


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_fifty_restarts_leave_nothing_behind(crew: Any) -> None:
    """[F-18] [F-26] The same fifty times."""

    async def scenario() -> None:
        async with crew(own_process=True) as s:
            await restarts(s, 50)

    asyncio.run(scenario())


def test_a_port_that_somebody_else_has_is_refused_without_waiting(folder: Path) -> None:
    from settings.model import Settings

    async def scenario() -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            settings = Settings(proxy={"listen": f"127.0.0.1:{other.getsockname()[1]}"}).located(folder, None)  # type: ignore[arg-type]
            begun = time.monotonic()
            with pytest.raises(AddressTaken, match="another process listens there already"):
                await take_port(settings)
            assert time.monotonic() - begun < PATIENCE_S / 2

    asyncio.run(scenario())


def test_a_port_that_orphans_still_have_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[F-18] Who holds the port's lock without a parent is about to end; a living parent is not waited for."""
    from settings.model import Settings

    async def scenario() -> None:
        fixed = Settings(proxy={"listen": f"127.0.0.1:{free_port()}"}).located(folder, None)  # type: ignore[arg-type]
        (await take_port(fixed)).close()
        port = await take_port(fixed)
        begun = time.monotonic()
        with pytest.raises(AddressTaken):
            await take_port(fixed)  # its parent lives: it is us
        assert time.monotonic() - begun < PATIENCE_S / 2
        # What is left of a parent that was killed: the socket and the lock that the workers have inherited.
        front, holders = socket.socket(fileno=os.dup(port.front.fileno())), os.dup(port.holders)
        port.close()

        def let_go() -> None:
            front.close()
            os.close(holders)

        asyncio.get_running_loop().call_later(0.3, let_go)
        (await take_port(fixed)).close()
        assert time.monotonic() - begun > 0.3

    asyncio.run(scenario())


def test_workers_that_cannot_start_end_the_proxy(crew: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not tried for ever where no worker has ever been ready."""
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def scenario() -> None:
        with pytest.raises(ProxyError, match="the workers end before they serve"):
            async with crew(workers=1):
                pass

    asyncio.run(scenario())
