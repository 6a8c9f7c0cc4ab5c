"""The token map: which token of one side stands for which of the other, learnt from paired answers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from traffic.message import Side

MAX_TOKENS = 20_000


class TokenMap:
    """Bounded, many-to-one: an older token keeps its counterpart until it is the least recently used."""

    def __init__(self, maximum: int = MAX_TOKENS) -> None:
        self._maximum = maximum
        self._towards: dict[Side, OrderedDict[str, str]] = {side: OrderedDict() for side in Side}

    def learn(self, primary: Mapping[str, str], candidate: Mapping[str, str]) -> None:
        """Pairs the tokens that both answers carry at the same place (`shadow.tokens.answer_tokens`)."""
        for place, value in primary.items():
            other = candidate.get(place)
            if other is not None and other != value:
                self._put(Side.CANDIDATE, value, other)
                self._put(Side.PRIMARY, other, value)

    def _put(self, towards: Side, value: str, counterpart: str) -> None:
        known = self._towards[towards]
        known[value] = counterpart
        known.move_to_end(value)
        while len(known) > self._maximum:
            known.popitem(last=False)

    def translate(self, value: str, towards: Side) -> str | None:
        """The counterpart of `value` on the side `towards`, None where none was learnt."""
        known = self._towards[towards]
        counterpart = known.get(value)
        if counterpart is not None:
            known.move_to_end(value)
        return counterpart

    def __len__(self) -> int:
        return max(len(known) for known in self._towards.values())
