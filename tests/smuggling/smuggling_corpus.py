"""All payloads, numbered, and a small set with some of every family."""

from __future__ import annotations

from smuggling_chunks import chunks
from smuggling_codings import codings
from smuggling_heads import every_byte, line_ends, odd_heads
from smuggling_lengths import lengths
from smuggling_payload import Payload, numbered
from smuggling_targets import honest, targets, underscored

_FAMILIES = (honest, codings, lengths, chunks, line_ends, odd_heads, every_byte, targets, underscored)


def corpus() -> list[Payload]:
    """Every payload."""
    return list(numbered(named for family in _FAMILIES for named in family()))


def sample(every: int) -> list[Payload]:
    """The honest ones and every `every`-th of each other family, the same at each run."""
    return list(numbered(named for family in _FAMILIES for named in list(family())[:: 1 if family is honest else every]))
