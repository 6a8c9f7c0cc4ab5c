"""Several processes write into one store at once, and die whenever they like: counts are exact and no batch is ever half there."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from store.database import open_store
from store.records import Batch

ROOT = Path(__file__).resolve().parents[2]
PER_BATCH = 20
WRITER = """
import asyncio, sys
from differ.facts import Atom
from store.database import open_store
from store.records import Batch, DifferenceText, Ended, Example
from traffic.message import Request, Response
from traffic.outcome import Ending

url, name, batches = sys.argv[1], sys.argv[2], int(sys.argv[3])
texts = tuple(DifferenceText(Atom("GET /x", "200/200", "body", f"$.p{i}", "value"), "1", "2") for i in range(3))


def batch(number):
    ended = []
    for i in range(20):
        route = "GET /x" if (number + i) % 2 else "GET /y"
        example = Example(f"{name}-{number}-{i}", route, float(number), "primary", name, Request("GET", b"/"),
                          Response(200), Response(201), texts)
        ended.append(Ended("shared", route, float(number), Ending.COMPARED, "mismatch", epoch="e", client=name,
                           unit=f"{name}-{number}-{i}", primary_ms=1.0, candidate_ms=2.0, tolerated=("rule",),
                           differences=texts, example=example))
    return Batch(ended=tuple(ended))


async def main():
    store = open_store(url)
    for number in range(batches):
        await store.write(batch(number), 3, (name, number))
        print(number, flush=True)
    await store.close()

asyncio.run(main())
"""


def start(url: str, name: str, batches: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, url, name, str(batches)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def with_store(url: str, scenario):
    async def run():
        store = open_store(url)
        try:
            await store.upgrade()
            return await scenario(store)
        finally:
            await store.close()

    return asyncio.run(run())


async def counts_of(store) -> dict[str, object]:
    """The same number, counted in as many ways as there are tables for it."""
    rows = await store.route_rows()
    minutes = [row for route in ("GET /x", "GET /y") for row in await store.tallies(route, 0)]
    clusters = await store.clusters()
    return {
        "ends": sum((await store.ended_counts("shared")).values()),
        "totals": sum(sum(row.evidence.verdicts.values()) for row in rows),
        "minutes": sum(sum(row.verdicts.values()) for row in minutes),
        "latencies": sum(row.evidence.latency_samples for row in rows),
        "rule hits": sum(count for _, _, count in await store.rule_hits()),
        "units": sum(row.evidence.open_units + row.evidence.n for row in rows),
        "clusters": max((row.count for row in clusters), default=0),
        "examples per cluster": max((len(row.example_ids) for row in clusters), default=0),
        "problems": await store.check(),
    }


def test_writers_at_once_add_up_exactly(url) -> None:
    async def nothing(store):
        return None

    with_store(url, nothing)
    writers = [start(url, f"w{number}", 12) for number in range(3)]
    endings = [(writer.communicate(timeout=120)[1], writer.returncode) for writer in writers]
    assert endings == [("", 0)] * 3
    counts = with_store(url, counts_of)
    written = 3 * 12 * PER_BATCH
    assert {name: counts[name] for name in counts if name not in ("problems", "examples per cluster")} == dict.fromkeys(
        ("ends", "totals", "minutes", "latencies", "rule hits", "units", "clusters"), written
    )
    assert (counts["examples per cluster"], counts["problems"]) == (3, [])


@pytest.mark.parametrize("seed", [1, 2])
def test_killing_a_writer_never_leaves_half_a_batch(url, seed) -> None:
    """What was acknowledged is there, and whatever is there is whole."""

    async def nothing(store):
        return None

    with_store(url, nothing)
    chance = random.Random(seed)
    acknowledged = 0
    for life in range(3):
        writer = start(url, f"life-{life}", 100_000)
        assert writer.stdout is not None
        for _ in range(chance.randint(1, 6)):
            assert writer.stdout.readline()
            acknowledged += 1
        # The writer has gone on to its next batch by now: chance decides how far.
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += len(writer.communicate(timeout=60)[0].splitlines())
        counts = with_store(url, counts_of)
        (number,) = {counts[name] for name in ("ends", "totals", "minutes", "latencies", "rule hits", "units", "clusters")}
        assert number % PER_BATCH == 0
        assert acknowledged * PER_BATCH <= number <= (acknowledged + life + 1) * PER_BATCH
        assert counts["problems"] == []


def test_many_writes_at_once_in_one_process_add_up(url, end) -> None:
    async def scenario(store):
        batches = [Batch(ended=tuple(end(unit=f"u{n}-{i}") for i in range(5)), openings=()) for n in range(30)]
        await asyncio.gather(*(store.write(batch, 5) for batch in batches), *(store.route_rows() for _ in range(10)))
        return await store.ended_counts("boot"), (await store.evidence("GET /x")).open_units

    assert with_store(url, scenario) == ({"GET /x": 150}, 150)


def test_a_store_outlives_its_connections(postgres_url, end) -> None:
    """The server cuts every connection, as a restart does; the next write makes a new one."""

    async def scenario(store):
        await store.write(Batch(ended=(end(),)), 5)
        async with store.writing() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            await connection.execute(text(others))
        await asyncio.gather(*(store.write(Batch(ended=(end(unit=f"u{n}"),)), 5) for n in range(4)))
        return await store.ended_counts("boot")

    assert with_store(postgres_url, scenario) == {"GET /x": 5}


def test_a_store_may_be_used_by_one_event_loop_after_another(url, end) -> None:
    store = open_store(url)

    async def use(first: bool) -> dict[str, int]:
        if first:
            await store.upgrade()
        await store.write(Batch(ended=(end(),)), 5)
        counts = await store.ended_counts("boot")
        await store.close()
        return counts

    assert [asyncio.run(use(first)) for first in (True, False)] == [{"GET /x": 1}, {"GET /x": 2}]
