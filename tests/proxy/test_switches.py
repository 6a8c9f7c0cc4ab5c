"""Pause, resume, drain, and what the admin listener tells."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from proxy.errors import ProxyError
from proxy.front import bind, refuse_circle
from store.openings import read_openings
from tests.one_process import serve

ROOT = Path(__file__).resolve().parents[2]


def test_pause_stops_mirroring_and_nothing_else(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            assert (await s.admin("POST", "/pause")).json() == {"paused": True}
            assert (await s.ask("/items/1")).status == 200
            assert (await s.at_rest(1)).skipped == {"paused": 1}
            assert (await s.admin("POST", "/resume")).json() == {"paused": False}
            await s.ask("/items/1")
            assert (await s.at_rest(2)).pending == 1

    asyncio.run(scenario())


def test_drain_answers_what_is_under_way_and_ends(stage: Any, wait: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            go = asyncio.Event()

            async def slow(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                await go.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                return True

            s.primary.scripts[b"/slow"] = slow
            idle_reader, idle = await asyncio.open_connection("127.0.0.1", s.port)
            waiting = [asyncio.get_running_loop().create_task(s.ask("/slow")) for _ in range(20)]
            await wait(lambda: s.ledger().open == 20)
            assert (await s.admin("POST", "/drain")).status_code == 202
            assert await idle_reader.read(1) == b""
            idle.close()
            assert (await s.admin("GET", "/readyz")).status_code == 503
            with pytest.raises(ConnectionRefusedError):
                await s.ask("/items/1", headers="")
            go.set()
            answers = await asyncio.gather(*waiting)
            assert {answer.status for answer in answers} == {200}
            assert {tuple(answer.values(b"connection")) for answer in answers} == {(b"close",)}
            await asyncio.wait([s.task], timeout=10)
            assert s.task.done()
            ledger = s.ledger()
            assert (ledger.seen, ledger.served_primary, ledger.open) == (20, 20, 0)
            assert ledger.pending == len(s.shadow.exchanges) == 20

    asyncio.run(scenario())


def test_what_cannot_be_answered_in_time_is_cut_and_counted(stage: Any, wait: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("proxy.service.DRAIN_S", 0.2)

    async def scenario() -> None:
        async with stage() as s:

            async def never(asked: Any, reader: Any, writer: Any) -> bool:
                await reader.read(1)
                return False

            s.primary.scripts[b"/never"] = never
            _, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
            await wait(lambda: s.ledger().open == 1)
            s.task.cancel()
            await asyncio.wait([s.task], timeout=10)
            assert s.task.cancelled()
            writer.close()
            assert s.ledger().refused == {"draining": 1}
            assert s.ledger().skipped == {"draining": 1}

    asyncio.run(scenario())


def test_a_shadow_that_hangs_does_not_hold_up_the_end(stage: Any) -> None:
    async def scenario() -> None:
        async with stage(shadow="hangs") as s:
            body = b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500_000
            s.primary.says(b"/big", body)
            for _ in range(8):
                await s.ask("/big")
            s.task.cancel()
            async with asyncio.timeout(8):
                await asyncio.wait([s.task])
            assert s.ledger().pending == 8

    asyncio.run(scenario())


def test_health_metrics_and_status(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.ask("/items/1")
            await s.ask("/secret-path-9")
            await s.at_rest(2)
            assert (await s.admin("GET", "/healthz")).json() == {"alive": True}
            ready = await s.admin("GET", "/readyz")
            assert (ready.status_code, ready.json()["ready"], ready.json()["shadow"]) == (200, True, True)
            metrics = (await s.admin("GET", "/metrics")).text
            assert 'paritygate_requests_seen_total{route="GET /items/{id}"} 1.0' in metrics
            assert "secret-path" not in metrics
            status = (await s.admin("GET", "/status")).json()
            assert (status["total"]["seen"], status["total"]["violations"]) == (2, [])
            assert set(status["routes"]) == {"GET /items/{id}", "GET __unrouted__"}

    asyncio.run(scenario())


def test_a_web_page_cannot_use_the_admin_listener(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            assert (await s.admin("POST", "/pause", headers={"Origin": "http://evil.test"})).status_code == 403
            assert (await s.admin("GET", "/status", headers={"Host": "evil.test"})).status_code == 403
            assert (await s.admin("GET", "/pause")).status_code == 405
            assert (await s.admin("GET", "/status")).json()["paused"] is False

    asyncio.run(scenario())


def test_a_port_in_use_keeps_the_proxy_from_starting(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            with pytest.raises(ProxyError, match=f"127.0.0.1:{s.port}: another process"):
                await serve(s.settings, s.key, lambda: None)
            assert (await s.ask("/items/1")).status == 200

    asyncio.run(scenario())


def test_a_backend_that_is_the_proxy_itself_keeps_it_from_starting(folder: Path) -> None:
    with bind("127.0.0.1:0", "proxy.listen") as own:
        port = own.getsockname()[1]
        refuse_circle({"primary.url": f"http://127.0.0.2:{port}", "candidate.url": "http://127.0.0.1:1"}, own)
        with pytest.raises(ProxyError, match=r"candidate\.url = http://localhost"):
            refuse_circle({"candidate.url": f"http://localhost:{port}"}, own)
    with bind("0.0.0.0:0", "proxy.listen") as own, pytest.raises(ProxyError, match="circle"):
        refuse_circle({"primary.url": f"http://127.0.0.1:{own.getsockname()[1]}"}, own)


CHILD = """
import asyncio, sys, json
from pathlib import Path
from settings.load import load_settings
from tests.one_process import serve
from store.openings import read_openings
asyncio.run(serve(load_settings(Path(sys.argv[1])), b"k" * 32, lambda: print("ready", flush=True)))
"""


def test_a_kill_leaves_exact_books(stage: Any, folder: Path, wait: Any) -> None:
    """SIGKILL in the middle of requests: what was under way is open, all else is settled, and the file says that it is dead."""

    async def scenario() -> None:
        async with stage() as s:
            await s.admin("POST", "/drain")
            await asyncio.wait([s.task], timeout=10)
            for file in s.settings.state_dir.glob("openings-*"):
                file.unlink()
            config = folder / "child.toml"
            config.write_text(
                f"[primary]\nurl = {json.dumps(s.settings.primary.url)}\n[candidate]\nurl = {json.dumps(s.settings.candidate.url)}\n"
                f'[proxy]\nlisten = "{s.settings.proxy.listen}"\nadmin = "{s.settings.proxy.admin}"\n'
            )

            async def never(asked: Any, reader: Any, writer: Any) -> bool:
                await reader.read(1)
                return False

            s.primary.scripts[b"/never"] = never
            command = (sys.executable, "-c", CHILD, str(config))
            env = {**os.environ, "PYTHONPATH": str(ROOT)}
            child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, env=env)
            assert child.stdout is not None
            while await child.stdout.readline() != b"ready\n":
                assert child.returncode is None
            for i in range(7):
                await s.ask(f"/items/{i}")
            writers = []
            for _ in range(3):
                _, writer = await asyncio.open_connection("127.0.0.1", s.port)
                writer.write(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
                writers.append(writer)
            await wait(lambda: s.ledger().open == 3)
            child.kill()
            await child.wait()
            for writer in writers:
                writer.close()
            ledger = s.ledger()
            assert (ledger.seen, ledger.served_primary, ledger.open) == (10, 7, 3)
            (file,) = s.settings.state_dir.glob("openings-*")
            counts, alive = read_openings(file)
            assert not alive
            assert counts.closed

    asyncio.run(scenario())
