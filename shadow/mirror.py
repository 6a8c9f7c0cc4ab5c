"""The way of one exchange through the shadow: copy, compare, settle, count. Every exchange leaves with exactly one end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from differ.facts import Judgement
from shadow.asking_again import AskingAgain
from shadow.bodies import decoded
from shadow.bridge import Bridge
from shadow.builds import Builds
from shadow.comparison import Compared
from shadow.copy_request import is_whole
from shadow.current_epochs import CurrentEpochs
from shadow.dispatch import Dispatch, Dispatched
from shadow.endings import Endings
from shadow.judging import DifferFailed, Judging
from shadow.pending_writes import PendingWrites
from store.records import Ended
from traffic.message import Answer, Exchange, Failure, Response, Side
from traffic.outcome import Lost, Skipped, Verdict
from traffic.route import RouteTable


class Copies:
    """Sends requests to either side as that side has to see them: its own path, its own tokens."""

    def __init__(self, ways: Mapping[Side, Dispatch], bridge: Bridge, routes: RouteTable, methods: frozenset[str]) -> None:
        self._ways, self._bridge, self._routes, self._methods = ways, bridge, routes, methods

    def may_mirror(self, exchange: Exchange) -> bool:
        """Whether the configuration allows a copy: read methods everywhere, writes only where the route says so."""
        if exchange.request.method in self._methods:
            return True
        match = self._routes.match(exchange.request.method, exchange.request.path)
        return match.route is not None and match.route.mirror == "writes"

    def have_room(self) -> bool:
        """Whether one more request to each side is within the ceilings of both."""
        return all(way.has_room() for way in self._ways.values())

    async def send(self, exchange: Exchange, side: Side) -> Dispatched:
        """Sends the exchange's request to `side`; to the side that was live it goes as the client sent it."""
        request = exchange.request
        if not is_whole(request):  # a copy without its body would be another request, and prove nothing
            return Dispatched(None, skipped=Skipped.UNSENDABLE)
        if side is not exchange.live_side:
            request = self._bridge.rewrite(request, side)
        target = request.target
        if side is Side.CANDIDATE:
            path = self._routes.match(request.method, request.path).candidate_path()
            if path is not None:
                _, question, query = target.partition(b"?")
                target = path + question + query
        return await self._ways[side].send(request, target)


@dataclass(frozen=True, slots=True)
class Handled:
    """What came of an exchange; `made` is set when both legs ended, for those who count further."""

    ended: Ended
    made: Compared | None = None


class Mirror:
    """Handles one exchange after the other; knows nothing of lanes, channel or store."""

    def __init__(
        self,
        copies: Copies,
        bridge: Bridge,
        judging: Judging,
        again: AskingAgain,
        endings: Endings,
        writes: PendingWrites,
        builds: Builds,
        current: CurrentEpochs,
    ) -> None:
        self._copies, self._bridge, self._judging, self._again = copies, bridge, judging, again
        self._endings, self._writes, self._builds, self._current = endings, writes, builds, current

    async def handle(self, exchange: Exchange, issued: Mapping[str, str]) -> Handled:
        """Copies and judges; `issued` are the tokens that the live answer issues, by place.

        Raises nothing but cancellation and faults of ours; the caller counts both.
        """
        if not self._copies.may_mirror(exchange):
            return Handled(self._endings.skipped(exchange, Skipped.UNSAFE_METHOD))
        shadow_side = exchange.live_side.other
        write_pending = self._writes.any
        try:
            dispatched = await self._copies.send(exchange, shadow_side)
        finally:
            self._writes.end(exchange.id)
        if dispatched.answer is None:
            return Handled(self._endings.skipped(exchange, dispatched.skipped or Skipped.UNSENDABLE))
        self._again.passed(exchange.route)
        answers: dict[Side, Answer] = {exchange.live_side: exchange.live, shadow_side: dispatched.answer}
        times = {exchange.live_side: exchange.live_ms, shadow_side: dispatched.ms}
        bodies = {side: await decoded(answer) for side, answer in answers.items()}
        primary, candidate = answers[Side.PRIMARY], answers[Side.CANDIDATE]
        if isinstance(dispatched.answer, Response):
            self._bridge.learn(exchange.live_side, issued, dispatched.answer, bodies[shadow_side])
        try:
            judgement = await self._judgement(exchange, primary, candidate, write_pending)
        except DifferFailed:
            return Handled(self._endings.lost(exchange, Lost.DIFFER_FAILED))
        build = self._builds.of(candidate)
        # Errors of a candidate that was not heard of since the start belong to what is being proven, not to a build "".
        epoch = "" if self._builds.known else await self._current.of(exchange.route)
        made = Compared(
            exchange,
            epoch or self._endings.epoch(exchange, build),
            build,
            primary,
            candidate,
            bodies[Side.PRIMARY],
            bodies[Side.CANDIDATE],
            times[Side.PRIMARY],
            times[Side.CANDIDATE],
            self._judging.named(judgement),
        )
        return Handled(await self._endings.compared_beside(made), made)

    async def _judgement(self, exchange: Exchange, primary: Answer, candidate: Answer, write_pending: bool) -> Judgement:
        if isinstance(primary, Failure):
            return Judgement(Verdict.INCONCLUSIVE, reason=f"the primary gave no complete answer: {primary.reason}")
        judgement = await self._judging.judge(exchange.request, exchange.route, primary, candidate)
        if judgement.verdict is Verdict.MISMATCH and isinstance(candidate, Response):
            judgement = await self._again.settle(exchange, judgement, primary, write_pending)
        return judgement
