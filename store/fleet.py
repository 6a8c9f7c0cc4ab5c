"""What happens to all routes: which were rolled back lately, and when a roll-back was last rehearsed. The audit knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gate.facts import Fleet, State
from store.audit import append, hold_chain
from store.schema import AuditLink, ShapeTotal
from store.standings import read_standings

if TYPE_CHECKING:
    from store.database import Store

DRILL = "drill"
LATELY = 200
"""Links of the audit, the newest, that are looked at for roll-backs."""
_DOWN = ("rollback", "alarm")


@dataclass(frozen=True, slots=True)
class All:
    """What is the same for all routes, and what is known of each."""

    rolled_back_at: tuple[float, ...]
    drilled_at: float | None
    traffic: Mapping[str, float]
    first_steps: Mapping[str, float]

    def of(self, route: str) -> Fleet:
        """What one route has to know."""
        others = sum(share for other, share in self.first_steps.items() if other != route)
        return Fleet(self.rolled_back_at, others, self.traffic.get(route), self.drilled_at)


async def read_fleet(connection: AsyncConnection) -> All:
    """The last roll-backs of routes that served clients from the candidate, the last rehearsal that succeeded, and first canary steps.

    Traffic is counted by the requests that were looked at, of all time: one row for each route.
    """
    newest = await connection.execute(
        select(AuditLink.at, AuditLink.action, AuditLink.before).order_by(AuditLink.seq.desc()).limit(LATELY)
    )
    back = tuple(at for at, action, before in newest if action in _DOWN and _weight(before) > 0)
    drilled = await connection.scalar(
        select(AuditLink.at).where(AuditLink.action == DRILL).order_by(AuditLink.seq.desc()).limit(1)
    )
    counts = {route: int(count) for route, count in await connection.execute(select(ShapeTotal.route, ShapeTotal.requests))}
    total = sum(counts.values())
    traffic = {route: count / total for route, count in counts.items()} if total else {}
    steps = {
        route: traffic.get(route, 0.0) * standing.weight_bp / 10_000
        for route, standing in (await read_standings(connection)).items()
        if standing.state is State.CANARY and standing.step == 1
    }
    return All(back, drilled, traffic, steps)


async def note_drill(store: Store, actor: str, now: float, seconds: dict[str, float]) -> None:
    """Notes in the audit that every proxy took a rehearsed roll-back; `seconds` says after how long, by address. Raises StoreError."""
    detail = json.dumps({"reason": "every proxy took a rehearsed roll-back", "seconds": seconds}, sort_keys=True)
    async with store.writing() as connection:
        await hold_chain(connection)
        await append(connection, now, actor, DRILL, "", "", "", detail)


def _weight(standing: str) -> int:
    try:
        document: Any = json.loads(standing)
        return int(document["weight_bp"])
    except (ValueError, KeyError, TypeError):
        return 0
