"""Settles a mismatch of a safe request: both sides are asked once more, together, to tell a bug from noise and from a race."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from differ.again import settle, useless
from differ.facts import Judgement
from shadow.budget import AskBudget
from shadow.dispatch import Dispatched
from shadow.judging import Judging
from shadow.noise_places import NoisePlaces
from traffic.message import Exchange, Response, Side
from traffic.outcome import Verdict

UNCONFIRMED = "unconfirmed"
KNOWN_NOISE = "known noise"

Send = Callable[[Exchange, Side], Awaitable[Dispatched]]


class AskingAgain:
    """`send` sends an exchange's request to one side, rewritten for it."""

    def __init__(self, send: Send, judging: Judging, budget: AskBudget, places: NoisePlaces) -> None:
        self._send, self._judging, self._budget, self._places = send, judging, budget, places

    async def settle(
        self, exchange: Exchange, first: Judgement, primary: Response, candidate: Response, write_pending: bool
    ) -> Judgement:
        """The final judgement of a mismatch. Raises shadow.judging.DifferFailed."""
        if exchange.request.method not in ("GET", "HEAD") or not self._budget.take(exchange.route):
            return self.from_memory(first)
        again = await asyncio.gather(self._send(exchange, Side.PRIMARY), self._send(exchange, Side.CANDIDATE))
        primary_again, candidate_again = again[0].answer, again[1].answer
        if not isinstance(candidate_again, Response):
            # What the primary was seen to do excuses no candidate that does not even answer.
            return replace(first, reason=UNCONFIRMED)
        if not isinstance(primary_again, Response):
            return self.from_memory(first)
        request, route = exchange.request, exchange.route
        itself = await self._judging.judge(request, route, primary, primary_again)
        other = await self._judging.judge(request, route, primary_again, candidate_again)
        if itself.verdict is Verdict.MISMATCH and not useless(first, itself, other):
            # A place where the primary moved and the candidate followed is a race: it must not excuse a later difference there.
            apart = {(difference.atom.aspect, difference.atom.path) for difference in other.differences}
            moved = [difference for difference in itself.differences if (difference.atom.aspect, difference.atom.path) in apart]
            self._places.prove(moved)
        return settle(first, itself, other, write_pending)

    def from_memory(self, first: Judgement) -> Judgement:
        """Without asking: what was proven noise lately stays noise, anything else is an unconfirmed mismatch."""
        rest = tuple(difference for difference in first.differences if not self._places.explains(difference))
        if not rest and first.differences:
            return replace(first, verdict=Verdict.NOISE, reason=KNOWN_NOISE)
        return replace(first, differences=rest, reason=UNCONFIRMED)
