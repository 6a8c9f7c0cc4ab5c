"""Settles a mismatch of a safe request: both sides are asked again, together, up to twice, to tell a bug from noise and from a race."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from differ.again import Round, moved_apart, settle, useless
from differ.facts import Judgement
from shadow.budget import AskBudget
from shadow.dispatch import Dispatched
from shadow.judging import Judging
from shadow.places import Places
from traffic.message import Exchange, Response, Side
from traffic.outcome import Skipped, Verdict

UNCONFIRMED = "unconfirmed"
KNOWN_NOISE = "known noise"
MOST_ROUNDS = 2
PAUSE_S, PAUSE_FOR_WRITES_S = 0.1, 0.5
"""Before both are asked a second time: a cache or a replica may have caught up by then; a mirrored write that was on its way when
the copy was sent gets more time."""

Send = Callable[[Exchange, Side], Awaitable[Dispatched]]


class AskingAgain:
    """`send` sends an exchange's request to one side, rewritten for it; `have_room` says whether both may be asked now.

    `noise` are the places where the primary was seen to disagree with itself, `standing` those where a difference stood after both
    had been asked twice: there, once is enough for a while.
    """

    def __init__(
        self,
        send: Send,
        have_room: Callable[[], bool],
        judging: Judging,
        budget: AskBudget,
        noise: Places,
        standing: Places,
    ) -> None:
        self._send, self._have_room, self._judging, self._budget = send, have_room, judging, budget
        self._noise, self._standing = noise, standing
        self._closed = False

    def close(self) -> None:
        """Asks no more: the shadow ends, and what is not settled by now is judged from memory."""
        self._closed = True

    def passed(self, route: str) -> None:
        """An exchange of `route` was copied: what may be asked again grows with the traffic."""
        self._budget.passed(route)

    async def settle(self, exchange: Exchange, first: Judgement, primary: Response, write_pending: bool) -> Judgement:
        """The final judgement of a mismatch; `primary` is that side's first answer. Raises shadow.judging.DifferFailed."""
        rounds: list[Round] = []
        settled = self.from_memory(first)
        if exchange.request.method not in ("GET", "HEAD"):
            return settled
        for number in range(MOST_ROUNDS):
            if not self._may_ask() or not self._budget.take(exchange.route):
                break
            if number:
                await asyncio.sleep(PAUSE_FOR_WRITES_S if write_pending else PAUSE_S)
                if not self._may_ask():
                    break
            asked = await asyncio.gather(self._send(exchange, Side.PRIMARY), self._send(exchange, Side.CANDIDATE))
            ours, theirs = asked[0].answer, asked[1].answer
            if isinstance(ours, Response) and isinstance(theirs, Response):
                rounds.append(await self._judge(exchange, primary, ours, theirs))
                if not useless(first, rounds[-1]):
                    self._noise.remember(moved_apart(rounds[-1]))
                settled = settle(first, rounds, write_pending)
                if settled.verdict is not Verdict.MISMATCH or self._is_known(settled):
                    return settled
            elif not rounds and not isinstance(theirs, Response) and asked[1].skipped is not Skipped.RATE_LIMITED:
                # What the primary was seen to do excuses no candidate that does not even answer.
                settled = replace(first, reason=UNCONFIRMED)
        if len(rounds) == MOST_ROUNDS and not any(useless(first, one) for one in rounds):
            self._standing.remember(settled.differences)
        return settled

    def _may_ask(self) -> bool:
        return not self._closed and self._have_room()

    async def _judge(self, exchange: Exchange, primary: Response, ours: Response, theirs: Response) -> Round:
        request, route = exchange.request, exchange.route
        itself = await self._judging.judge(request, route, primary, ours)
        return Round(itself, await self._judging.judge(request, route, ours, theirs))

    def _is_known(self, settled: Judgement) -> bool:
        """Whether every difference stands where one stood lately after two rounds, and none where the primary is known to move."""
        return all(self._standing.know(one) and not self._noise.know(one) for one in settled.differences)

    def from_memory(self, first: Judgement) -> Judgement:
        """Without asking: what was proven noise lately stays noise, anything else is an unconfirmed mismatch."""
        rest = tuple(difference for difference in first.differences if not self._noise.know(difference))
        if not rest and first.differences:
            return replace(first, verdict=Verdict.NOISE, reason=KNOWN_NOISE)
        return replace(first, differences=rest, reason=UNCONFIRMED)
