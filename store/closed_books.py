"""Closes the books of proxies that are dead, and adds up those that are closed: what is kept follows routes, not restarts.

A closed boot's counts are final. Where its equations hold they are added to the archive, which is one more closed boot, without a name;
where they do not, they stay by themselves, so that `store check` can say whose they are.
"""

from __future__ import annotations

from sqlalchemy import delete, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.accounts import Account, answered, end_row, handed, read_accounts
from store.schema import Boot, End, Opening
from store.upsert import upsert
from traffic.ledger import SEEN_SLOT, SENT_SLOT, opening_slot
from traffic.outcome import Ending, Lost, Refused, Skipped

ARCHIVE = ""
_DIED_SLOT = opening_slot(f"refused:{Refused.PROXY_DIED}", f"skipped:{Skipped.PROXY_DIED}")


async def close_boot(connection: AsyncConnection, boot: str, now: float) -> None:
    """Ends everything of a dead proxy: what it had open became `proxy_died`, what was pending is lost. The boot's row is held.

    `now` (Unix seconds, 0 unknown) is from when on the boot's row may be forgotten, a retention later.
    """
    died, lost = [], []
    for (_, route), account in (await read_accounts(connection, boot=boot)).items():
        unanswered = account.slots.get(SEEN_SLOT, 0) - answered(account.slots)
        if unanswered > 0:
            died.append({"boot": boot, "route": route, "slot": _DIED_SLOT, "count": unanswered})
        elif unanswered < 0:
            # More answers than requests: only a torn file shows that. Every answer had its request.
            died.append({"boot": boot, "route": route, "slot": SEEN_SLOT, "count": -unanswered})
        ended = sum(count for _, _, count in account.ends)
        pending = max(0, handed(account.slots) - ended)
        # What had reached the channel was the shadow's, the rest was still in the proxy's queue.
        with_worker = min(pending, max(0, account.slots.get(SENT_SLOT, 0) - ended))
        for reason, count in ((Lost.WORKER_DIED, with_worker), (Lost.QUEUE_DIED, pending - with_worker)):
            if count:
                lost.append(end_row(boot, route, Ending.LOST.value, reason.value, count))
    await upsert(connection, Opening, died, count="add")
    await upsert(connection, End, lost, count="add")
    await connection.execute(update(Boot).where(Boot.boot == boot).values(closed=1, closed_at=now or None))
    await archive_boot(connection, boot)


async def archive_boot(connection: AsyncConnection, boot: str) -> int:
    """Adds a closed boot's counts to the archive and deletes them; how many rows went. Leaves those whose equations do not hold."""
    await connection.execute(select(Boot.boot).where(Boot.boot == boot).with_for_update())  # another may be about it, too
    accounts = await read_accounts(connection, boot=boot)
    if any(account.ledger().violations() for account in accounts.values()):
        return 0
    await upsert(connection, Boot, [{"boot": ARCHIVE, "node": "", "closed": 1}])
    await connection.execute(select(Boot.boot).where(Boot.boot == ARCHIVE).with_for_update())
    await upsert(connection, Opening, _slots(accounts), count="add")
    await upsert(connection, End, _ends(accounts), count="add")
    gone = 0
    for model in (Opening, End):
        gone += (await connection.execute(delete(model).where(model.boot == boot))).rowcount
    return gone


async def forget_boots(connection: AsyncConnection, before: float) -> int:
    """Deletes the rows of boots that were closed before `before` (Unix seconds) and archived: by now nobody holds an end of theirs."""
    own = await closed_boots(connection)
    gone = await connection.execute(delete(Boot).where(Boot.closed_at < before, Boot.boot.not_in([ARCHIVE, *own])))
    return gone.rowcount


async def closed_boots(connection: AsyncConnection) -> list[str]:
    """The boots that are closed and have rows of their own still."""
    theirs = (
        select(literal(1)).where(Opening.boot == Boot.boot).exists() | select(literal(1)).where(End.boot == Boot.boot).exists()
    )
    return list(
        await connection.scalars(select(Boot.boot).where(Boot.closed == 1, Boot.boot != ARCHIVE, theirs).order_by(Boot.boot))
    )


def _slots(accounts: dict[tuple[str, str], Account]) -> list[dict[str, str | int]]:
    return [
        {"boot": ARCHIVE, "route": route, "slot": slot, "count": count}
        for (_, route), account in accounts.items()
        for slot, count in account.slots.items()
    ]


def _ends(accounts: dict[tuple[str, str], Account]) -> list[dict[str, str | int]]:
    return [
        end_row(ARCHIVE, route, ending, reason, count)
        for (_, route), account in accounts.items()
        for ending, reason, count in account.ends
    ]
