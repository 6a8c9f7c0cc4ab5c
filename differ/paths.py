"""Places in a document: exact locations, and generalised paths that many answers share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache

Key = str | int
_SHORTHAND = re.compile(r"[A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff][0-9A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff]*")
_DATA_KEY = re.compile(
    r"\d+"
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|[0-9a-fA-F]{16,}"
    r"|\d{4}-\d{2}-\d{2}(?:[T ][\d:.+\-Z]*)?",
    re.ASCII,
)
MAX_KEY = 200


def general(location: Iterable[Key]) -> str:
    """`$.results[*].price`: indices become `[*]`, keys that are data (digits, UUID, 16 and more hex digits, dates) `.*`."""
    return "$" + "".join(_general_step(key) for key in location)


def exact(location: Iterable[Key]) -> str:
    """`$.results[3].price`, for people."""
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else _named(key) for key in location)


@lru_cache(maxsize=4096)
def _general_step(key: Key) -> str:
    if isinstance(key, int):
        return "[*]"
    return ".*" if _DATA_KEY.fullmatch(key) else _named(key)


def _named(key: str) -> str:
    if len(key) > MAX_KEY:  # a hostile key must not make an endless cluster name
        key = key[:MAX_KEY] + "…"
    if _SHORTHAND.fullmatch(key):
        return f".{key}"
    surrogate = any("\ud800" <= character <= "\udfff" for character in key)
    return f"[{json.dumps(key, ensure_ascii=surrogate)}]"
