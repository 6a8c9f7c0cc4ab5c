"""Takes out of the store what is older than the retention, from time to time; counters, evidence and the audit stay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from shadow.faults import Outage
from store.database import Store

log = structlog.get_logger("paritygate.shadow")

FIRST_S = 300.0
"""Some minutes after the start: by then a backlog is written and the latest settings have proven to be meant."""
EVERY_S = 3600.0


async def keep_to_retention(store: Store, retention_s: float, most_bytes: int, now: Callable[[], float]) -> None:
    """Runs until it is cancelled. `now` is Unix time. A store that refuses is tried again the next time."""
    outage = Outage("old examples and tallies cannot be pruned yet")
    pause = FIRST_S
    while True:
        await asyncio.sleep(pause)
        pause = EVERY_S
        try:
            moment = now()
            rows = await store.prune(moment - retention_s, moment, most_bytes)
        except Exception as error:
            outage.failed(error)
            continue
        outage.worked()
        if rows:
            log.info("examples and tallies older than the retention were pruned", rows=rows)
