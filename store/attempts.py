"""Ends a route's attempt in shadow: its evidence was gathered in bursts of mismatches, and begins anew with less alpha."""

from __future__ import annotations

import json
import math

from gate.policy import Policy
from store.audit import append, hold_chain
from store.database import Store
from store.epochs import restart
from store.evidence import read_one
from store.standings import read_standing, standing_text, void_approvals

ACTION = "restart"


async def restart_attempt(store: Store, route: str, epoch: str, actor: str, reason: str, policy: Policy, now: float) -> bool:
    """Begins the evidence of a route's current `epoch` anew, audited; False where there is nothing to gain from it.

    That is so where clients are served by the candidate (a roll-back is due then), where the epoch is over, where it holds too few units
    to be an attempt (1/q0), and where its mismatches refuse the claim anyway. Raises StoreError.
    """
    q0 = 1.0 - policy.p0
    at = now if math.isfinite(now) else 0.0
    async with store.writing() as connection:
        await hold_chain(connection)
        standing = await read_standing(connection, route)
        evidence = await read_one(connection, route)
        if standing.weight_bp > 0 or evidence.epoch != epoch or evidence.n * q0 < 1.0 or evidence.k >= q0 * evidence.n:
            return False
        await restart(connection, route, [epoch], at)
        await void_approvals(connection, route)
        text = standing_text(standing)
        detail = {"reason": reason, "epoch": epoch, "n": evidence.n, "k": evidence.k, "attempt": evidence.attempt}
        await append(connection, at, actor, ACTION, route, text, text, json.dumps(detail, sort_keys=True))
        return True
