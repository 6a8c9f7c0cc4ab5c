"""Two workers on one port: they share clients, are told the same, and are replaced when they die."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from crew_stage import CrewStage, crewed, is_alive, load, until, worker_pids

from gate import decision as signed
from gate.facts import State

Play = Callable[[Callable[[CrewStage], Coroutine[Any, Any, None]]], None]


@pytest.fixture(scope="module")
def play(backend_and_shadow: Any) -> Iterator[Play]:
    """Plays a scenario on one crew that all tests of this module share."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    stage = crewed(folder, *backend_and_shadow, tables='[[route]]\nmatch = "GET /old"')
    made = run(stage.__aenter__())
    try:
        yield lambda scenario: run(scenario(made))
    finally:
        run(stage.__aexit__(None, None, None))
        run(loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        shutil.rmtree(folder, ignore_errors=True)


async def sides(s: CrewStage, count: int = 24) -> set[bytes]:
    """Who answers so many new connections."""
    return {(await s.ask())[1].split(b" ")[0] for _ in range(count)}


@pytest.mark.parametrize("count", [16, 64, 300])
def test_a_burst_of_clients_is_shared_evenly(play: Play, count: int) -> None:
    """[B15] Nobody takes a whole backlog."""

    async def scenario(s: CrewStage) -> None:
        await until(lambda: _clients(s, 0), "earlier clients are gone")
        clients = await asyncio.gather(*(s.client() for _ in range(count)))
        try:
            assert {status for status, _ in await asyncio.gather(*(client.ask() for client in clients))} == {200}
            await until(lambda: _clients(s, count), "all clients are reported")
            shares = [worker["clients"] for worker in await s.workers()]
        finally:
            for client in clients:
                client.close()
        assert len(shares) == 2
        assert min(shares) >= count // 4, shares  # usually half; a worker that gets no processor for a while gets fewer

    play(scenario)


async def _clients(s: CrewStage, count: int) -> bool:
    return sum(worker["clients"] for worker in await s.workers()) == count


def test_pause_reaches_every_worker_before_it_returns(play: Play) -> None:
    async def scenario(s: CrewStage) -> None:
        async with load(s):
            await asyncio.sleep(0.2)
            begun = time.monotonic()
            assert (await s.admin("POST", "/pause")).json() == {"paused": True}
            assert time.monotonic() - begun < 3.0  # 1 s on a machine of its own
        before = await s.at_rest()
        assert {status for status, _ in [await s.ask() for _ in range(24)]} == {200}
        after = await s.at_rest()
        assert (after["pending"], after["skipped"]["paused"]) == (before["pending"], before["skipped"]["paused"] + 24)
        assert (await s.admin("POST", "/resume")).json() == {"paused": False}
        for _ in range(24):
            await s.ask()
        again = await s.at_rest()
        assert (again["pending"], again["skipped"]["paused"]) == (after["pending"] + 24, after["skipped"]["paused"])

    play(scenario)


def test_a_decision_reaches_every_worker_before_it_returns_and_costs_no_request(play: Play) -> None:
    """[F-28] Decisions swapped under load: no request fails, and each is decided once."""

    async def scenario(s: CrewStage) -> None:
        async with load(s) as clients:
            for number in range(40):
                answer = await s.decide(10_000 if number % 2 == 0 else 0)
                assert answer.json() == {"applied": True, "route": "GET /items/{id}", "seq": s.seq}
                wanted = {b"candidate"} if number % 2 == 0 else {b"primary"}
                assert await sides(s, 4) == wanted
        assert clients.failed == 0
        assert clients.answered > 100
        assert {body.split(b" ")[0] for body in clients.bodies} == {b"primary", b"candidate"}
        assert s.ledger().violations() == []

    play(scenario)


def test_off_is_a_kill_switch_for_one_route_in_every_worker(play: Play) -> None:
    async def scenario(s: CrewStage) -> None:
        before = await s.at_rest()
        assert (await s.decide(0, route="GET /old", state=State.OFF)).status_code == 200
        for _ in range(16):
            assert (await s.ask("/old"))[0] == 200
        after = await s.at_rest()
        assert after["skipped"]["excluded"] == before["skipped"]["excluded"] + 16
        assert after["pending"] == before["pending"]

    play(scenario)


def test_what_is_not_signed_reaches_no_worker(play: Play) -> None:
    async def scenario(s: CrewStage) -> None:
        await s.decide(0)
        forged = s.decision(10_000)
        object.__setattr__(forged, "mac", "0" * 64)
        assert (await s.admin("POST", "/decisions", content=signed.encode(forged))).status_code == 403
        assert await sides(s) == {b"primary"}

    play(scenario)


def test_an_alarm_that_one_worker_hears_takes_the_route_back_in_all_of_them(play: Play) -> None:
    async def scenario(s: CrewStage) -> None:
        await s.decide(10_000)
        assert await sides(s) == {b"candidate"}
        s.shadow.alarm("GET /items/{id}")  # over one connection only

        async def known() -> bool:
            return (await s.admin("GET", "/decisions")).json()["alarms"] == {"GET /items/{id}": s.seq}

        await until(known, "the parent knows of the alarm", 6.0)
        await until(lambda: _all_primary(s), "every worker knows of it", 6.0)
        assert f'"GET /items/{{id}}": {s.seq}' in (s.settings.state_dir / "decisions.json").read_text()
        await s.decide(10_000)
        assert await sides(s) == {b"candidate"}
        await s.decide(0)

    play(scenario)


async def _all_primary(s: CrewStage) -> bool:
    return await sides(s, 12) == {b"primary"}


def test_a_failing_candidate_is_seen_over_all_workers_together(play: Play) -> None:
    """No worker has seen more than half of its last twenty requests fail, all of them together have."""

    async def scenario(s: CrewStage) -> None:
        s.candidate.says(b"/items/bad", b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno")
        await s.decide(10_000)
        clients = [await s.client() for _ in range(14)]  # seven in each worker, or nearly so
        statuses = {status for status, _ in [await client.ask("/items/bad") for client in clients]}
        assert {500} <= statuses <= {200, 500}

        for client in clients:
            client.close()

        async def known() -> bool:
            return (await s.admin("GET", "/decisions")).json()["alarms"] == {"GET /items/{id}": s.seq}

        await until(known, "the parent has taken the route back", 15.0)
        await until(lambda: _all_primary(s), "every worker knows of it", 6.0)
        s.candidate.scripts.clear()
        await s.decide(0)

    play(scenario)


def test_unique_paths_make_no_new_series(play: Play) -> None:
    """[T22] Labels are route templates: whatever paths and methods clients think of, the number of series stays."""

    async def scenario(s: CrewStage) -> None:
        for path in ("/items/1", "/nowhere"):
            await s.ask(path)
        before = await _series(s)
        client = await s.client()
        for number in range(500):
            await client.ask(f"/items/{number}")
            await client.ask(f"/secret-{number}/{number}")
        client.close()
        assert await _series(s) == before
        assert "secret-" not in (await s.admin("GET", "/metrics")).text

    play(scenario)


async def _series(s: CrewStage) -> set[str]:
    text = (await s.admin("GET", "/metrics")).text
    return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}


def test_a_worker_that_is_killed_costs_its_own_connections_only_and_is_replaced(play: Play) -> None:
    """[F-18] kill -9 of one of two under load: its sibling goes on, nobody is refused, the sums go on, the books stay exact."""

    async def scenario(s: CrewStage) -> None:
        seen = await s.metric('paritygate_requests_seen_total{route="GET /items/{id}"}')
        before, restarts = await s.at_rest(), (await s.status())["workers"]["restarts"]
        async with load(s, connections=12) as clients:
            await until(lambda: _clients(s, 12), "all clients are reported")
            victim, sibling = await s.workers()
            os.kill(victim["pid"], signal.SIGKILL)
            await until(lambda: not is_alive(victim["pid"]), "it is dead")
            await until(lambda: _started(s, victim["pid"]), "another one is started", 5.0)
            await until(lambda: clients.failed, "its clients notice")
            await asyncio.sleep(0.1)
            failed_at_once = clients.failed
            await asyncio.sleep(0.3)
        await s.serves()
        assert 0 < clients.failed == failed_at_once <= victim["clients"]
        places = {worker["place"]: worker["pid"] for worker in await s.workers()}
        assert places[sibling["place"]] == sibling["pid"]
        assert places[victim["place"]] != victim["pid"]
        assert (await s.status())["workers"]["restarts"] == restarts + 1
        total = await s.at_rest()
        died = total["refused"]["proxy_died"] - before["refused"]["proxy_died"]
        assert died <= clients.failed
        # Killed between an answer and its count, or between the count and the answer: either is one of the connections that broke.
        assert clients.answered - died <= _served(total) - _served(before) <= clients.answered + clients.failed
        assert await s.metric('paritygate_requests_seen_total{route="GET /items/{id}"}') >= seen + clients.answered
        ledger = s.ledger()  # of the files: what died is open there until the shadow closes its books
        assert (ledger.seen, ledger.open) == (total["seen"], total["refused"]["proxy_died"])

    play(scenario)


def _served(total: dict[str, Any]) -> int:
    return int(total["served_primary"] + total["served_candidate"])


async def _started(s: CrewStage, but: int) -> bool:
    return len(worker_pids(s.port) - {but}) == 2


def test_a_new_worker_begins_with_everything_that_is_in_force(play: Play) -> None:
    """[F-28] Decisions, alarms and the pause are told before it accepts; a configuration that was broken meanwhile is not read."""

    async def scenario(s: CrewStage) -> None:
        config = s.settings.source
        assert config is not None
        text = config.read_text()
        await s.decide(10_000)
        await s.admin("POST", "/pause")
        paused = (await s.at_rest())["skipped"]["paused"]
        config.write_text("[primary\nurl = half a fi")
        try:
            for worker in await s.workers():
                os.kill(worker["pid"], signal.SIGKILL)
            await until(lambda: _clients(s, 0), "both are gone")
            # The port stays open: whoever comes now waits for the new workers and is answered by them.
            assert await sides(s) == {b"candidate"}
            await s.serves()
            assert await sides(s) == {b"candidate"}
        finally:
            config.write_text(text)
        assert (await s.at_rest())["skipped"]["paused"] == paused + 48
        await s.admin("POST", "/resume")
        await s.decide(0)

    play(scenario)


def test_a_worker_that_is_told_to_end_by_somebody_else_finishes_and_has_a_successor_meanwhile(play: Play) -> None:
    async def scenario(s: CrewStage) -> None:
        go = asyncio.Event()

        async def slow(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
            await go.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            return True

        s.primary.scripts[b"/items/slow"] = slow
        before = {worker["pid"] for worker in await s.workers()}
        waiting = [asyncio.get_running_loop().create_task(s.ask("/items/slow")) for _ in range(12)]
        await until(lambda: s.ledger().open >= 12, "they are under way")
        leaving = min(before)
        os.kill(leaving, signal.SIGTERM)

        await until(lambda: len(worker_pids(s.port)) == 3, "its successor is started while it finishes", 8.0)
        assert is_alive(leaving)
        go.set()
        assert await asyncio.gather(*waiting) == [(200, b"ok")] * 12
        await until(lambda: not is_alive(leaving), "the old one ends")
        await s.serves()

    play(scenario)


def test_a_worker_is_lean(play: Play) -> None:
    """Neither the database nor the differ nor the dashboard is in a worker: it starts quickly and stays small."""
    code = (
        "import sys, proxy.worker; heavy = {'sqlalchemy', 'streamlit', 'deepdiff', 'pandas', 'differ', 'rules', 'httpx', 'uvicorn'};"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )

    async def scenario(s: CrewStage) -> None:
        done = await asyncio.create_subprocess_exec(sys.executable, "-O", "-P", "-c", code, stderr=asyncio.subprocess.PIPE)
        _, said = await done.communicate()
        assert (done.returncode, said) == (0, b"")
        resident = await s.metric('paritygate_worker_resident_bytes{worker="0"}')
        assert resident < 130e6
        assert await s.metric('paritygate_worker_open_files{worker="1"}') > 5
        assert [await s.metric(f"paritygate_workers_{name}") for name in ("ready", "configured")] == [2, 2]

    play(scenario)
