"""One store under many tasks, after its connections were cut, and on one event loop after another."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from store.database import open_store
from store.records import Batch
from tests.upgraded_store import with_store


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
