"""The machine's clock jumps: what measures time does not use it."""

from __future__ import annotations

import ast
import asyncio
import glob
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from faults_audit import Audit, assert_clients_fine
from faults_load import offer
from faults_stage import Stage

ROOT = Path(__file__).resolve().parents[2]
WALL = {"time": {"time", "time_ns"}, "datetime": {"now", "utcnow", "today"}, "date": {"today"}}
MAY_ASK = {
    "proxy/backend_end.py": "a field of mitmproxy's flows that nobody reads",
    "proxy/http2_messages.py": "a field of mitmproxy's flows that nobody reads",
    "proxy/plain_exchange.py": "a field of mitmproxy's flows that nobody reads",
    "proxy/client_tls.py": "a certificate's dates",
    "proxy/crew.py": "`as_of` of a status document",
    "proxy/parent.py": "leases of canaries, which other machines issue: out of step, the primary serves",
    "proxy/worker.py": "leases of canaries, which other machines issue: out of step, the primary serves",
    "proxy/live_path.py": "when an exchange began, for people and for evidence by the hour; `monotonic` beside it measures",
    "shadow/judging.py": "rules expire by the date",
    "shadow/rule_samples.py": "rules expire by the date",
    "shadow/serve.py": "when an exchange ended, for people and for evidence by the hour; `clock` beside it measures",
    "store/reconcile.py": "the age of a file, beside a lock that decides",
}


def test_only_what_needs_the_date_asks_for_it() -> None:
    """[F-20] Deadlines, breakers, windows and cool-downs of the live path and the mirror run by the monotonic clock."""
    asking = set()
    for room in ("proxy", "shadow", "store"):
        for path in (ROOT / room).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute):
                    owner = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
                    if node.attr in WALL.get(owner, ()):
                        asking.add(str(path.relative_to(ROOT)))
    assert asking - set(MAY_ASK) == set()


def library() -> str:
    """libfaketime, installed if need be and if that is possible."""
    for attempt in (True, False):
        found = sorted(glob.glob("/usr/lib/*/faketime/libfaketime.so.1"))
        if found:
            return found[0]
        if attempt and shutil.which("apt-get"):
            subprocess.run(["apt-get", "install", "-y", "-q", "faketime"], capture_output=True, timeout=300, check=False)
    pytest.skip("libfaketime cannot be had here; the list above stands for it")


@pytest.mark.soak
def test_jumps_of_two_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """[F-20] 2 h forward and 2 h back under load, for proxy and shadow: no failure, no lost exchange, no route that moves."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    offset = folder / "offset"
    offset.write_text("+0")
    for name, value in {
        "LD_PRELOAD": library(),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }.items():
        monkeypatch.setenv(name, value)

    async def scenario() -> None:
        stage = Stage(folder, {}, None)
        try:
            await stage.start()
            for name in ("LD_PRELOAD", "FAKETIME_TIMESTAMP_FILE"):
                os.environ.pop(name)
            audit = await Audit.begin(stage)
            await stage.decide("GET /moved/{id}", 10_000)
            load = await offer(stage.port, 2.0)
            for jump in ("+2h", "-2h", "+0"):
                offset.write_text(jump)
                load += await offer(stage.port, 5.0)
            ledger = await audit.end(load)
            assert_clients_fine(load)
            assert ledger.verdicts == {"match": len(load.attempts)}
            assert (await stage.admin("GET", "/decisions")).json()["alarms"] == {}
        finally:
            await stage.stop()
        assert stage.faults() == []

    asyncio.run(scenario())
    shutil.rmtree(folder)
