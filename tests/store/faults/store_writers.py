"""Processes that write batches with a token, one after the other, and tell each one that was committed. They may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from gate.shares import UnitLimits
from store.database import Store

ROOT = Path(__file__).resolve().parents[3]
PER_BATCH = 20
SCRIPT = """
import asyncio, json, os, sys, time
import aiosqlite, asyncpg
import sqlalchemy.dialects.postgresql.asyncpg, sqlalchemy.dialects.sqlite.aiosqlite
from differ.facts import Atom
from store.database import StoreError, open_store
from store.records import Batch, DifferenceText, Ended, Example
from traffic.message import Request, Response
from traffic.outcome import Ending

texts = tuple(DifferenceText(Atom("GET /x", "200/200", "body", f"$.p{i}", "value"), "1", "2") for i in range(3))


def batch(name, number):
    ended = []
    for i in range(20):
        route = "GET /x" if (number + i) % 2 else "GET /y"
        example = Example(f"{name}-{number}-{i}", route, float(number), "primary", name, Request("GET", b"/"),
                          Response(200), Response(201), texts)
        ended.append(Ended("shared", route, float(number), Ending.COMPARED, "mismatch", epoch="e", client=name,
                           unit=f"{name}-{number}-{i}", primary_ms=1.0, candidate_ms=2.0, tolerated=("rule",),
                           differences=texts, example=example if i < 5 else None))
    return Batch(ended=tuple(ended))


async def write(url, name, first, end):
    store = open_store(url)
    for number in range(first, end):
        item = batch(name, number)
        begun = time.monotonic()
        while True:
            try:
                await store.write(item, 3, (name, number))
                break
            except StoreError as error:
                os.write(1, json.dumps(["failed", str(error)]).encode() + b"\\n")
        os.write(1, json.dumps([number, time.monotonic() - begun]).encode() + b"\\n")
    await store.close()


for line in sys.stdin:
    arguments = json.loads(line)
    pid = os.fork()
    if not pid:
        try:
            asyncio.run(write(*arguments))
        finally:
            os._exit(0)
    os.write(1, json.dumps(["pid", pid]).encode() + b"\\n")
    os.waitpid(pid, 0)
    os.write(1, json.dumps(["end", 0]).encode() + b"\\n")
"""


class Writers:
    """One writer at a time; more of these for more at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._pid = 0

    def start(self, url: str, name: str, first: int, end: int) -> None:
        """Starts one that writes the batches from `first` to before `end`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([url, name, first, end]) + "\n")
        self._process.stdin.flush()
        # The child may be quicker than its parent, so its first words may come before its number.
        self._early: list[tuple[Any, float]] = []
        while True:
            what, value = self._next()
            if what == "pid":
                self._pid = int(value)
                return
            self._early.append((what, value))

    def told(self) -> tuple[Any, Any] | None:
        """(number, seconds) of the next batch that is committed, ("failed", sentence), or None when it has ended."""
        what, value = self._early.pop(0) if self._early else self._next()
        return None if what == "end" else (what, value)

    def kill(self) -> None:
        """kill -9."""
        os.kill(self._pid, signal.SIGKILL)

    def stop(self, still: bool) -> None:
        """Freezes it, or lets it go on."""
        os.kill(self._pid, signal.SIGSTOP if still else signal.SIGCONT)

    def _next(self) -> tuple[Any, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that starts writers is gone"
        what, value = json.loads(line)
        return what, value

    def close(self) -> None:
        """No more writers."""
        self._process.communicate(timeout=60)


async def batches_in(store: Store) -> int:
    """How many whole batches there are, counted in as many ways as there are tables; nothing is wrong anywhere."""
    rows = await store.route_rows()
    minutes = [row for route in ("GET /x", "GET /y") for row in await store.tallies(route, 0)]
    clusters = await store.clusters()
    counts = {
        "ends": sum((await store.ended_counts("shared")).values()),
        "totals": sum(sum(row.evidence.verdicts.values()) for row in rows),
        "minutes": sum(sum(row.verdicts.values()) for row in minutes),
        "latencies": sum(row.evidence.latency_samples for row in rows),
        "rule hits": sum(count for _, _, count in await store.rule_hits()),
        "units": sum(row.evidence.open_units + row.evidence.n for row in rows),
        "clusters": max((row.count for row in clusters), default=0),
    }
    if counts["ends"] > UnitLimits().max_open:
        assert counts.pop("units") >= UnitLimits().max_open  # of more of one window the store keeps so many
    assert len(set(counts.values())) == 1, counts
    assert await store.check() == []
    (number,) = set(counts.values())
    assert number % PER_BATCH == 0
    return number // PER_BATCH
