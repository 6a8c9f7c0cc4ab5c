"""Which build was declared to run: links of the audit, so that who declared what, and when, is kept for good.

The store is where all shadows look: a file beside one machine's configuration would be known to that machine only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.audit import append, hold_chain
from store.database import Store
from store.schema import AuditLink

DEPLOYED = "deployed"


@dataclass(frozen=True, slots=True)
class DeclaredBuild:
    """A declaration. `at` is Unix seconds, `seq` its link in the audit."""

    build: str
    at: float
    seq: int


async def declare_build(store: Store, build: str, actor: str, reason: str, now: float) -> tuple[DeclaredBuild, str]:
    """Declares that `build` runs from now on. Returns what is in force and the build before it.

    Declaring what is declared already changes nothing. Raises StoreError.
    """
    async with store.writing() as connection:
        await hold_chain(connection)
        before = await _newest(connection, 0)
        if before is not None and before.build == build:
            return before, before.build
        previous = before.build if before is not None else ""
        link = await append(connection, now, actor, DEPLOYED, "", previous, build, json.dumps({"reason": reason}))
        return DeclaredBuild(build, now, link.seq), previous


async def read_declared(store: Store, after: int = 0) -> tuple[DeclaredBuild | None, int]:
    """The newest declaration among the audit's links above number `after`, and the number of the newest link. Raises StoreError.

    Who asks again and again hands in that number: only what came since is looked at, and all of a store that was begun anew.
    """
    async with store.reading() as connection:
        newest = int(await connection.scalar(select(func.max(AuditLink.seq))) or 0)
        since = after if newest >= after else 0
        return (await _newest(connection, since) if newest > since else None), newest


async def _newest(connection: AsyncConnection, after: int) -> DeclaredBuild | None:
    query = select(AuditLink.after, AuditLink.at, AuditLink.seq).where(AuditLink.action == DEPLOYED, AuditLink.seq > after)
    row = (await connection.execute(query.order_by(AuditLink.seq.desc()).limit(1))).one_or_none()
    return None if row is None else DeclaredBuild(str(row[0]), float(row[1]), int(row[2]))
