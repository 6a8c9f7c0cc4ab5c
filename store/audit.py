"""The audit chain: `hash = sha256(hash before + canonical JSON of the record)`. Nothing is ever changed or deleted in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.records import AuditRow
from store.schema import AuditLink, Standing
from store.upsert import table_of

GENESIS = "0" * 64
_MEND = "nothing mends a broken chain: keep this file, look at a backup for who changed it, and trust no link from there on"
_LOCK = 0x7061726974790002


def link_hash(before: str, row: AuditRow) -> str:
    """The hash of a row that follows a row with hash `before`."""
    record = [row.seq, repr(float(row.at)), row.actor, row.action, row.route, row.before, row.after, row.detail]
    canonical = json.dumps(record, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}{canonical}".encode("ascii")).hexdigest()


async def hold_chain(connection: AsyncConnection) -> None:
    """Keeps every other writer of the chain out until the transaction ends. On SQLite there is but one writer anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})


async def append(
    connection: AsyncConnection, at: float, actor: str, action: str, route: str, before: str, after: str, detail: str
) -> AuditRow:
    """Adds a link. The chain must be held."""
    last = (
        await connection.execute(select(AuditLink.seq, AuditLink.hash).order_by(AuditLink.seq.desc()).limit(1))
    ).one_or_none()
    seq, previous = (last[0] + 1, last[1]) if last is not None else (1, GENESIS)
    row = AuditRow(seq, float(at), actor, action, route, before, after, detail, "")
    row = AuditRow(seq, float(at), actor, action, route, before, after, detail, link_hash(previous, row))
    columns = ("seq", "at", "actor", "action", "route", "before", "after", "detail", "hash")
    await connection.execute(table_of(AuditLink).insert(), [{name: getattr(row, name) for name in columns}])
    return row


async def read_audit(connection: AsyncConnection, limit: int | None = None) -> list[AuditRow]:
    """The newest `limit` links, newest first; None for all."""
    query = select(
        AuditLink.seq,
        AuditLink.at,
        AuditLink.actor,
        AuditLink.action,
        AuditLink.route,
        AuditLink.before,
        AuditLink.after,
        AuditLink.detail,
        AuditLink.hash,
    ).order_by(AuditLink.seq.desc())
    if limit is not None:
        query = query.limit(max(0, limit))
    return [AuditRow(*row) for row in await connection.execute(query)]


def breaks(rows: Sequence[AuditRow]) -> list[str]:
    """Where the whole chain, in any order, does not hold: one sentence each."""
    found = []
    previous = GENESIS
    for number, row in enumerate(sorted(rows, key=lambda row: row.seq), start=1):
        if row.seq != number:
            found.append(f"audit: link {number} is missing, {row.seq} follows; {_MEND}")
            return found
        if link_hash(previous, row) != row.hash:
            found.append(f"audit: link {row.seq} ({row.action} {row.route}) was changed, or one before it; {_MEND}")
            return found
        previous = row.hash
    return found


async def audit_problems(connection: AsyncConnection) -> list[str]:
    """The breaks of the chain, and the routes whose standing is not what their last link says."""
    rows = await read_audit(connection)
    found = breaks(rows)
    last: dict[str, str] = {}
    for row in reversed(rows):
        last[row.route] = row.after
    for route, document in await connection.execute(select(Standing.route, Standing.document).order_by(Standing.route)):
        if last.get(route) != document:
            found.append(
                f"audit: the standing of {route} is not what the audit says last; "
                "`paritygate cutover` brings it where you want it, and writes that down"
            )
    return found
