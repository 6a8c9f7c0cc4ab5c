"""The decisions a proxy enforces: only signed ones, only newer ones, kept in a file so that they survive everything."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from gate import decision as signed
from gate.facts import Decision, State
from settings.model import Settings
from traffic.message import Side
from traffic.route import RouteMatch

_log = structlog.get_logger("paritygate.proxy")

MAX_UNSIGNED = 1_000


class DecisionBook:
    """The newest decision of each route. Without one, or when in doubt, the primary serves.

    It is kept in the file `path`; without a path it is only in memory, as in a worker, whose parent keeps the file.
    """

    def __init__(self, path: Path | None, key: bytes, clock: Callable[[], float]) -> None:
        self._path = path
        self._key = key
        self.on_taken: Callable[[list[Decision]], None] = lambda decisions: None
        """Called with the decisions that have just come into force."""
        self.on_alarm: Callable[[str, int, str], None] = lambda route, seq, reason: None
        """Called with route, overruled number and reason when an alarm has just taken a route back."""
        self.clock = clock
        """Unix time, as decisions are judged by."""
        self._decisions: dict[str, Decision] = {}
        self._alarms: dict[str, int] = {}
        self._unsigned: dict[str, int] = {}

    @property
    def unsigned(self) -> dict[str, int]:
        """Routes whose last offered decision this proxy's key did not sign, with its number: it is not enforced."""
        return dict(self._unsigned)

    @property
    def decisions(self) -> list[Decision]:
        """What is enforced, by route."""
        return [self._decisions[route] for route in sorted(self._decisions)]

    @property
    def alarms(self) -> dict[str, int]:
        """Routes that an alarm took back to the primary, with the seq of the decision it overrules."""
        return dict(self._alarms)

    def side(self, match: RouteMatch, client: str | None) -> Side:
        """Which backend serves this request. `client` is the key of a known user or session, None for anyone else.

        An unrouted path is always the primary's.
        """
        if match.route is None or not self._decisions:
            return Side.PRIMARY
        decision = self._decisions.get(match.label)
        if decision is None or match.label in self._alarms:
            return Side.PRIMARY
        return Side.CANDIDATE if signed.serves_candidate(decision, client, self.clock()) else Side.PRIMARY

    def is_off(self, match: RouteMatch) -> bool:
        """Whether an operator has taken this route out altogether: nothing of it is copied either."""
        decision = self._decisions.get(match.label) if match.route is not None else None
        return decision is not None and decision.state is State.OFF

    def seq(self, match: RouteMatch) -> int:
        """The number of the decision in force for this route, 0 without one."""
        decision = self._decisions.get(match.label)
        return decision.seq if decision is not None else 0

    def holds(self, decision: Decision) -> bool:
        """Whether exactly this decision is the one in force."""
        return self._decisions.get(decision.route) == decision

    def offer(self, decision: Decision) -> bool:
        """Takes a decision when its signature holds and it is newer than the one in force; says whether it was taken."""
        return self.offer_all([decision]) == 1

    def offer_all(self, decisions: Iterable[Decision]) -> int:
        """The same for many, as the store lists them; how many were taken."""
        before = {route: decision.seq for route, decision in self._decisions.items()}
        taken = [decision for decision in decisions if self._take(decision)]
        if taken:
            self._keep()
            self.on_taken(taken)
        for decision in taken:
            if self._path is not None and before.get(decision.route) != decision.seq:  # a renewed lease is no news
                facts = {"route": decision.route, "seq": decision.seq, "state": str(decision.state)}
                _log.info("decision taken", **facts, weight_bp=decision.weight_bp)
        return len(taken)

    def alarm(self, route: str, reason: str) -> None:
        """Takes a route back to the primary at once, until a newer decision comes. The shadow's detector or our own breaker asks for it."""
        decision = self._decisions.get(route)
        if decision is not None:
            self.overrule(route, decision.seq, reason)

    def overrule(self, route: str, seq: int, reason: str) -> bool:
        """The same for an alarm that was raised elsewhere against decision `seq`; False when it is known, or overtaken by a newer one."""
        decision = self._decisions.get(route)
        if decision is None or decision.seq > seq or route in self._alarms:
            return False
        self._alarms[route] = decision.seq
        if self._path is not None:  # a worker's parent says so
            _log.warning("alarm: the primary serves this route again", route=route, seq=decision.seq, reason=reason[:200])
        self._keep()
        self.on_alarm(route, decision.seq, reason)
        return True

    def load(self) -> None:
        """Reads the file back; what is not signed is ignored, and a file that cannot be read means: the primary serves."""
        if self._path is None:
            return
        for unfinished in self._path.parent.glob(f".{self._path.name}.*.new"):  # of a proxy that was killed while it wrote
            unfinished.unlink(missing_ok=True)
        try:
            document = json.loads(self._path.read_bytes())
            # All of it or nothing: a decision without its alarm would give the candidate what was taken from it.
            decisions = [signed.decode(text) for text in document["decisions"]]
            alarms = {str(route): int(seq) for route, seq in document["alarms"].items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            _log.warning("the last decisions cannot be read", file=str(self._path), error=type(error).__name__)
            return
        for decision in decisions:
            self._take(decision)
        for route, seq in alarms.items():
            if route in self._decisions and self._decisions[route].seq <= seq:
                self._alarms[route] = seq

    def _take(self, decision: Decision) -> bool:
        known = self._decisions.get(decision.route)
        if known == decision:  # the usual case, twice a second for each route: no signature needs to be computed
            return False
        if not signed.supersedes(decision, known, self._key):
            self._note_unsigned(decision)
            return False
        self._decisions[decision.route] = decision
        self._unsigned.pop(decision.route, None)
        if decision.seq > self._alarms.get(decision.route, decision.seq):
            self._alarms.pop(decision.route, None)
        return True

    def _note_unsigned(self, decision: Decision) -> None:
        """Says once for each decision that another key signed it: somebody believes that it is enforced."""
        route = decision.route
        if self._unsigned.get(route) == decision.seq or signed.verify(decision, self._key):
            return
        if route in self._unsigned or len(self._unsigned) < MAX_UNSIGNED:
            self._unsigned[route] = decision.seq
            _log.error("a decision is not enforced: another key signed it; give all parts the same key file", route=route)

    def _keep(self) -> None:
        if self._path is None:
            return
        text = json.dumps({"decisions": [signed.encode(d) for d in self.decisions], "alarms": self._alarms})
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}.new")
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(fresh, self._path)
        except OSError as error:  # enforced all the same; only a restart would not know it
            _log.error("the last decisions cannot be kept", file=str(self._path), error=error.strerror)


def kept_book(settings: Settings, key: bytes, clock: Callable[[], float]) -> DecisionBook:
    """The book of this machine, as it was kept last. One process at a time may hold it."""
    book = DecisionBook(settings.state_dir / "decisions.json", key, clock)
    book.load()
    return book
