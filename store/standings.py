"""Where each route stands, the decision its proxies enforce, and who approved what."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from functools import lru_cache

import structlog
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gate.decision import decode, encode
from gate.facts import Decision, RouteStanding, State
from store.errors import StoreError
from store.schema import Approval, SignedDecision, Standing
from store.upsert import upsert

log = structlog.get_logger("paritygate.store")

APPROVAL_LIFE_S = 24 * 3600.0
"""An approval of this age counts no more."""


def standing_text(standing: RouteStanding) -> str:
    """The standing as canonical JSON, as the audit quotes it."""
    return json.dumps(asdict(standing), sort_keys=True, separators=(",", ":"))


def standing_of(text: str) -> RouteStanding:
    """The standing that `standing_text` was given. Raises StoreError for anything else."""
    try:
        fields = json.loads(text)
        return RouteStanding(**{**fields, "state": State(fields["state"])})
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"a route's standing in the store is damaged ({text[:60]!r}); restore a backup") from error


async def read_standings(connection: AsyncConnection) -> dict[str, RouteStanding]:
    """The standings of the routes that were ever acted upon."""
    found = await connection.execute(select(Standing.route, Standing.document))
    return {route: standing_of(document) for route, document in found}


async def read_standing(connection: AsyncConnection, route: str) -> RouteStanding:
    """One route's standing; a route never acted upon is in shadow."""
    document = await connection.scalar(select(Standing.document).where(Standing.route == route))
    return RouteStanding(route) if document is None else standing_of(document)


async def write_standing(connection: AsyncConnection, standing: RouteStanding) -> None:
    """Replaces a route's standing."""
    await upsert(connection, Standing, [{"route": standing.route, "document": standing_text(standing)}], document="set")


async def read_decisions(connection: AsyncConnection, route: str | None = None) -> list[Decision]:
    """The last signed decision of each route, or of one, by route. A damaged one is left out and logged: it must not hide the
    others, least of all a roll-back. The next action on its route replaces it.
    """
    decisions = []
    async for label, decision in _decoded(connection, route):
        if isinstance(decision, Decision):
            decisions.append(decision)
        else:
            _log_damage(label, decision)
    return decisions


async def damaged_decisions(connection: AsyncConnection) -> list[str]:
    """One sentence for each stored decision that cannot be read."""
    return [
        f"decision: {label}: {decision}; proxies keep the one they have until the next action on this route replaces it"
        async for label, decision in _decoded(connection, None)
        if not isinstance(decision, Decision)
    ]


async def _decoded(connection: AsyncConnection, route: str | None) -> AsyncIterator[tuple[str, Decision | str]]:
    """(route, decision), or (route, what is wrong with it)."""
    query = select(SignedDecision.route, SignedDecision.document).order_by(SignedDecision.route)
    if route is not None:
        query = query.where(SignedDecision.route == route)
    for label, document in (await connection.execute(query)).all():
        try:
            yield label, decode(document)
        except ValueError as error:
            yield label, str(error)


@lru_cache(maxsize=1_000)
def _log_damage(route: str, trouble: str) -> None:
    """Once for each: proxies read the decisions twice a second."""
    log.error("a decision in the store is damaged and left out; see `paritygate store check`", route=route, error=trouble)


async def write_decision(connection: AsyncConnection, decision: Decision) -> None:
    """Replaces a route's decision."""
    row = {"route": decision.route, "seq": decision.seq, "document": encode(decision)}
    await upsert(connection, SignedDecision, [row], seq="set", document="set")


async def write_approval(connection: AsyncConnection, route: str, epoch: str, actor: str, at: float, reason: str) -> None:
    """Notes that `actor` approves; the same person twice is one approval, with the later time."""
    row = {"route": route, "epoch": epoch, "actor": actor, "at": at, "reason": reason}
    await upsert(connection, Approval, [row], at="max", reason="set")


async def void_approvals(connection: AsyncConnection, route: str) -> None:
    """Forgets all approvals of a route."""
    await connection.execute(delete(Approval).where(Approval.route == route))
