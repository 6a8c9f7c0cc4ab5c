"""The live path's state, and its book-keeping: every client request is seen once and settled once."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import structlog

from proxy.answers import STATUS
from proxy.breaker import LAST, MOST_FAILED, Breaker
from proxy.copy_budget import CopyBudget, Copying
from proxy.decision_book import DecisionBook, kept_book
from proxy.forwarded import Forwarding
from proxy.handoff import HandOff
from proxy.live_flow import LiveFlow
from proxy.routing import Backend
from settings.model import Settings
from store.openings import OpeningsFile
from traffic.codec import MAX_FRAME, Alarm, CodecError, ExchangePacker, Hello
from traffic.ledger import HANDED, SERVED_CANDIDATE, SERVED_PRIMARY
from traffic.message import Side
from traffic.outcome import Refused, Skipped
from traffic.route import OTHER_METHOD, UNROUTED, RouteTable

_log = structlog.get_logger("paritygate.proxy")

UNKNOWN = f"{OTHER_METHOD} {UNROUTED}"
"""The label of a request that never became one."""
PATIENCE_S = 10.0
"""A client that leaves after waiting so long for an answer's first byte was failed by the backend; before, it just left."""
_BACKEND_FAILED = frozenset({Refused.UPSTREAM_UNREACHABLE, Refused.UPSTREAM_TIMEOUT})
_COPY_OF_REFUSED: dict[Refused, Skipped] = {
    Refused.MALFORMED: Skipped.INCOMPLETE,
    Refused.HEADER_LIMIT: Skipped.INCOMPLETE,
    Refused.OVERLOAD: Skipped.LIVE_REFUSED,
    Refused.UPSTREAM_UNREACHABLE: Skipped.LIVE_ERROR,
    Refused.UPSTREAM_TIMEOUT: Skipped.LIVE_ERROR,
    Refused.CLIENT_GONE: Skipped.CLIENT_GONE,
    Refused.DRAINING: Skipped.DRAINING,
    Refused.PROXY_DIED: Skipped.PROXY_DIED,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Which proxy process this is, and its sources of time and chance."""

    boot: str
    node: str
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    random: Random = field(default_factory=Random)


class LivePath:
    """Everything the addon needs. Raises store.openings.OpeningsError when the openings file cannot be made.

    `book` is a worker's; without one, the book that this machine keeps is read.
    """

    def __init__(
        self, settings: Settings, key: bytes, routes: RouteTable, identity: Identity, book: DecisionBook | None = None
    ) -> None:
        self.settings = settings
        self.key = key
        self.routes = routes
        self.identity = identity
        self.primary = Backend.of(settings.primary.url)
        self.candidate = Backend.of(settings.candidate.url)
        self.forwarding = Forwarding(settings.proxy.trusted_proxies)
        self.book = book if book is not None else kept_book(settings, key, identity.clock)
        path = settings.state_dir / f"openings-{identity.boot}.bin"
        self.openings = OpeningsFile.create(path, identity.boot, identity.node, settings.routes.max)
        self.copies = CopyBudget()
        self.breaker = Breaker()
        self.handoff = HandOff(settings.channel_path, settings.mirror.queue, self._hello, self.openings.sent, self._alarm)
        self.paused = False
        self.draining = False
        self.open: dict[int, LiveFlow] = {}
        self._seq = itertools.count(1)
        self._pack = ExchangePacker().pack

    def begin(self, live: LiveFlow) -> None:
        """Counts a request as seen; from here on it is open until `served` or `refused`."""
        self.openings.seen(live.label)
        self.open[id(live)] = live

    def answered(self, live: LiveFlow, status: int) -> None:
        """The client got a backend's complete answer. Where the request's end is still to come, the exchange waits for it: a backend
        may answer before it has read everything, and a write without its body is no copy."""
        live.answered, live.answer_ended = status, self.identity.monotonic()
        if live.request_ended is not None:
            self.served(live, status)

    def request_ended(self, live: LiveFlow) -> None:
        """The client has sent everything."""
        live.request_ended = self.identity.monotonic()
        if live.answered is not None:
            self.served(live, live.answered)

    def served(self, live: LiveFlow, status: int) -> None:
        """Settles a request that was answered."""
        answer = SERVED_PRIMARY if live.live_side is Side.PRIMARY else SERVED_CANDIDATE
        if not self._settle(live):
            return
        self.candidate_ended(live, status >= 500)
        skip = live.skip or self._skip_at_end(live)
        if skip is None:
            skip = self._hand_over(live, status)
        live.forget_bodies()
        self.openings.ended(live.label, answer, HANDED if skip is None else f"skipped:{skip}")

    def refused(self, live: LiveFlow, reason: Refused, copy: Skipped | None = None) -> None:
        """The client got no backend's complete answer; or it did, and has not sent its request to the end."""
        if live.answered is not None:
            self.served(live, live.answered)
        elif self._settle(live):
            if reason in _BACKEND_FAILED or (reason is Refused.CLIENT_GONE and self._kept_waiting(live)):
                self.candidate_ended(live, failed=True)
            live.forget_bodies()
            self.openings.ended(live.label, f"refused:{reason}", f"skipped:{copy or _COPY_OF_REFUSED[reason]}")

    def candidate_ended(self, live: LiveFlow, failed: bool) -> None:
        """How the candidate did for a live client; a no-op for the primary's. Too many failures take the route from it."""
        route = live.match.label
        if live.live_side is not Side.CANDIDATE or self.book.seq(live.match) != live.decided_by:
            return
        if self.breaker.note(route, live.decided_by, failed, live.client):
            reason = (
                f"more than {MOST_FAILED} of the last {LAST} live requests got a 5xx or no complete answer from the candidate"
            )
            self.book.alarm(route, reason)

    def rejected(self, reason: Refused) -> None:
        """A request that could not even be read."""
        self.openings.seen(UNKNOWN)
        self.openings.ended(UNKNOWN, f"refused:{reason}", f"skipped:{_COPY_OF_REFUSED[reason]}")

    def close(self) -> None:
        """Whatever is still open is refused; the openings file is given up."""
        for live in list(self.open.values()):
            self.refused(live, Refused.DRAINING)
        self.openings.close()

    def _kept_waiting(self, live: LiveFlow) -> bool:
        since = live.request_ended
        until = live.left if live.left is not None else self.identity.monotonic()
        return live.answer_begun is None and since is not None and until - since >= PATIENCE_S

    def _settle(self, live: LiveFlow) -> bool:
        if live.settled:
            return False
        live.settled = True
        self.open.pop(id(live), None)
        live.flow.metadata.clear()  # it refers back to `live`: without this, every body would wait for the cycle collector
        return True

    def _skip_at_end(self, live: LiveFlow) -> Skipped | None:
        if live.request_ended is None:  # the backend has answered a request that we do not know the end of
            return Skipped.INCOMPLETE
        bodies = 0
        for tee in (live.request_tee, live.answer_tee):
            if tee is not None and tee.over:
                return Skipped.TOO_LARGE
            if tee is not None and tee.starved:
                return Skipped.QUEUE_FULL
            bodies += tee.size if tee is not None else 0
        return Skipped.TOO_LARGE if bodies > MAX_FRAME - 1024 * 1024 else None

    def _hand_over(self, live: LiveFlow, status: int) -> Skipped | None:
        """Offers the exchange to the shadow; why not, when it is not taken."""
        if self.handoff.full or self.copies.copying is Copying.NOTHING:
            return Skipped.QUEUE_FULL
        ended = live.answer_ended if live.answer_ended is not None else self.identity.monotonic()
        asked = live.request_ended if live.request_ended is not None and live.request_ended <= ended else live.begun
        body = live.request_tee.body() if live.request_tee is not None else b""
        answer = live.answer_tee.body() if live.answer_tee is not None else b""
        try:
            frame = self._pack(
                self.identity.boot,
                next(self._seq),
                live.label,
                live.client,
                live.live_side.value,
                live.started,
                max(0.0, (ended - asked) * 1000),
                (live.method, live.target, live.headers, body),
                (status, live.answer_headers, answer, False),
            )
        except CodecError as error:
            _log.warning("an exchange cannot be handed over", route=live.label, reason=str(error))
            return Skipped.UNSENDABLE
        return None if self.handoff.offer(live.label, frame) else Skipped.QUEUE_FULL

    def _hello(self) -> Hello:
        return Hello(self.identity.boot, self.identity.node, str(self.openings.path), self.openings.sent_counts())

    def _alarm(self, alarm: Alarm) -> None:
        self.book.alarm(alarm.route, alarm.reason)


def status_of(reason: Refused) -> int:
    """The status a refused client sees."""
    return STATUS.get(reason, 502)
