"""Plays a script against a shadow with two backends and gives back what its store was told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from shadow_backends import Act, Backend, always, answer, backend
from shadow_stage import Proxy, configured, running, until
from shadow_store import ListStore

from rules.load import EMPTY
from rules.model import RuleSet
from settings.model import Settings
from store.records import Ended
from traffic.message import Response
from traffic.route import RouteTable

Script = Callable[[Proxy, ListStore, Backend, Backend, Settings], Awaitable[None]]


def play(
    folder: Path,
    primary: Act,
    candidate: Act,
    script: Script,
    routes: RouteTable | None = None,
    rules: RuleSet = EMPTY,
    **sections: dict[str, Any],
) -> ListStore:
    async def scenario() -> ListStore:
        store = ListStore()
        async with backend(primary) as first, backend(candidate) as second:
            settings = configured(folder, first.url, second.url, **sections)
            async with running(settings, store, routes, rules):
                proxy = Proxy.made(settings)
                await proxy.connect()
                try:
                    await script(proxy, store, first, second, settings)
                finally:
                    await proxy.die()
        return store

    return asyncio.run(scenario())


def one(folder: Path, live: Response, candidate: Act, primary: Act | None = None, **given: Any) -> Ended:
    """The end of a single exchange."""
    sections = given.pop("sections", {})

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        proxy.send(proxy.exchange(live, **given))
        await until(lambda: len(store.ended) == 1)

    (ended,) = play(folder, primary or always(answer(500, b"not asked")), candidate, script, **sections).ended
    return ended
