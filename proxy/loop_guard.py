"""The marker on every copy, `X-Paritygate-Shadow: v1;<hop>;<mac>`: a copy that comes back to us is served and never copied again."""

from __future__ import annotations

import hashlib
import hmac

HEADER = b"x-paritygate-shadow"
_MAC_LENGTH = 32


def is_copy(value: bytes, key: bytes) -> bool:
    """Whether `value` is a marker that was made with this key; anything else is a client's invention."""
    text, _, mac = value.decode("latin-1").rpartition(";")
    version, _, hop = text.partition(";")
    return version == "v1" and hop.isdigit() and hmac.compare_digest(mac.encode("latin-1"), _mac(text, key).encode("ascii"))


def _mac(text: str, key: bytes) -> str:
    return hmac.new(key, text.encode("latin-1"), hashlib.sha256).hexdigest()[:_MAC_LENGTH]
