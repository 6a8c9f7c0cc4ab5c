"""What a day of matches leaves in a store once its hours are closed, for some traffic and for twice as much.

Run as `python -m benchmarks.store_size [--matches 1000000] [--only sqlite]` (about ten minutes for both databases). The exchanges of 200
routes are spread over a day, written in batches of 4,000 and looked after as a shadow does: windows are closed each hour, charts
rolled up, free room given back, PostgreSQL vacuumed as autovacuum would. The figure is the file's size with its log (SQLite) or the
database's without an empty one's (PostgreSQL), after the day, at its peak, and after `store prune --compact`.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from sqlalchemy import text

from benchmarks.store_writes import places, vacuum
from benchmarks.stored_traffic import BEGUN, Traffic
from shadow.recorder import MAX_BATCH
from store.database import Store, open_store
from store.records import Batch

BATCH = MAX_BATCH
HOUR, DAY = 3_600.0, 86_400.0


async def size_of(store: Store, url: str) -> int:
    """Bytes on disk."""
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite+aiosqlite:///"))
        await store.forget((), (), ())  # puts the log into the file
        return sum(path.stat().st_size for path in file.parent.iterdir())
    async with store.reading() as connection:
        return int(await connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)


async def day(url: str, matches: int) -> tuple[int, int, int]:
    """The growth in bytes after a day, at most during it, and after `store prune --compact`."""
    store = open_store(url)
    try:
        await store.upgrade()
        empty = await size_of(store, url)
        traffic = Traffic(per_second=matches / DAY, matches=1.0)
        hour, peak, done = BEGUN + HOUR, 0, 0
        while done < matches:
            part = traffic.ends(min(BATCH, matches - done))
            done += len(part)
            while part[-1].at >= hour:
                await store.close_units(hour)
                peak = max(peak, await size_of(store, url) - empty)
                await store.prune(hour - 30 * DAY, hour)
                await vacuum(store)
                hour += HOUR
            await store.write(Batch(ended=tuple(part)), 5)
        await store.close_units(hour + HOUR)
        peak = max(peak, await size_of(store, url) - empty)
        await store.prune(hour - 30 * DAY, hour + HOUR)
        await vacuum(store)
        left = await size_of(store, url) - empty
        await store.compact()
        return left, peak, await size_of(store, url) - empty
    finally:
        await store.close()


def main() -> None:
    """Prints a line for each database and amount."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--matches", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    for kind in (options.only,) if options.only else ("sqlite", "postgresql"):
        made = []
        for matches in (options.matches, 2 * options.matches):
            with places(kind) as url:
                sizes = asyncio.run(day(url, matches))
            made.append(sizes)
            after, peak, compact = (f"{size / 1e6:6.1f} MB" for size in sizes)
            print(f"{kind:10} {matches:9,} matches in a day: {after} left, {peak} at most, {compact} compacted", flush=True)
        left, _, compacted = (more / less for less, more in zip(*made, strict=True))
        print(f"{kind}: twice the traffic leaves {left:.2f} times as much, {compacted:.2f} times compacted")


if __name__ == "__main__":
    main()
