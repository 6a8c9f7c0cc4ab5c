"""Gives every known route its share of alpha as soon as all route documents could be had: routes that come together share alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from settings.model import Settings
from settings.routes import load_route_table
from shadow.faults import Outage
from traffic.route import RouteTable

REFRESH_S = 60.0


def known_routes(settings: Settings) -> RouteTable | None:
    """All routes that are configured; None while a document of them cannot be had. For a thread. Raises ValueError."""
    missing: list[str] = []
    routes = load_route_table(settings, missing)
    return None if missing else routes


async def share_alpha(
    known: Callable[[], RouteTable | None], give: Callable[[Collection[str]], Awaitable[int]], pause_s: float = REFRESH_S
) -> None:
    """Asks again until all routes are known and the store has taken their shares. Until then the gate divides by those with evidence."""
    outage = Outage("routes cannot be given their shares of alpha yet")
    while True:
        try:
            routes = await asyncio.to_thread(known)
            if routes is not None:
                await give(sorted({route.label for route in routes.routes.values()}))
                return
        except Exception as error:
            outage.failed(error)
        await asyncio.sleep(pause_s)
