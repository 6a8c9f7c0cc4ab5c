"""What parent and worker say to each other over their socket pair: small frames, bounded, read without trust.

A frame is a 4-byte big-endian length and a msgpack array `[kind, ...fields]`. Every order has a number; the worker confirms the
numbers in turn. Decisions travel as their signed text: the worker checks each signature again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import msgpack

from proxy.standing import Standing
from traffic.frames import FrameCutter, TooLong

MOST_FROM_PARENT = 64 * 1024 * 1024
"""Ten thousand routes with a decision each are a tenth of it."""
MOST_FROM_WORKER = 1024 * 1024
MOST_ENDS = 2_000
"""Ends of the candidate's live requests in one report."""


class OrderError(ValueError):
    """Bytes that are no frame of ours."""


@dataclass(frozen=True, slots=True)
class Begin:
    """The first frame to a worker: everything it needs, so that no file can have changed under it. `settings` is JSON."""

    settings: str
    base: str
    source: str
    key: bytes
    boot: str
    node: str


@dataclass(frozen=True, slots=True)
class SetRoutes:
    """The route table: rows of method, template, candidate template or "", mirror or "", source."""

    number: int
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Enforce:
    """Decisions that have come into force, and alarms (route, overruled number)."""

    number: int
    decisions: tuple[str, ...]
    alarms: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SetPaused:
    """Nothing is mirrored any more, or is again."""

    number: int
    paused: bool


@dataclass(frozen=True, slots=True)
class Accept:
    """Clients may come from now on."""

    number: int


@dataclass(frozen=True, slots=True)
class Drain:
    """The end, with the requests under way finished; `at_once`: with the requests under way refused."""

    number: int
    at_once: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has everything but the leave to accept. `openings` is the path of its counters."""

    openings: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker cannot run; one sentence says why and what to do."""

    reason: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """All orders up to this number are carried out."""

    number: int


@dataclass(frozen=True, slots=True)
class Raised:
    """A worker has taken a route back to the primary."""

    route: str
    seq: int
    reason: str


_MODEL = Standing(place=0, boot="")
_STANDING = tuple(field.name for field in fields(Standing))


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker has under way, and how the candidate's live requests ended since the last report (route, decision, failed, client)."""

    standing: tuple[object, ...]
    ends: tuple[tuple[str, int, bool, str], ...] = ()

    @classmethod
    def of(cls, standing: Standing, ends: tuple[tuple[str, int, bool, str], ...]) -> Report:
        """The report of a standing."""
        return cls(tuple(getattr(standing, name) for name in _STANDING), ends)

    def read(self) -> Standing:
        """The standing."""
        return Standing(*self.standing)  # type: ignore[arg-type]


Order = Begin | SetRoutes | Enforce | SetPaused | Accept | Drain
Word = Ready | Failed | Confirmed | Raised | Report


@dataclass(frozen=True, slots=True)
class _Many:
    """Any number of items of one shape. A type is a shape, and so is a tuple of shapes."""

    item: Any


_KINDS: dict[int, tuple[type[Any], tuple[Any, ...]]] = {
    1: (Begin, (str, str, str, bytes, str, str)),
    2: (SetRoutes, (int, _Many((str,) * 5))),
    3: (Enforce, (int, _Many(str), _Many((str, int)))),
    4: (SetPaused, (int, bool)),
    5: (Accept, (int,)),
    6: (Drain, (int, bool)),
    11: (Ready, (str,)),
    12: (Failed, (str,)),
    13: (Confirmed, (int,)),
    14: (Raised, (str, int, str)),
    15: (Report, (tuple(type(getattr(_MODEL, name)) for name in _STANDING), _Many((str, int, bool, str)))),
}
_NUMBERS = {kind: number for number, (kind, _) in _KINDS.items()}


def encode(message: Order | Word) -> bytes:
    """One frame, length included."""
    values = [getattr(message, field.name) for field in fields(message)]
    payload: bytes = msgpack.packb([_NUMBERS[type(message)], *values], use_bin_type=True, unicode_errors="surrogatepass")
    return len(payload).to_bytes(4, "big") + payload


def decode(payload: bytes) -> Order | Word:
    """The message of one frame's payload. Raises OrderError, and nothing else."""
    try:
        number, *values = msgpack.unpackb(
            payload, raw=False, use_list=False, strict_map_key=True, unicode_errors="surrogatepass"
        )
        kind, shape = _KINDS[number]
    except Exception as error:
        raise OrderError(f"not a frame of ours: {type(error).__name__}") from error
    if not _fits(tuple(values), shape):
        raise OrderError(f"a {kind.__name__} of another shape")
    made: Order | Word = kind(*values)
    return made


def _fits(value: object, shape: Any) -> bool:
    if isinstance(shape, _Many):
        return isinstance(value, tuple) and all(_fits(item, shape.item) for item in value)
    if isinstance(shape, tuple):
        return isinstance(value, tuple) and len(value) == len(shape) and all(map(_fits, value, shape))
    return type(value) is shape


class FrameReader:
    """Cuts a byte stream into messages of at most `most` bytes; feed it what a socket gave, in any pieces."""

    def __init__(self, most: int) -> None:
        self._frames = FrameCutter(most)

    def feed(self, data: bytes) -> Iterator[Order | Word]:
        """The messages completed by `data`. Raises OrderError; the stream is then unusable."""
        try:
            yield from map(decode, self._frames.feed(data))
        except TooLong as error:
            raise OrderError(str(error)) from error
