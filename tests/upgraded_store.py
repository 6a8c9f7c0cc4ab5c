"""Runs a scenario with a store that is upgraded, on a loop of its own, and closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from store.database import Store, open_store

Scenario = Callable[[Store], Awaitable[Any]]


def with_store(url: str, scenario: Scenario) -> Any:
    """What the scenario returns."""

    async def run() -> Any:
        store = open_store(url)
        try:
            await store.upgrade()
            return await scenario(store)
        finally:
            await store.close()

    return asyncio.run(run())


async def nothing(store: Store) -> None:
    """The scenario that only makes the store."""
