"""Which exchanges belong to a sample: decided by a hash of their id, the same in every process and never by their verdict."""

from __future__ import annotations

import hashlib

_WHOLE = 1 << 64


def rank(exchange_id: str) -> int:
    """A number from 0 to 2^64 - 1, evenly spread over ids. The lowest ranks of any set are an even sample of it."""
    digest = hashlib.blake2b(exchange_id.encode("utf-8", "surrogatepass"), digest_size=8, person=b"rule sample").digest()
    return int.from_bytes(digest, "big")


def in_sample(exchange_id: str, share: float) -> bool:
    """Whether an exchange belongs to the sample of that share (0 to 1); a smaller share's sample is part of a larger one's."""
    return rank(exchange_id) < share * _WHOLE
