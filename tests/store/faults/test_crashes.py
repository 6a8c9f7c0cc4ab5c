"""Writers die at any moment: what was confirmed is there, nothing is there twice or half, and the store can always be opened."""

from __future__ import annotations

import random
import time

import pytest
from store_writers import Writers, batches_in

from gate.shares import UnitLimits
from store.database import Store
from store.records import Batch
from store.writer import write_counts
from tests.upgraded_store import with_store


def lives(url: str, writers: Writers, number: int, seed: int) -> None:
    """A writer is killed so many times; the next one begins with the batch that its predecessor got no answer for."""
    chance = random.Random(seed)
    confirmed = with_store(url, batches_in)
    for _ in range(number):
        writers.start(url, "w", confirmed, 100_000)
        for _ in range(chance.randint(0, 3)):
            confirmed = _next(writers, confirmed)
        time.sleep(chance.random() * 0.03)
        writers.kill()
        while (told := writers.told()) is not None:
            assert told[0] == confirmed, told
            confirmed += 1
        there = with_store(url, batches_in)
        assert confirmed <= there <= confirmed + 1
    writers.start(url, "w", confirmed, confirmed + 3)
    while (told := writers.told()) is not None:
        assert told[0] == confirmed, told
        confirmed += 1
    assert with_store(url, batches_in) == confirmed


def _next(writers: Writers, confirmed: int) -> int:
    told = writers.told()
    assert told is not None
    assert told[0] == confirmed, told
    return confirmed + 1


def test_a_writer_killed_at_random_points(url: str, writers: Writers) -> None:
    """[F-13] [F-16] kill -9, a dozen times on the two databases; all that `store check` looks at holds after each."""
    lives(url, writers, 6, 1)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_writer_killed_at_random_points_200_times(url: str, writers: Writers) -> None:
    """[F-13] [F-16] The same, 200 times."""
    lives(url, writers, 200, 2)


def test_a_crash_between_the_counts_and_the_examples_costs_examples_only(in_store, mismatch) -> None:
    """[F-16] The two are transactions of their own; written again with its token, the batch counts once."""

    async def scenario(store: Store) -> None:
        batch = Batch((mismatch("x1"), mismatch("x2")))
        async with store.writing() as connection:
            await write_counts(connection, batch, 5, UnitLimits(), ("w", 1))
        # Here it dies. The next one does not know how far it came.
        await store.write(batch, 5, ("w", 1))
        (cluster,) = await store.clusters()
        assert (cluster.count, cluster.example_ids) == (2, ())
        assert await store.ended_counts("boot") == {"GET /x": 2}
        assert await store.check() == []
        await store.write(Batch((mismatch("x3"),)), 5, ("w", 2))
        (cluster,) = await store.clusters()
        assert (cluster.count, cluster.example_ids) == (3, ("x3",))

    in_store(scenario)
