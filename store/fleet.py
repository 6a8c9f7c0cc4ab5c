"""What happens to all routes: which were rolled back lately, and when a roll-back was last rehearsed. The audit knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gate.facts import Fleet
from store.audit import append, hold_chain
from store.schema import AuditLink

if TYPE_CHECKING:
    from store.database import Store

DRILL = "drill"
LATELY = 200
"""Links of the audit, the newest, that are looked at for roll-backs."""
_DOWN = ("rollback", "alarm")


async def read_fleet(connection: AsyncConnection) -> Fleet:
    """The last roll-backs of routes that served clients from the candidate, and the last rehearsal that succeeded."""
    newest = await connection.execute(
        select(AuditLink.at, AuditLink.action, AuditLink.before).order_by(AuditLink.seq.desc()).limit(LATELY)
    )
    back = tuple(at for at, action, before in newest if action in _DOWN and _weight(before) > 0)
    drilled = await connection.scalar(
        select(AuditLink.at).where(AuditLink.action == DRILL).order_by(AuditLink.seq.desc()).limit(1)
    )
    return Fleet(back, drilled)


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
