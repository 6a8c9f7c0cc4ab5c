"""Learns from the store which nodes other shadows, and earlier ones, found to hold data for names."""

from __future__ import annotations

import asyncio

from differ.key_names import RouteKeyNames
from shadow.faults import Outage
from store.database import Store

EVERY_S = 60.0


async def learn_data_nodes(store: Store, key_names: RouteKeyNames) -> None:
    """Runs until it is cancelled. While the store is away each shadow goes by what it has seen itself."""
    outage = Outage("nodes whose names are data cannot be read yet")
    while True:
        try:
            key_names.seed(await store.data_nodes())
            outage.worked()
        except Exception as error:
            outage.failed(error)
        await asyncio.sleep(EVERY_S)
