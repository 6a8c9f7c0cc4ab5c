"""Takes a route back to the primary: every proxy is told at once, the store when it can be."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

import structlog

from gate.machine import Refused
from gate.policies import ByRoute
from shadow.faults import Outage
from shadow.rollback_watch import Trip
from store.attempts import restart_attempt
from store.cutover import act, renew_leases, take_back_moved
from store.database import Store
from store.tasks import spawn

log = structlog.get_logger("paritygate.shadow")

ACTOR = "shadow"
REPEAT_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0


class Alarms:
    """`tell` sends an alarm to all connected proxies. `now` is Unix time, `clock` monotonic seconds."""

    def __init__(
        self,
        tell: Callable[[str, str], None],
        store: Store,
        policies: ByRoute,
        key: bytes,
        now: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._tell, self._store, self._policies, self._key, self._now, self._clock = tell, store, policies, key, now, clock
        self._raised: dict[str, float] = {}
        self._writing: dict[str, asyncio.Task[None]] = {}

    def sound(self, route: str, trip: Trip) -> None:
        """Rolls `route` back. What is still under way of it raises the same alarm again, which is not repeated within seconds."""
        at = self._raised.get(route)
        if at is not None and self._clock() - at < REPEAT_S:
            return
        self._raised[route] = self._clock()
        log.error("the route goes back to the primary", route=route, reason=trip.reason)
        self._tell(route, trip.reason)
        writing = self._writing.get(route)
        if writing is None or writing.done():
            self._writing[route] = spawn(self._write(route, trip), f"roll back {route}")

    async def _write(self, route: str, trip: Trip) -> None:
        pause = FIRST_PAUSE_S
        outage = Outage("an alarm cannot be recorded yet; the proxies know of it")
        while True:
            try:
                await act(
                    self._store, "alarm", route, ACTOR, trip.reason, self._policies.of(route), self._key, self._now(), secrets.token_hex(8),
                    hard=trip.hard,
                )  # fmt: skip
                return
            except Refused as error:
                log.warning("the alarm is not recorded", route=route, error=str(error))
                return
            except Exception as error:
                outage.failed(error)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE_S, pause * 2)

    def begin_anew(self, route: str, epoch: str) -> None:
        """Begins the evidence of a route anew that serves nobody from the candidate: its mismatches come in bursts."""
        writing = self._writing.get(route)
        if writing is None or writing.done():
            self._writing[route] = spawn(self._restart(route, epoch), f"begin {route} anew")

    async def _restart(self, route: str, epoch: str) -> None:
        reason = "mismatches came in a burst (e-SR detector): the evidence begins anew"
        try:
            begun = await restart_attempt(self._store, route, epoch, ACTOR, reason, self._policies.of(route), self._now())
        except Exception as error:  # the next burst tells it again
            log.warning("a burst of mismatches is not recorded", route=route, error=str(error))
            return
        if begun:
            log.warning(reason, route=route, epoch=epoch)

    async def renew(self, watched: Callable[[], bool]) -> None:
        """Renews the leases of canaries and cut-overs while `watched` says that their proxies' traffic is seen here; until cancelled."""
        outage = Outage("the leases of canaries cannot be renewed")
        while True:
            await asyncio.sleep(self._policies.usual.lease_renew_s)
            if not watched():
                continue  # nobody would notice a candidate that turns bad: let the leases run out
            try:
                salt = secrets.token_hex(8)
                for decision in await take_back_moved(self._store, self._policies.usual, self._key, self._now(), salt):
                    log.warning("the canary is back in shadow: a new build or rule set", route=decision.route)
                await renew_leases(self._store, self._policies.usual, self._key, self._now())
                outage.worked()
            except Exception as error:
                outage.failed(error)

    async def close(self, deadline_s: float) -> None:
        """Waits for alarms that are being recorded, at most `deadline_s` seconds."""
        writing = [task for task in self._writing.values() if not task.done()]
        if not writing:
            return
        _, late = await asyncio.wait(writing, timeout=deadline_s)
        for task in late:
            task.cancel()
