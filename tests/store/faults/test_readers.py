"""Whoever reads, however long and however many, keeps no writer waiting; nor do those who tidy up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from store_writers import Writers, batches_in

from store.database import Store, open_store
from store.tasks import spawn
from tests.upgraded_store import nothing, with_store

READERS = 20
BATCHES = 40
HEAVY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT count(*) FROM n, ledger_end"


def written(one: Writers, url: str, name: str) -> list[float]:
    """How long each batch of a writer took."""
    one.start(url, name, 0, BATCHES)
    took = []
    while (told := one.told()) is not None:
        assert told[0] != "failed", told
        took.append(float(told[1]))
    return took


async def look(store: Store) -> None:
    """What a dashboard asks."""
    await store.route_rows()
    for cluster in await store.clusters():
        await store.examples(cluster.id)
    await store.tallies("GET /x", 0)
    await store.audit(50)
    await store.rule_usage()
    await store.ledgers()


async def beside(store: Store, over: asyncio.Event, work: Callable[[], Awaitable[object]]) -> int:
    done = 0
    while not over.is_set():
        await work()
        done += 1
        await asyncio.sleep(0.01)
    return done


async def heavy(store: Store, over: asyncio.Event) -> int:
    """One transaction of heavy queries that is as long as all the writing."""
    done = 0
    async with store.reading() as connection:
        first = await connection.scalar(text("SELECT sum(count) FROM ledger_end"))
        while not over.is_set():
            await connection.execute(text(HEAVY))
            done += 1
        assert await connection.scalar(text("SELECT sum(count) FROM ledger_end")) == first
    return done


@pytest.mark.parametrize("readers", [6, pytest.param(READERS, marks=pytest.mark.soak)])
def test_readers_and_upkeep_keep_no_writer_waiting(url: str, writers: Writers, readers: int) -> None:
    """[F-29] Dashboards in a loop, a transaction of heavy queries that does not end before the writer, prune, VACUUM: nothing fails.

    Were the writer to wait for that transaction, neither would end. Beside that, no batch takes a large part of the whole time.
    """

    async def run() -> tuple[list[float], list[int]]:
        stores = [open_store(url) for _ in range(1 + readers // 5)]
        over = asyncio.Event()

        async def vacuum() -> None:
            await stores[0].compact()
            if url.startswith("postgresql"):
                async with stores[0].reading() as connection:
                    await connection.exec_driver_sql("COMMIT")
                    await connection.exec_driver_sql("VACUUM ledger_end")
                    await connection.exec_driver_sql("BEGIN")
            await asyncio.sleep(0.2)

        work = [spawn(heavy(stores[0], over), "heavy")]
        work += [
            spawn(
                beside(stores[1 + at % (len(stores) - 1)], over, lambda at=at: look(stores[1 + at % (len(stores) - 1)])),
                f"reader {at}",
            )
            for at in range(readers)
        ]
        work.append(spawn(beside(stores[0], over, vacuum), "vacuum"))
        work.append(spawn(beside(stores[0], over, lambda: stores[0].prune(-1.0, 1e6, 100_000)), "prune"))
        took = await asyncio.to_thread(written, writers, url, "beside")
        over.set()
        done = await asyncio.gather(*work)
        for store in stores:
            await store.close()
        return took, done

    with_store(url, nothing)
    written(writers, url, "alone")
    took, done = asyncio.run(run())
    assert all(done), done
    assert max(took) < sum(took) / 2
    assert with_store(url, batches_in) == 2 * BATCHES
