"""Eight processes write into one PostgreSQL, while others prune, fold, forget and deploy: sums exact, no deadlock, waits bounded."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from store_server import Server
from store_writers import PER_BATCH, Writers, batches_in

from gate.shares import UnitLimits
from store.database import Store, open_store
from store.tasks import spawn
from tests.upgraded_store import nothing, with_store

PROCESSES = 8
WINDOW_S, FAR = 3_600, 1e9
HOUR = 3_600 * 4
"""Batches that one shadow writes in an hour: four flushes a second."""


@pytest.fixture(scope="module")
def eight() -> Iterator[list[Writers]]:
    made = [Writers() for _ in range(PROCESSES)]
    yield made
    for one in made:
        one.close()


def told_by(one: Writers, url: str, name: str, batches: int) -> tuple[list[float], list[str]]:
    """How long each batch took (seconds), and every failure that was told."""
    one.start(url, name, 0, batches)
    took, failed = [], []
    while (told := one.told()) is not None:
        what, value = told
        if what == "failed":
            failed.append(str(value))
        else:
            took.append(float(value))
    return took, failed


async def upkeep(url: str, over: asyncio.Event) -> list[int]:
    """What else happens to a store, again and again until it is over; how often each."""
    done = [0, 0, 0, 0]

    async def again(number: int, pause: float) -> None:
        store = open_store(url)
        try:
            while not over.is_set():
                if number == 0:
                    await store.prune(-1.0, 1e6, 50_000)
                elif number == 1:
                    await store.close_units(-1.0)
                elif number == 2:
                    await store.forget(["w3"], [], ["nobody has this"])
                else:
                    await store.upgrade()
                done[number] += 1
                await asyncio.sleep(pause)
        finally:
            await store.close()

    tasks = [spawn(again(number, pause), f"upkeep {number}") for number, pause in enumerate((0.1, 0.05, 0.2, 0.1))]
    await asyncio.gather(*tasks)
    return done


async def folded(store: Store) -> dict[str, tuple[int, int]]:
    """Closes every window; n and k of each route."""
    await store.close_units(FAR)
    return {row.route: (row.evidence.n, row.evidence.k) for row in await store.route_rows()}


def units_of(batches: int) -> tuple[int, int]:
    """How many units a route must have: half of every batch's ends, each of its own, in windows of an hour that keep so many."""
    windows = Counter(number // WINDOW_S for number in range(batches))
    n = sum(min(count * PROCESSES * PER_BATCH // 2, UnitLimits().max_open) for count in windows.values())
    return n, n


def together(eight: list[Writers], url: str, batches: int, figure: Callable[[str, object], None]) -> tuple[float, float]:
    """The median and the longest time of a batch, in seconds."""

    async def run() -> tuple[list[tuple[list[float], list[str]]], list[int]]:
        over = asyncio.Event()
        beside = spawn(upkeep(url, over), "upkeep")
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(PROCESSES) as pool:
            work = [loop.run_in_executor(pool, told_by, one, url, f"w{at}", batches) for at, one in enumerate(eight)]
            told = await asyncio.gather(*work)
        over.set()
        return told, await beside

    with_store(url, nothing)
    begun = time.monotonic()
    told, done = asyncio.run(run())
    seconds = time.monotonic() - begun
    took = sorted(value for times, _ in told for value in times)
    median, longest = took[len(took) // 2], took[-1]
    for name, value in (("batches/s", len(took) / seconds), ("median s", median), ("longest s", longest), ("upkeep", done)):
        figure(name, value)
    assert [sentence for _, failed in told for sentence in failed] == []
    assert with_store(url, batches_in) == PROCESSES * batches
    assert all(done), done
    assert with_store(url, folded) == {route: units_of(batches) for route in ("GET /x", "GET /y")}
    return median, longest


def in_turn(times: tuple[float, float]) -> bool:
    """Each waits for those that hold the same rows at the moment, in turn: not for one that comes again and again."""
    median, longest = times
    return longest < max(2.0, 20 * PROCESSES * median)


def test_eight_writers_beside_all_upkeep(eight: list[Writers], frail: Server, record_property) -> None:
    """[F-16] The same routes, clusters, clients and boots from all of them; nothing fails, not even once."""
    assert in_turn(together(eight, frail.url(), 10, record_property))


@pytest.mark.soak
@pytest.mark.timeout(10_000)
def test_eight_writers_for_an_hours_batches(eight: list[Writers], frail: Server, record_property) -> None:
    """[F-16] As many batches as eight shadows write in an hour at four flushes a second, as fast as it goes.

    Some 115,000 batches, an hour or less on two cores. The figures are properties of the test in a JUnit file.
    """
    assert in_turn(together(eight, frail.url(), HOUR, record_property))


def test_eight_writers_of_one_file(eight: list[Writers], tmp_path: Path, record_property) -> None:
    """[F-13] SQLite takes one after the other, whoever asks at the right moment; all are served."""
    together(eight, f"sqlite+aiosqlite:///{tmp_path / 'store.db'}", 4, record_property)
