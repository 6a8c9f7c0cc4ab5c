"""The story that is played once: three routes climb, one gets a defect in mid-canary, then the store is killed and comes back."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass, field, replace

from cutover_routes import route_of
from cutover_stage import Stage
from faults_stage import until
from store_server import Server

from cli.cutover import decide
from gate.facts import Decision, RouteStanding, State
from store.errors import StoreError
from store.records import AuditRow

DEFECT_SHARE = 0.5
LEASE_S = 1.0
WATCH_S = 1.0
"""How long clients go on asking where it is to be seen that nothing moves."""


@dataclass
class Outcome:
    """What was noted while the story was played. Times are Unix seconds."""

    defect_at: float = 0.0
    alarmed_at: list[float] = field(default_factory=list)
    """When each proxy served the route from the primary again, as it says itself."""
    rolled_back: tuple[RouteStanding, ...] = ()
    alarm_reason: str = ""
    raised_without_store: str = ""
    before_expiry: list[tuple[int, int, bool]] = field(default_factory=list)
    replayed: list[int] = field(default_factory=list)
    after_return: dict[str, list[tuple[int, int, bool]]] = field(default_factory=dict)
    rollback_took: float = 0.0
    problems: list[str] = field(default_factory=list)
    audit: list[AuditRow] = field(default_factory=list)

    @property
    def comparisons(self) -> int:
        """After how many comparisons since the first mismatch the alarm was raised, as the audit says."""
        found = re.search(r"in (\d+) comparisons since the first", self.alarm_reason)
        assert found is not None, self.alarm_reason
        return int(found[1])


async def climb(stage: Stage) -> None:
    """All three routes stand in the first canary step."""
    await asyncio.gather(*(stage.promote(segment) for segment in "abc"))


async def defect_in_mid_canary(stage: Stage, outcome: Outcome, share: float = DEFECT_SHARE) -> None:
    """Route a's candidate turns bad; both proxies, and then the store, say that it is back."""
    await asyncio.sleep(1.5)  # long enough that some answers belong to the canary without doubt
    begun = outcome.defect_at = time.time()
    stage.candidate.defects["a"] = share
    outcome.alarmed_at = [0.0, 0.0]

    async def back() -> bool:
        for number, (_, weight, alarmed) in enumerate(await stage.enforced("a")):
            if (alarmed or weight == 0) and not outcome.alarmed_at[number]:
                outcome.alarmed_at[number] = time.time()
        return all(outcome.alarmed_at)

    await until("both proxies have taken the route back", back, 60.0, 0.02)
    stage.ruling.begin("a", begun, time.time(), None, "alarm")

    async def recorded() -> bool:
        return (await stage.store.standing(route_of("a"))).state is State.ROLLED_BACK

    await until("the alarm is recorded", recorded, 30.0, 0.05)
    link = next(row for row in await stage.store.audit(20) if row.route == route_of("a") and row.action == "alarm")
    outcome.alarm_reason = str(json.loads(link.detail)["reason"])
    outcome.rolled_back = (await stage.store.standing(route_of("a")),)
    stage.candidate.defects.clear()


async def up_to_the_end(stage: Stage) -> None:
    """Route b stands in the second step, route c is cut over."""
    await asyncio.gather(stage.promote("b"), stage.promote("c"))
    await stage.promote("c")


async def without_the_store(stage: Stage, server: Server, outcome: Outcome) -> None:
    """The store dies by kill -9: nothing rises, a roll-back works, a lease runs out; then it is there again."""
    held: Decision = next(found for found in await stage.store.decisions() if found.route == route_of("b"))
    await asyncio.to_thread(server.kill)
    try:
        await stage.act("promote", "b")
    except StoreError as error:
        outcome.raised_without_store = type(error).__name__
    await asyncio.sleep(WATCH_S)
    outcome.before_expiry = await stage.enforced("b") + await stage.enforced("c")
    await asyncio.gather(_roll_back(stage, outcome), _let_the_lease_run_out(stage, held, outcome))
    await asyncio.to_thread(server.start)
    await until("the store answers", lambda: _answers(stage), 30.0, 0.1)
    outcome.replayed = await stage.tell(held)
    await asyncio.sleep(WATCH_S)
    outcome.after_return = {segment: await stage.enforced(segment) for segment in "abc"}
    await asyncio.to_thread(decide, stage.settings, "rollback", route_of("c"), "ann", "repeated, now that the store is back")
    outcome.problems, outcome.audit = await stage.store.check(), await stage.store.audit(100)


async def _roll_back(stage: Stage, outcome: Outcome) -> None:
    begun = time.time()
    made = await asyncio.to_thread(decide, stage.settings, "rollback", route_of("c"), "ann", "the store is gone")
    assert (made.state, made.weight_bp) == (State.ROLLED_BACK, 0)

    async def back() -> bool:
        return [weight for _, weight, _ in await stage.enforced("c")] == [0, 0]

    await until("both proxies have rolled back", back, 10.0, 0.02)
    settled = time.time()
    outcome.rollback_took = settled - begun
    stage.ruling.begin("c", begun, settled, made, "manual")


async def _let_the_lease_run_out(stage: Stage, held: Decision, outcome: Outcome) -> None:
    """As if the store had died shortly before the end of the canary's lease: renewed for the last time, for LEASE_S."""
    begun = time.time()
    last = replace(held, seq=held.seq + 1, issued=begun, lease_until=begun + LEASE_S)
    assert await stage.tell(last) == [200, 200]
    stage.ruling.begin("b", begun, time.time(), last, "last lease")
    await asyncio.sleep(max(0.0, begun + LEASE_S - time.time()))
    stage.ruling.begin("b", begun + LEASE_S - 0.05, begun + LEASE_S, None, "expired")
    await asyncio.sleep(1.0 + WATCH_S)


async def _answers(stage: Stage) -> bool:
    try:
        await stage.store.decisions()
    except StoreError:
        return False
    return True
