"""How many judged exchanges one writer stores per second, beside bare batched inserts of the same exchanges, on both databases.

Run as `python -m benchmarks.store_writes [--exchanges 200000] [--rounds 3]` (about two minutes). Each round writes the same stream
first one way and then the other, in batches as large as a shadow makes them under load, into fresh stores. Bare inserts are SQLAlchemy's
own `executemany` of one plain row for each exchange into a table without an index, a transaction for each batch. PostgreSQL is the tests'
own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Column, Float, MetaData, String, Table

from benchmarks.stored_traffic import Traffic
from shadow.recorder import MAX_BATCH
from store.database import Store, open_store
from store.records import Batch, Ended
from tests.postgres import empty_database, postgres_server, socket_of

BATCH = MAX_BATCH
BARE = Table(
    "bare",
    MetaData(),
    *(Column(name, String) for name in ("boot", "route", "ending", "reason", "epoch", "client", "unit")),
    *(Column(name, Float) for name in ("at", "primary_ms", "candidate_ms")),
)
NAMES = tuple(column.name for column in BARE.columns)


async def ours(store: Store, parts: Sequence[Sequence[Ended]]) -> None:
    """Everything through the store's one door, as the shadow does it."""
    for number, part in enumerate(parts, 1):
        await store.write(Batch(ended=tuple(part)), 5, ("bench", number))


async def bare(store: Store, parts: Sequence[Sequence[Ended]]) -> None:
    """Rows, and nothing else."""
    async with store.writing() as connection:
        await connection.run_sync(BARE.metadata.create_all)
    for part in parts:
        rows = [{name: getattr(end, name) for name in NAMES} for end in part]
        async with store.writing() as connection:
            await connection.execute(BARE.insert(), rows)


async def timed(url: str, way: object, parts: Sequence[Sequence[Ended]]) -> tuple[float, float]:
    """Seconds by the clock and of this process's CPU."""
    store = open_store(url)
    try:
        await store.upgrade()
        begun, used = time.perf_counter(), time.process_time()
        await way(store, parts)  # type: ignore[operator]  # one of the two above
        return time.perf_counter() - begun, time.process_time() - used
    finally:
        await store.close()


async def vacuum(store: Store) -> None:
    """What PostgreSQL's autovacuum would have done within the hour. SQLite needs none."""
    async with store.reading() as connection:
        if connection.dialect.name == "postgresql":
            await connection.exec_driver_sql("COMMIT")
            await connection.exec_driver_sql("VACUUM ANALYZE")


@contextmanager
def places(kind: str) -> Iterator[str]:
    """A fresh, empty place for a store."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="pg-bench-") as folder:
            yield f"sqlite+aiosqlite:///{Path(folder) / 'store.db'}"
    else:
        with postgres_server() as server:  # with its own settings: fsync is on
            yield empty_database(socket_of(server))


def main() -> None:
    """Prints a line for each database and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    stream = Traffic().ends(options.exchanges)
    parts = [stream[at : at + options.batch] for at in range(0, len(stream), options.batch)]
    print(f"{options.exchanges:,} exchanges of 200 routes, 99 % matches, batches of {options.batch:,}; {os.cpu_count()} cores")
    for kind in (options.only,) if options.only else ("sqlite", "postgresql"):
        rates: dict[str, list[float]] = {"ours": [], "bare": []}
        for _ in range(options.rounds):
            for name, way in (("ours", ours), ("bare", bare)):
                with places(kind) as url:
                    seconds, cpu = asyncio.run(timed(url, way, parts))
                rates[name].append(options.exchanges / seconds)
                print(
                    f"  {kind:10} {name:4} {options.exchanges / seconds:9,.0f}/s   {cpu / options.exchanges * 1e6:5.1f} us of CPU each"
                )
        ratio = statistics.median(a / b for a, b in zip(rates["ours"], rates["bare"], strict=True))
        print(f"{kind}: {statistics.median(rates['ours']):,.0f}/s, {ratio:.2f} of bare inserts")


if __name__ == "__main__":
    main()
