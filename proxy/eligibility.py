"""May this exchange be copied to the other backend? Each function gives the first reason against it, cheap ones first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from settings.model import MirrorSection
from traffic.message import Headers, first_header
from traffic.outcome import Skipped
from traffic.route import RouteMatch

READS = frozenset({"GET", "HEAD", "OPTIONS"})
_STREAMS = (b"text/event-stream", b"multipart/x-mixed-replace")


@dataclass(frozen=True, slots=True)
class Moment:
    """What holds when a request begins."""

    looped: bool = False
    draining: bool = False
    paused: bool = False
    off: bool = False
    """The route's decision is `off`: an operator wants none of it copied."""
    full: bool = False
    """The hand-off has no room now: a read is not kept for it. A write, which makes the databases differ, is worth the try."""


def before(match: RouteMatch, method: str, mirror: MirrorSection, moment: Moment, roll: Callable[[], float]) -> Skipped | None:
    """What is known when the request begins. `roll` gives a number in [0, 1) and is asked last, so that runs are reproducible."""
    if moment.looped:
        return Skipped.LOOP
    if moment.draining:
        return Skipped.DRAINING
    if moment.paused:
        return Skipped.PAUSED
    own = match.route.mirror if match.route is not None else None
    if own == "off" or moment.off:
        return Skipped.EXCLUDED
    if own != "writes" and method not in (READS if own == "reads" else mirror.methods):
        return Skipped.UNSAFE_METHOD
    if mirror.sample < 1 and roll() >= mirror.sample:
        return Skipped.SAMPLED_OUT
    return Skipped.QUEUE_FULL if moment.full and method in READS else None


def at_answer(status: int, headers: Headers, length: int | None, max_body: int) -> Skipped | None:
    """What the head of the live answer says; `length` is what it declares."""
    if status == 101:
        return Skipped.UPGRADED
    if status in (429, 503):  # the other backend is not under the same pressure: nothing could be learnt
        return Skipped.LIVE_REFUSED
    kind = first_header(headers, b"content-type")
    if kind is not None and _is_stream(kind):
        return Skipped.STREAMING
    if length is not None and length > max_body:
        return Skipped.TOO_LARGE
    return None


@lru_cache(256)
def _is_stream(kind: bytes) -> bool:
    return kind.partition(b";")[0].strip().lower() in _STREAMS


def declared_length(headers: Headers) -> int | None:
    """The Content-Length, None when there is none that can be read."""
    value = first_header(headers, b"content-length")
    return int(value) if value is not None and value.isdigit() and len(value) < 20 else None
