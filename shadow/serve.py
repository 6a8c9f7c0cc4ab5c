"""Runs the mirror worker: builds its parts, serves the channel until it is told to stop, drains within bounds."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable

import structlog

from gate.policies import policies_for
from rules.model import RuleSet
from rules.subset import names, version_of
from settings.model import Settings
from settings.redaction import redactor_of
from shadow.alarms import Alarms
from shadow.alpha_shares import known_routes, share_alpha
from shadow.asking_again import AskingAgain
from shadow.breaker import Breaker
from shadow.bridge import Bridge
from shadow.budget import AskBudget
from shadow.builds import Builds
from shadow.burst_watch import BurstWatch
from shadow.channel import Channel, Connection
from shadow.current_epochs import CurrentEpochs
from shadow.data_nodes import learn_data_nodes
from shadow.dispatch import Ceilings, Dispatch
from shadow.endings import Endings, ExampleOffers
from shadow.faults import Outage
from shadow.held import Held
from shadow.judging import Judging
from shadow.latency_watch import LatencyWatch
from shadow.mirror import Copies, Mirror
from shadow.modes import Modes
from shadow.observers import Observers
from shadow.pending_writes import PendingWrites
from shadow.places import Places
from shadow.reconciliation import Reconciliation
from shadow.recorder import Recorder
from shadow.redaction import DifferenceRedactor
from shadow.relation_watch import RelationWatch
from shadow.retention import keep_to_retention
from shadow.rollback_watch import RollbackWatch
from shadow.rule_alarms import RuleAlarms
from shadow.rule_samples import RuleSamples
from shadow.stated_builds import StatedBuilds
from shadow.worker import HeldCeilings, Worker
from store.database import Store
from store.tasks import spawn
from traffic.message import Side
from traffic.route import RouteTable

log = structlog.get_logger("paritygate.shadow")

DRAIN_EXTRA_S = 2.0
HELD_PER_SLOT, LEAST_HELD = 4, 64
"""Exchanges held here: enough to keep every slot busy. The rest stays with the proxies, where a shadow's death costs nothing."""
LAST_FLUSH_S = 5.0


async def serve(
    settings: Settings, key: bytes, rules: RuleSet, store: Store, on_ready: Callable[[], None], routes: RouteTable
) -> None:
    """Serves until SIGTERM, SIGINT or cancellation, then finishes what it holds within about the mirror's deadline.

    `on_ready` is called once the channel listens. The store must be upgraded; it may fail at any later time. Raises ShadowError.
    """
    shadow = Shadow(settings, key, rules, store, routes)
    await shadow.start()
    stop = asyncio.Event()
    handled = _on_signals(stop)
    try:
        on_ready()
        await stop.wait()
    finally:
        try:
            await shadow.stop()
        finally:  # until here a second signal changes nothing: the drain is bounded as it is
            for number in handled:
                asyncio.get_running_loop().remove_signal_handler(number)


def _on_signals(stop: asyncio.Event) -> list[signal.Signals]:
    handled = []
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        except (RuntimeError, ValueError):
            continue  # not the main thread: whoever runs us cancels instead
        handled.append(number)
    return handled


