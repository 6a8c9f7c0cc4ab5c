"""Closes the books of dead proxies: what they had open becomes `proxy_died`, what was pending becomes lost."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from store.database import Store
from store.openings import OpeningsError, read_openings
from store.records import Batch, OpeningCounts

PATTERN = "openings-*.bin"


async def reconcile(store: Store, state_dir: Path, busy: Collection[str] = ()) -> list[str]:
    """For every openings file of a dead proxy: its final counts are stored, its boot is closed, and then its file is removed.

    Boots in `busy` are left for the next call: the caller still holds exchanges of them, which would otherwise be counted as lost.
    Returns one sentence for each file that could not be dealt with. Raises StoreError; nothing is removed then that is not stored.
    """
    problems = []
    for path in await asyncio.to_thread(lambda: sorted(state_dir.glob(PATTERN))):
        try:
            counts, alive = await asyncio.to_thread(read_openings, path)
        except FileNotFoundError:
            continue  # another process was quicker
        except (OpeningsError, OSError) as error:
            if path.exists():
                problems.append(str(error))
            continue
        if alive or counts.boot in busy:
            continue
        await store.write(_final(counts), keep_examples=1)
        await asyncio.to_thread(path.unlink, missing_ok=True)
    return problems


def _final(counts: OpeningCounts) -> Batch:
    return Batch(openings=(replace(counts, closed=True),))
