"""Plays a fault while clients ask, and what every fault behind the live path has to leave unharmed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from faults_audit import Audit, assert_clients_fine
from faults_load import Load, offer
from faults_stage import REST_S, Stage

from store.tasks import spawn
from traffic.ledger import Ledger

RESUME_S = 15.0
"""5 s on a machine of its own: the breaker's longest pause, and a moment."""
SLOWEST_S = 3.0
"""A coarse bound of the 99th percentile, on a machine that does other things as well. Waiting for a candidate would take far longer."""
MOST_MEMORY = 100 * 1024 * 1024
"""What the live process may need more than without the fault."""


async def endure(
    stage: Stage, mode: str, seconds: float = 0.6, rate: float = 250.0, copies: int = 1, within_s: float = REST_S
) -> tuple[Load, Ledger]:
    """Clients ask while the candidate behaves like `mode`; every client is fine and the books are exact. What was counted."""
    audit = await Audit.begin(stage)
    memory = stage.proxy.memory
    await stage.candidate.behave(mode)
    try:
        load = await offer(stage.port, seconds, rate)
        ledger = await audit.end(load, within_s, copies)
    finally:
        await stage.candidate.behave("ok")
    assert_clients_fine(load)
    assert load.percentile(0.99) < SLOWEST_S
    assert stage.proxy.memory - memory < MOST_MEMORY
    return load, ledger


async def resumed(stage: Stage, within_s: float = RESUME_S) -> float:
    """Seconds until the candidate, which is well again, gets copies; at most `within_s`."""
    begun = time.monotonic()
    stage.candidate.forget()
    while not stage.candidate.copies:
        assert time.monotonic() - begun < within_s, f"no copy within {within_s:g} s"
        assert_clients_fine(await offer(stage.port, 0.2, 50.0, 5))
    await stage.at_rest()
    return time.monotonic() - begun


async def during(
    stage: Stage,
    fault: Callable[[], Awaitable[Any]],
    rate: float = 200.0,
    before_s: float = 0.3,
    after_s: float = 0.5,
    **audited: Any,
) -> tuple[Load, Ledger]:
    """Clients ask before, while and after `fault` happens. What they got, and what was counted; exact, but not judged further."""
    audit = await Audit.begin(stage)
    over = False
    asking = spawn(offer(stage.port, 600.0, rate, stop=lambda: over), "load")
    try:
        await asyncio.sleep(before_s)
        await fault()
        await asyncio.sleep(after_s)
    finally:
        over = True
        load = await asking
    return load, await audit.end(load, **audited)
