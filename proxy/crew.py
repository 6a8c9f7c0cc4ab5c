"""The workers of one machine: N processes on one port, all of them told the same, seen as one."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Sequence

import structlog

from gate import decision as signed
from gate.facts import Decision
from proxy.books import Books
from proxy.breaker import LAST, MOST_FAILED, Breaker
from proxy.control import Snapshot
from proxy.decision_book import DecisionBook
from proxy.member import Member
from proxy.orders import (
    Accept,
    Confirmed,
    Enforce,
    Failed,
    Order,
    OrderError,
    Raised,
    Ready,
    Report,
    SetPaused,
    SetRoutes,
    Word,
)
from proxy.places import Places
from proxy.port import Port
from proxy.route_rows import rows_of
from settings.model import Settings
from store.opening_counts import OpeningCounts
from store.openings import OpeningsError, named_openings
from traffic.route import RouteTable

CONFIRM_S = 0.9
"""A switch is done when every worker has confirmed it, or after so long."""

_log = structlog.get_logger("paritygate.proxy")


class Crew:
    """The control over N workers. `start` starts them; they accept clients once `routes` are set."""

    def __init__(self, settings: Settings, key: bytes, port: Port, book: DecisionBook) -> None:
        self.settings, self.key, self.book = settings, key, book
        self.stop = asyncio.Event()
        """Set when the proxy is asked to end."""
        self.any_ready, self.all_ready = asyncio.Event(), asyncio.Event()
        """Any place, every place has, or has had, a worker that accepts clients."""
        self._boot, self._node = secrets.token_hex(8), socket.gethostname()
        self._books = Books(self._boot, self._node)
        self._breaker = Breaker()
        self._places = Places(settings, key, port, self, self._books.ended)
        self._routes: RouteTable | None = None
        self._were_ready: set[int] = set()
        self._paused = self._draining = False
        self._number = 0
        book.on_taken = self._enforce
        book.on_alarm = lambda route, seq, reason: self._tell_all(Enforce(self._next(), (), ((route, seq),)))

    # What the admin listener sees and does.

    @property
    def routes(self) -> RouteTable:
        """The routes in force; an empty table until they are known."""
        return self._routes if self._routes is not None else RouteTable(())

    @routes.setter
    def routes(self, routes: RouteTable) -> None:
        first, self._routes = self._routes is None, routes
        if not first:
            self._tell_all(SetRoutes(self._next(), rows_of(routes)))
            return
        for member in self._places.members:
            self._admit(member)

    @property
    def ready(self) -> bool:
        """Whether any worker accepts clients."""
        return not self._draining and any(member.serves for member in self._places.members)

    def snapshot(self) -> Snapshot:
        """The gauges as of now, by the workers' last reports."""
        members = [member for member in self._places.members if member.admitted_by]
        return Snapshot(
            boot=self._boot,
            node=self._node,
            as_of=time.time(),
            paused=self._paused,
            draining=self._draining,
            alarms=len(self.book.alarms),
            workers_wanted=self._places.count,
            workers_ready=sum(member.serves for member in members),
            restarts=self._places.restarts,
            accept_failures=self._places.accept_failures + sum(member.standing.accept_failures for member in members),
            standings=tuple(member.standing for member in members),
            pids=tuple(member.pid for member in members),
            most_routes=self.settings.routes.max,
        )

    def openings(self) -> Sequence[OpeningCounts]:
        """The counters of all workers, the dead included. For a thread."""
        return self._books.counts()

    async def pause(self, paused: bool) -> int:
        """Nothing is mirrored any more, or is again; new workers begin like that, too."""
        self._paused = paused
        self._tell_all(SetPaused(self._next(), paused))
        return await self._unconfirmed()

    async def decide(self, decision: Decision) -> int | None:
        """Enforces a decision in every worker."""
        if not self.book.offer(decision) and not self.book.holds(decision):
            return None
        return await self._unconfirmed()

    def drain(self) -> None:
        """Asks the parent to end."""
        self.stop.set()

    # Beginning and end.

    def start(self) -> None:
        """Starts the workers; returns at once."""
        self._places.start()

    @property
    def failed(self) -> asyncio.Future[None]:
        """Ends with a ProxyError when no worker can be started at all."""
        return self._places.failed

    async def end(self, cut_short: asyncio.Event) -> None:
        """Drains all workers, within bounds. A `cut_short` that is set makes the rest of it quick."""
        begun = time.monotonic()
        self._draining = True
        members = self._places.members
        _log.info("the drain begins", workers=len(members), open=sum(member.standing.open for member in members))
        try:
            await self._places.end(self._next, cut_short)
        finally:
            self._books.close()
        _log.info("the drain is over", took_s=round(time.monotonic() - begun, 3))

    # What workers say.

    def heard(self, member: Member, word: Order | Word) -> None:
        """Acts on one word of a worker. Raises OrderError for what no worker says."""
        if isinstance(word, Report):
            member.standing = word.read()
            if member.standing.draining:
                member.gone.set()
            for route, seq, failed, client in word.ends:
                if self._breaker.note(route, seq, failed, client):
                    self.book.overrule(route, seq, f"more than {MOST_FAILED} of the last {LAST} live requests failed")
        elif isinstance(word, Confirmed):
            member.confirmed = max(member.confirmed, word.number)
            if member.serves:
                self._now_serves(member)
        elif isinstance(word, Raised):
            self.book.overrule(word.route, word.seq, word.reason)
        elif isinstance(word, Ready):
            try:
                self._books.opened(member.boot, named_openings(self.settings.state_dir, os.path.basename(word.openings)))
            except OpeningsError as error:
                raise OrderError(str(error)) from error
            member.openings = word.openings
            self._admit(member)
        elif isinstance(word, Failed):
            member.failure = word.reason
            _log.error("a worker cannot run", place=member.place, reason=word.reason)
        else:
            raise OrderError(f"a {type(word).__name__} from a worker")
        self._places.news.set()

    def _now_serves(self, member: Member) -> None:
        self._were_ready.add(member.place)
        self.any_ready.set()
        if len(self._were_ready) == self._places.count:
            self.all_ready.set()

    def _admit(self, member: Member) -> None:
        """Tells a worker that is ready everything that is in force, and then to accept clients."""
        if member.openings is None or member.admitted_by or self._routes is None or self._draining:
            return
        decisions = tuple(signed.encode(decision) for decision in self.book.decisions)
        member.tell(SetRoutes(self._next(), rows_of(self._routes)))
        member.tell(Enforce(self._next(), decisions, tuple(self.book.alarms.items())))
        member.tell(SetPaused(self._next(), self._paused))
        member.admitted_by = self._next()
        member.tell(Accept(member.admitted_by))
        _log.info("a worker accepts clients", place=member.place, pid=member.pid)

    # What workers are told.

    def _enforce(self, decisions: list[Decision]) -> None:
        self._tell_all(Enforce(self._next(), tuple(signed.encode(decision) for decision in decisions)))

    def _tell_all(self, order: Order) -> None:
        for member in self._places.members:
            if member.admitted_by:
                member.tell(order)

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _unconfirmed(self) -> int:
        """How many workers that serve have not carried out everything they were told by now, CONFIRM_S later."""
        number, news = self._number, self._places.news
        try:
            async with asyncio.timeout(CONFIRM_S):
                while self._behind(number):
                    news.clear()
                    await news.wait()
        except TimeoutError:
            pass
        return self._behind(number)

    def _behind(self, number: int) -> int:
        return sum(member.admitted_by > 0 and member.confirmed < number for member in self._places.members)
