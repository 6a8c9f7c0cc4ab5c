"""Which lane an exchange belongs to: all that one user does stays in order, from the login that issues a token on."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping

from traffic.client import SESSION_COOKIES, credential
from traffic.message import Exchange

MAX_KNOWN = 50_000


class LaneKeys:
    """Remembers, bounded, in which lane a credential was issued. Holds digests, never a credential in clear."""

    def __init__(self, maximum: int = MAX_KNOWN) -> None:
        self._maximum = maximum
        self._lane_of: OrderedDict[bytes, str] = OrderedDict()

    def lane(self, exchange: Exchange, issued: Mapping[str, str]) -> str:
        """The lane of `exchange`; the tokens that its live answer issues (by place) are bound to it, so that their users wait for it."""
        known = credential(exchange.request)
        lane = exchange.client
        if known is not None:
            digest = _digest(known)
            lane = self._lane_of.get(digest) or "c" + digest.hex()
            if digest in self._lane_of:
                self._lane_of.move_to_end(digest)
        for place, value in issued.items():
            kind, _, name = place.partition(":")
            if kind == "cookie" and name.lower() not in SESSION_COOKIES:
                continue  # a csrf or preference cookie does not identify anybody
            self._bind(_digest(value), lane)
        return lane

    def _bind(self, digest: bytes, lane: str) -> None:
        self._lane_of[digest] = lane
        self._lane_of.move_to_end(digest)
        while len(self._lane_of) > self._maximum:
            self._lane_of.popitem(last=False)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
