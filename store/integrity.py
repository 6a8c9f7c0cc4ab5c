"""What `store check` looks at: the file, the ledger's equations, references, the audit chain, decisions and examples."""

from __future__ import annotations

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.accounts import read_accounts
from store.audit import audit_problems
from store.example_codec import DamagedExample, unpack_example
from store.examples import bodies_of
from store.schema import Base, Epoch, OpenUnit, StoredExample, Window
from store.standings import damaged_decisions
from store.upsert import table_of

MOST_TOLD = 20
"""Problems of one kind that are told one by one."""


async def problems(connection: AsyncConnection) -> list[str]:
    """What is wrong in the store, one sentence each with what mends it; empty when nothing is."""
    found: list[str] = []
    for look in (_file, _ledger, _references, _windows, audit_problems, damaged_decisions, _examples):
        some = await look(connection)
        found += some[:MOST_TOLD]
        if len(some) > MOST_TOLD:
            found.append(f"and {len(some) - MOST_TOLD} more of this kind")
    return found


async def _file(connection: AsyncConnection) -> list[str]:
    if connection.dialect.name != "sqlite":
        return []
    lines = list(await connection.scalars(text("PRAGMA integrity_check")))
    mend = "restore a backup, or `paritygate store quarantine` puts the file aside and begins anew"
    return [f"file: {line}; {mend}" for line in lines if line != "ok"]


async def _ledger(connection: AsyncConnection) -> list[str]:
    """An open boot's books may be between two batches; those of a closed one are final."""
    mend = "counted evidence of this route may be wrong by as many; the gate refuses it until its next epoch"
    return [
        f"ledger: {route} of boot {boot or '(closed ones)'}: {violation}; {mend}"
        for (boot, route), account in sorted((await read_accounts(connection)).items())
        for violation in account.ledger().violations()
    ]


async def _references(connection: AsyncConnection) -> list[str]:
    """Rows whose other row is gone: neither database lets that happen by itself."""
    found = []
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            there = select(key.column).where(key.column == key.parent).exists()
            orphans = await connection.scalar(select(func.count()).select_from(table).where(~there)) or 0
            if orphans:
                name = f"{table.name}.{key.parent.name}"
                found.append(
                    f"references: {orphans} rows of {name} name no {key.column.table.name}; `paritygate store prune` deletes them"
                )
    return found


async def _windows(connection: AsyncConnection) -> list[str]:
    """Open units without their window would never be closed, and windows without their epoch never counted."""
    found = []
    for model, other, columns in ((OpenUnit, Window, ("route", "epoch", "ends_at")), (Window, Epoch, ("route", "epoch"))):
        mine, theirs = table_of(model), table_of(other)
        same = [theirs.c[name] == mine.c[name] for name in columns]
        lost = await connection.scalar(
            select(func.count()).select_from(mine).where(~select(theirs.c.route).where(*same).exists())
        )
        if lost:
            found.append(
                f"references: {lost} rows of {mine.name} belong to no {theirs.name}; they are "
                "never counted, and the gate has that much less evidence"
            )
    return found


async def _examples(connection: AsyncConnection) -> list[str]:
    found = []
    rows = await connection.stream(
        select(StoredExample.id, StoredExample.blob, StoredExample.digest).order_by(StoredExample.id)
    )
    async for example_id, blob, digest in rows:
        try:
            unpack_example(blob, digest, await bodies_of(connection, example_id))
        except DamagedExample as error:
            found.append(f"example {example_id}: {error}; `paritygate store forget --example {example_id}` takes it out")
    return found
