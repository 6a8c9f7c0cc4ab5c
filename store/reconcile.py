"""Closes the books of dead proxies: what they had open becomes `proxy_died`, what was pending becomes lost."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from store.database import Store
from store.openings import UNFINISHED, OpeningsError, openings_in, read_openings
from store.records import Batch, OpeningCounts

UNFINISHED_S = 60.0
"""A file that has not got its name for so long belongs to a proxy that died while it made it."""


async def reconcile(store: Store, state_dir: Path, busy: Collection[str] = ()) -> list[str]:
    """For every openings file of a dead proxy: its final counts are stored, its boot is closed, and then its file is removed.

    Boots in `busy` are left for the next call: the caller still holds exchanges of them, which would otherwise be counted as lost.
    Returns one sentence for each file that could not be dealt with. Raises StoreError; nothing is removed then that is not stored.
    """
    problems = []
    await asyncio.to_thread(_remove_unfinished, state_dir)
    for path in await asyncio.to_thread(openings_in, state_dir):
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
    return Batch(openings=(replace(counts, closed=True, at=time.time()),))


def _remove_unfinished(state_dir: Path) -> None:
    """Nothing was counted in them: a proxy counts only after the file has its name."""
    for path in openings_in(state_dir, UNFINISHED):
        try:
            if time.time() - path.stat().st_mtime < UNFINISHED_S:
                continue
            descriptor = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)
        except OSError:
            continue  # it is being made, or another process was quicker
