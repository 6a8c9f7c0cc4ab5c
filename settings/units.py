"""Durations and sizes as people write them: `5s`, `250ms`, `30d`, `1MiB`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "KB": 1000, "MB": 1000**2, "GB": 1000**3}
_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


def parse_duration(value: Any) -> float:
    """Seconds from `5s`, `250ms`, `10m`, `24h`, `30d`, or a bare number of seconds. Raises ValueError."""
    return _parse(value, _SECONDS, "a duration such as 250ms, 5s, 10m, 24h or 30d")


def parse_size(value: Any) -> int:
    """Bytes from `512KiB`, `1MiB`, or a bare number of bytes. Raises ValueError."""
    return int(_parse(value, _BYTES, "a size such as 512KiB, 1MiB or 20MB"))


def _parse(value: Any, units: dict[str, float] | dict[str, int], expected: str) -> float:
    if isinstance(value, bool):
        raise ValueError(f"expected {expected}")
    if isinstance(value, int | float):
        return float(value)
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    if found is None or found.group(2) not in units:
        raise ValueError(f"expected {expected}")
    return float(found.group(1)) * units[found.group(2)]


Duration = Annotated[float, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size)]
