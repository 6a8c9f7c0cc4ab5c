"""The share of alpha that belongs to each route, given once and for ever (gate reference S13).

Dividing by the number of routes there are now would spend too much: one route that was tested at all of alpha, and four hundred more at a
four-hundredth of it each, are twice alpha. So the routes that come together as the b-th batch share 1/(b(b+1)): the first table half of
alpha, what is added next a sixth, then a twelfth ... The sum stays below 1 whatever comes, and no share ever changes or comes back.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.schema import AlphaShare
from store.upsert import upsert

_LOCK = 0x7061726974790003


async def assign_shares(connection: AsyncConnection, routes: Collection[str]) -> int:
    """Gives those of the routes a share that have none yet; how many. Others that assign at the same moment wait."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    known = await read_shares(connection)
    fresh = sorted(set(routes) - set(known))
    if not fresh:
        return 0
    given = float(await connection.scalar(select(func.sum(AlphaShare.share))) or 0.0)
    left = max(0.0, 1.0 - given)  # 1/b before the b-th batch, and 1/(b+1) after it
    share = left * left / (1.0 + left) / len(fresh)
    await upsert(connection, AlphaShare, [{"route": route, "share": share} for route in fresh])
    return len(fresh)


async def read_shares(connection: AsyncConnection) -> dict[str, float]:
    """The share of each route that has one."""
    found = await connection.execute(select(AlphaShare.route, AlphaShare.share))
    return {route: float(share) for route, share in found}


async def read_share(connection: AsyncConnection, route: str) -> float | None:
    """The share of one route, None where it has none."""
    share = await connection.scalar(select(AlphaShare.share).where(AlphaShare.route == route))
    return None if share is None else float(share)
