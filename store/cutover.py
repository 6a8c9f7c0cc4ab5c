"""Takes a decision on a route: one transaction that reads, judges, moves, audits and signs. Nobody else's verdict is believed."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gate.decision import issue, lease_of, renew, sign, verify
from gate.evaluate import evaluate
from gate.facts import Decision, GateVerdict, RouteStanding, State
from gate.machine import ACTIONS, Refused, transition
from gate.policy import DAY_S, Policy
from gate.steps import most_increases
from store.audit import append, hold_chain
from store.database import Store
from store.epochs import restart
from store.evidence import current_epoch, read_one
from store.schema import AuditLink
from store.standings import (
    APPROVAL_LIFE_S,
    read_decisions,
    read_standing,
    standing_text,
    void_approvals,
    write_approval,
    write_decision,
    write_standing,
)

APPROVE = "approve"
NOBODY = frozenset({"shadow", "unknown"})
"""Actors who are no people: the automation, and whoever the command line could not name. Their approval counts for nothing (I8)."""
_FRESH_GRACE = 0.95
"""Share of a cut-over's grace that must be left: renewing it each time would write every route for nothing."""

_JUDGED = frozenset({"promote", "retire", "unfreeze", "unlock"})


async def act(
    store: Store,
    action: str,
    route: str,
    actor: str,
    reason: str,
    policy: Policy,
    key: bytes,
    now: float,
    salt: str,
    *,
    routes_total: int | None = None,
    after_seq: int = 0,
    hard: bool = False,
) -> Decision:
    """The signed decision that results from `action`, already stored; for `approve` the one in force.

    Raises gate.machine.Refused (nothing is changed then), StoreError, and ValueError for an action that does not exist.
    `routes_total` is the number of routes that share alpha, `hard` marks the alarm of a hard trip. The decision's number is above
    `after_seq`: what a proxy was told directly, without the store, is overtaken by it.
    """
    if action != APPROVE and action not in ACTIONS:
        raise ValueError(f"{action!r} is no action of the cutover: choose one of {', '.join((*ACTIONS, APPROVE))}")
    if not actor.strip():
        raise Refused(("an action needs the name of who takes it",))
    # Without a clock only what leads down is possible (gate.machine sees to that), and it must be.
    at = now if math.isfinite(now) else 0.0
    async with store.writing() as connection:
        await hold_chain(connection)
        before = await read_standing(connection, route)
        previous = next(iter(await read_decisions(connection, route)), None)
        if action == APPROVE:
            return await _approve(connection, before, previous, actor, reason, policy, key, at, salt)
        verdict = None
        if action in _JUDGED:
            evidence = await read_one(connection, route, routes_total, now - APPROVAL_LIFE_S)
            verdict = evaluate(evidence, before, policy, now)
        after = transition(before, action, verdict, policy, now, salt, hard=hard)
        after = replace(after, seq=max(after.seq, after_seq + 1))
        if after.weight_bp > before.weight_bp:
            await _bound_increases(connection, route, policy, at)
        if before.weight_bp > 0 and after.weight_bp == 0:
            # A roll-back ends the attempt: what was gathered in it may not promote the route again.
            await restart(connection, route, {before.epoch, await current_epoch(connection, route)}, at)
        await void_approvals(connection, route)
        await write_standing(connection, after)
        decision = sign(issue(after, previous, salt, at, policy.lease_s, actor, reason, policy.cutover_grace_s), key)
        await write_decision(connection, decision)
        detail = _detail(reason, verdict)
        await append(connection, at, actor, action, route, standing_text(before), standing_text(after), detail)
        return decision


async def _bound_increases(connection: AsyncConnection, route: str, policy: Policy, now: float) -> None:
    """Raises Refused where the route's weight rose often enough in the last 24 hours, as the audit tells (I15)."""
    raised = select(func.count()).where(AuditLink.route == route, AuditLink.action == "promote", AuditLink.at > now - DAY_S)
    found, most = int(await connection.scalar(raised) or 0), most_increases(policy)
    if found >= most:
        raise Refused((f"increases: the weight rose {found} times within 24 h, {most} are the most: wait, and look at why",))


async def renew_leases(store: Store, policy: Policy, key: bytes, now: float) -> list[Decision]:
    """Renews the leases of canaries and, when a twentieth of it is over, the grace of cut-overs. Returns the renewed decisions.

    To be called every `policy.lease_renew_s`. A canary whose route has moved on to another epoch (a new build, other rules) is not
    renewed: its lease runs out. A cut-over is, whatever the build: it is watched.
    """
    renewed = []
    async with store.writing() as connection:
        await hold_chain(connection)
        for decision in await read_decisions(connection):
            lease = lease_of(decision.state, policy.lease_s, policy.cutover_grace_s)
            if lease is None or decision.lease_until is None or not verify(decision, key):
                continue
            if decision.state is State.CUTOVER:
                if decision.lease_until - now > _FRESH_GRACE * lease:
                    continue
            elif await current_epoch(connection, decision.route) not in ("", decision.epoch):
                continue
            fresh = renew(decision, now, lease, key)
            await write_decision(connection, fresh)
            renewed.append(fresh)
    return renewed


async def take_back_moved(store: Store, policy: Policy, key: bytes, now: float, salt: str) -> list[Decision]:
    """Brings canaries to shadow whose route has moved on to another epoch (I5, T6): a new build or rule set has earned no weight.

    To be called before `renew_leases`, which would let the canary's lease run out and its standing say canary for ever.
    """
    async with store.reading() as connection:
        moved = [
            decision.route
            for decision in await read_decisions(connection)
            if decision.state is State.CANARY and await current_epoch(connection, decision.route) not in ("", decision.epoch)
        ]
    reason = "another build or rule set than the one that earned the weight: evidence begins anew"
    return [await act(store, "shadow", route, "shadow", reason, policy, key, now, salt) for route in moved]


async def _approve(
    connection: AsyncConnection,
    standing: RouteStanding,
    previous: Decision | None,
    actor: str,
    reason: str,
    policy: Policy,
    key: bytes,
    now: float,
    salt: str,
) -> Decision:
    if actor.strip().casefold() in NOBODY:
        raise Refused((f"approvals: {actor.strip()!r} is no person: say who agrees, e.g. `cutover approve --actor NAME`",))
    route = standing.route
    evidence = await read_one(connection, route)
    await write_approval(connection, route, evidence.epoch, actor.strip(), now, reason)
    text = standing_text(standing)
    detail = json.dumps({"reason": reason, "epoch": evidence.epoch, "n": evidence.n, "k": evidence.k}, sort_keys=True)
    await append(connection, now, actor, APPROVE, route, text, text, detail)
    await write_standing(connection, standing)
    return previous or sign(issue(standing, None, salt, now, policy.lease_s, actor, reason, policy.cutover_grace_s), key)


def _detail(reason: str, verdict: GateVerdict | None) -> str:
    """Why, and on which figures: everything that is needed to judge the decision again."""
    detail: dict[str, object] = {"reason": reason}
    if verdict is not None:
        names = ("verdict", "epoch", "n", "k", "parity", "alpha", "log_e", "lower", "upper")
        detail |= {name: getattr(verdict, name) for name in names}
        detail["approvals"] = list(verdict.approvals)
        detail["guards"] = {
            guard.name: [guard.holds, guard.figure, guard.threshold, guard.blocking] for guard in verdict.guards
        }
    return json.dumps(detail, sort_keys=True)
