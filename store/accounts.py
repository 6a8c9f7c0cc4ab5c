"""The ledger's tables: how each boot's requests opened and ended. The equations hold in every snapshot, whatever was killed.

A boot's openings are absolute, so writing them twice is harmless. Its ends are increments, written once. A boot that is closed is
final: what was open became `proxy_died`, what was pending became lost, and an end that arrives later changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, literal, null, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.records import Ended, OpeningCounts
from store.schema import Boot, End, Opening
from store.upsert import upsert
from traffic.ledger import (
    ANSWERS,
    HANDED,
    SEEN_SLOT,
    SENT_SLOT,
    SERVED_PRIMARY,
    SLOTS,
    Ledger,
    build_ledger,
    opening_slot,
)
from traffic.outcome import Skipped

_LARGEST = 2**62
_HANDED_SLOTS = frozenset(opening_slot(answer, HANDED) for answer in ANSWERS)
_PROVISIONAL_SLOT = opening_slot(SERVED_PRIMARY, HANDED)

# Missing data that hides the candidate's faults or our own; what a policy or the client skipped is no incident.
INCIDENTS = frozenset(
    {
        Skipped.BREAKER_OPEN,
        Skipped.QUEUE_FULL,
        Skipped.LANE_FULL,
        Skipped.RATE_LIMITED,
        Skipped.UNSENDABLE,
        Skipped.PROXY_DIED,
    }
)


@dataclass
class Account:
    """One route of one boot."""

    closed: bool = False
    slots: dict[int, int] = field(default_factory=dict)
    ends: list[tuple[str, str, int]] = field(default_factory=list)

    def ledger(self) -> Ledger:
        """The ledger, made whole where the openings of a living boot were read before its ends: these were opened for certain.

        A closed boot's counts are final, so there a surplus of ends stays visible as a violation.
        """
        slots = dict(self.slots)
        if not self.closed:
            early = sum(count for _, _, count in self.ends) - handed(slots)
            if early > 0:
                slots[_PROVISIONAL_SLOT] = slots.get(_PROVISIONAL_SLOT, 0) + early
            slots[SEEN_SLOT] = max(slots.get(SEEN_SLOT, 0), answered(slots))
        return build_ledger(slots, self.ends)


def incidents(ledger: Ledger) -> int:
    """How many exchanges are missing from the evidence for a reason that may hide a fault."""
    return sum(ledger.lost.values()) + sum(count for reason, count in ledger.skipped.items() if reason in INCIDENTS)


async def lock_boots(connection: AsyncConnection, ended: Sequence[Ended], openings: Sequence[OpeningCounts]) -> frozenset[str]:
    """Registers the boots of a batch and holds their rows until the transaction ends. Returns those that are closed already."""
    nodes = {row.boot: "" for row in ended} | {opening.boot: opening.node for opening in openings}
    await upsert(connection, Boot, [{"boot": boot, "node": node, "closed": 0} for boot, node in nodes.items()])
    found = await connection.execute(
        select(Boot.boot, Boot.closed).where(Boot.boot.in_(sorted(nodes))).order_by(Boot.boot).with_for_update()
    )
    return frozenset(boot for boot, closed in found if closed)


async def write_ends(connection: AsyncConnection, ended: Iterable[Ended]) -> None:
    """Adds the ends of a batch."""
    counts: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for row in ended:
        counts[row.boot, row.route, str(row.ending), str(row.reason)] += row.count
    await upsert(connection, End, [end_row(*key, count) for key, count in counts.items()], count="add")


async def write_openings(connection: AsyncConnection, openings: Sequence[OpeningCounts]) -> None:
    """Raises the boots' counts to what was read. The boots' rows are held."""
    highest: dict[tuple[str, str, int], int] = {}
    for opening in openings:
        for route, slots in opening.routes.items():
            for slot, count in slots.items():
                if count > 0 and 0 <= slot < SLOTS:
                    key = (opening.boot, route, slot)
                    highest[key] = max(highest.get(key, 0), min(count, _LARGEST))
    rows = [{"boot": boot, "route": route, "slot": slot, "count": count} for (boot, route, slot), count in highest.items()]
    await upsert(connection, Opening, rows, count="max")
    named = {opening.boot: opening.node for opening in openings if opening.node}
    for boot in sorted(named):
        await connection.execute(update(Boot).where(Boot.boot == boot, Boot.node == "").values(node=named[boot]))


async def read_accounts(
    connection: AsyncConnection, route: str | None = None, boot: str | None = None
) -> dict[tuple[str, str], Account]:
    """All accounts by (boot, route), or one route's, or one boot's; read by one statement and so from one moment."""
    opened = select(Opening.boot, Opening.route, Opening.slot, null().label("ending"), null().label("reason"), Opening.count)
    ended = select(End.boot, End.route, literal(-1), End.ending, End.reason, End.count)
    closed = select(Boot.boot, literal(""), literal(-2), null(), null(), Boot.closed)
    if route is not None:
        opened, ended = opened.where(Opening.route == route), ended.where(End.route == route)
    if boot is not None:
        opened, ended, closed = (
            opened.where(Opening.boot == boot),
            ended.where(End.boot == boot),
            closed.where(Boot.boot == boot),
        )
    accounts: dict[tuple[str, str], Account] = {}
    dead = set()
    rows: Iterable[tuple[str, str, int, str, str, int]] = await connection.execute(union_all(ended, opened, closed))
    for name, label, slot, ending, reason, count in rows:
        if slot == -2:
            if count:
                dead.add(name)
            continue
        account = accounts.setdefault((name, label), Account())
        if slot == -1:
            account.ends.append((ending, reason, count))
        else:
            account.slots[slot] = count
    for (name, _), account in accounts.items():
        account.closed = name in dead
    return accounts


async def read_ledgers(connection: AsyncConnection, route: str | None = None) -> dict[str, Ledger]:
    """The ledger of each route, or of one."""
    return sum_ledgers(await read_accounts(connection, route))


def sum_ledgers(accounts: Mapping[tuple[str, str], Account]) -> dict[str, Ledger]:
    """The ledgers by route over all boots."""
    ledgers: dict[str, Ledger] = {}
    for (_, route), account in sorted(accounts.items()):
        ledgers[route] = ledgers.get(route, Ledger()) + account.ledger()
    return ledgers


async def ended_counts(connection: AsyncConnection, boot: str) -> dict[str, int]:
    """How many exchanges of a boot have ended, by route."""
    total = func.sum(End.count)
    found = await connection.execute(select(End.route, total).where(End.boot == boot).group_by(End.route))
    return {route: int(count) for route, count in found}


def answered(slots: Mapping[int, int]) -> int:
    """How many requests were answered."""
    return sum(count for slot, count in slots.items() if slot not in (SEEN_SLOT, SENT_SLOT))


def handed(slots: Mapping[int, int]) -> int:
    """How many exchanges were handed over to the shadow."""
    return sum(slots.get(slot, 0) for slot in _HANDED_SLOTS)


def end_row(boot: str, route: str, ending: str, reason: str, count: int) -> dict[str, str | int]:
    """A row of `store.schema.End`."""
    return {"boot": boot, "route": route, "ending": ending, "reason": reason, "count": count}
