"""Units that arrive after their window was closed: late samples never help, and no mismatch is lost.

A late good unit changes nothing. A late bad one counts at once, in n and in k, and leaves a mark (bad = COUNTED) among the open
units for another window's length, so that the same unit of the same window is not counted again by the next batch or machine.
What cannot be known any more is how a unit counted when its window was closed: one that was folded as good, or as bad, counts
once more as bad. A late unit moves neither the time of the first unit nor that of the last: it buys no span and no freshness.
After a roll-back the windows before it are closed too: late mismatches of the attempt that ended speak against the next one,
which is the same build under the same rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.schema import Epoch, OpenUnit

Unit = tuple[str, str, float, str]
"""(route, epoch, end of the window, the unit's key)"""

COUNTED = 2
"""The `bad` of a mark: counted already, part of no window."""


async def count_late(connection: AsyncConnection, late: Collection[Unit]) -> dict[Unit, int]:
    """Counts late bad units that are not there yet; what to keep of each as `bad`. The pairs' evidence rows must be held."""
    if not late:
        return {}
    there = await _there(connection, set(late))
    fresh = [unit for unit in late if unit not in there]
    for (route, epoch), units in sorted(Counter((unit[0], unit[1]) for unit in fresh).items()):
        await connection.execute(
            update(Epoch).where(Epoch.route == route, Epoch.epoch == epoch).values(n=Epoch.n + units, k=Epoch.k + units)
        )
    # One that is still open, its window having been closed by windows of another length, is folded with the others.
    return {unit: COUNTED if there.get(unit, COUNTED) == COUNTED else 1 for unit in late}


async def _there(connection: AsyncConnection, units: set[Unit]) -> dict[Unit, int]:
    found = await connection.execute(
        select(OpenUnit.route, OpenUnit.epoch, OpenUnit.ends_at, OpenUnit.unit, OpenUnit.bad).where(
            OpenUnit.route.in_(sorted({unit[0] for unit in units})),
            OpenUnit.epoch.in_(sorted({unit[1] for unit in units})),
            OpenUnit.ends_at.in_(sorted({unit[2] for unit in units})),
            OpenUnit.unit.in_(sorted({unit[3] for unit in units})),
        )
    )
    rows = {(route, epoch, ends_at, unit): bad for route, epoch, ends_at, unit, bad in found}
    return {unit: rows[unit] for unit in units if unit in rows}