class Shadow:
    """All parts of one worker, wired."""

    def __init__(self, settings: Settings, key: bytes, rules: RuleSet, store: Store, routes: RouteTable) -> None:
        clock, now = time.monotonic, time.time
        mirror = settings.mirror
        self._timeout, self._store, self._now, self._kept = mirror.timeout, store, now, settings.store
        self._settings = settings
        policies = policies_for(
            settings.gate.profile, settings.gate.parity, settings.gate.alpha, settings.gate.model_dump(exclude_none=True)
        )
        bridge, writes, self._held = Bridge(), PendingWrites(), Held()
        ceilings = Ceilings(mirror.max_in_flight, mirror.rate)
        self._ways = {
            side: Dispatch(
                url, key, mirror.timeout, mirror.max_body, ceilings, Breaker(clock), clock, lambda: secrets.token_hex(8)
            )
            for side, url in ((Side.PRIMARY, settings.primary.url), (Side.CANDIDATE, settings.candidate.url))
        }
        keep = settings.store.keep_examples
        self._reconciliation = Reconciliation(store, self._held, settings.state_dir, keep, now)
        writer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._recorder = Recorder(store, self._held, self._reconciliation.openings, writer, keep, now)
        header = settings.candidate.build_header
        identity = frozenset({header.lower()})
        self._judging = judging = Judging(rules, identity, now)
        versions = {name: version_of(rules, name) for name in names(rules)}
        copies = Copies(self._ways, bridge, routes, frozenset(mirror.methods))
        self._again = again = AskingAgain(
            copies.send, copies.have_room, judging, AskBudget(clock), Places(clock), Places(clock)
        )
        redactor = redactor_of(settings, key)
        offers = ExampleOffers(clock, keep)
        endings = Endings(redactor, rules.digest, policies.usual.unit_window_s, offers, Modes(clock), now, versions)
        self._samples = RuleSamples(rules, versions, identity, judging, endings, self._recorder.add_samples, now, clock, keep)
        self._rule_alarms = RuleAlarms(store, rules, versions, now)
        self._alarms = Alarms(self._tell, store, policies, key, now, clock)
        observers = Observers(
            LatencyWatch(policies, now, store.evidence),
            RelationWatch(now),
            RollbackWatch(policies, clock),
            self._samples,
            judging.key_names,
            self._recorder,
            self._alarms.sound,
            BurstWatch(policies, clock),
            self._alarms.begin_anew,
            DifferenceRedactor(redactor),
        )
        builds = Builds(header)
        self._stated = StatedBuilds(builds, store, settings.candidate.version_address)
        self._worker = Worker(
            Mirror(copies, bridge, judging, again, endings, writes, builds, CurrentEpochs(store.evidence, clock)),
            endings,
            self._recorder,
            self._held,
            writes,
            observers,
            clock,
            HeldCeilings(max(LEAST_HELD, HELD_PER_SLOT * mirror.max_in_flight), mirror.max_in_flight),
        )
        self._channel = Channel(settings.channel_path, self._greet, self._worker.accept, self._room, self._gone)
        self._beside: list[asyncio.Task[None]] = []

    @property
    def received(self) -> int:
        """Exchanges that were taken in so far."""
        return self._worker.received

    @property
    def under_way(self) -> int:
        """Exchanges that were taken in and have not ended."""
        return self._worker.under_way

    @property
    def held(self) -> int:
        """Exchanges that were taken in and whose end is not in the store."""
        return self._held.total

    async def _greet(self, connection: Connection) -> None:
        await self._reconciliation.greet(connection, self._channel, self._recorder)

    async def _room(self) -> None:
        await self._worker.room()
        await self._recorder.room()

    def _gone(self, connection: Connection) -> None:
        if connection.hello is not None:
            log.info("a proxy disconnected", boot=connection.hello.boot)

    def _tell(self, route: str, reason: str) -> None:
        self._channel.alarm(route, reason)

    async def start(self) -> None:
        """Opens the channel and starts writing. Raises ShadowError."""
        await self._stated.look()  # before the first comparison: its evidence needs the build
        await self._channel.open()
        self._beside = [
            spawn(self._recorder.run(), "recorder"),
            spawn(self._reconciliation.sweep(), "books of dead proxies"),
            spawn(self._close_units(), "evidence units"),
            spawn(keep_to_retention(self._store, self._kept.retention, self._kept.max_size, self._now), "retention"),
            spawn(self._samples.run(), "what rules hide"),
            spawn(self._rule_alarms.run(), "alarms of rules"),
            spawn(learn_data_nodes(self._store, self._judging.key_names), "data nodes"),
            spawn(self._stated.run(), "builds that are stated"),
            spawn(share_alpha(lambda: known_routes(self._settings), self._store.share_alpha), "shares of alpha"),
            spawn(self._alarms.renew(lambda: bool(self._channel.connections)), "leases of canaries"),
        ]

    async def _close_units(self) -> None:
        """Evidence counts when its window is over, also on a route that has gone quiet."""
        outage = Outage("evidence units cannot be closed yet")
        while True:
            await asyncio.sleep(1.0)
            try:
                await self._store.close_units(self._recorder.written_until())
                outage.worked()
            except Exception as error:
                outage.failed(error)

    async def stop(self) -> None:
        """Reads what was sent and no more, finishes or loses (counted) what is under way, writes it, and only then frees the channel."""
        self._again.close()
        await self._channel.close()
        await self._worker.drain(self._timeout + DRAIN_EXTRA_S)
        await self._reconciliation.close()
        await self._alarms.close(LAST_FLUSH_S)
        await self._recorder.close(LAST_FLUSH_S)
        for task in self._beside[1:]:
            task.cancel()
        _, late = await asyncio.wait(self._beside, timeout=LAST_FLUSH_S)
        for task in late:
            task.cancel()
        for way in self._ways.values():
            await way.close()
        self._channel.release()
