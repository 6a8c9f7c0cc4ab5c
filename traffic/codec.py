"""The hand-off's wire format: msgpack frames between proxy and shadow, in both directions.

A frame is a 4-byte big-endian length and a msgpack array `[kind, ...fields]`. Decoding trusts nothing: sizes are bounded,
shapes are checked, and everything unexpected raises CodecError. Each end owns its socket; nothing here does IO.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgpack

from traffic.message import Exchange, Headers, Request, Response, Side

MAX_FRAME = 64 * 1024 * 1024
_HELLO, _EXCHANGE, _ALARM = 1, 2, 3


class CodecError(ValueError):
    """Bytes that are no frame of ours."""


@dataclass(frozen=True, slots=True)
class Hello:
    """A proxy's first frame on a connection: its boot, the path of its openings file, and what it had sent before this connection."""

    boot: str
    node: str
    openings: str
    sent: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Alarm:
    """The shadow asks the proxy to take a route back to the primary at once."""

    route: str
    reason: str


Message = Hello | Exchange | Alarm


def encode(message: Message) -> bytes:
    """One frame, length included. Raises CodecError, and nothing else, for what the format cannot hold."""
    if isinstance(message, Exchange):
        q, r = message.request, message.live
        request, live = (q.method, q.target, q.headers, q.body), (r.status, r.headers, r.body, r.truncated)
        about = (message.boot, message.seq, message.route, message.client, message.live_side.value)
        return exchange_frame(*about, message.started, message.live_ms, request, live)
    if isinstance(message, Hello):
        return _frame([_HELLO, message.boot, message.node, message.openings, dict(message.sent)])
    return _frame([_ALARM, message.route, message.reason])


def exchange_frame(
    boot: str,
    seq: int,
    route: str,
    client: str,
    side: str,
    started: float,
    live_ms: float,
    request: tuple[str, bytes, Headers, bytes],
    live: tuple[int, Headers, bytes, bool],
) -> bytes:
    """The frame of an exchange from the fields of traffic.message's Exchange, Request and Response, in their order, without making
    them: the live path makes thousands a second. Raises CodecError."""
    return _frame((_EXCHANGE, boot, seq, route, client, side, started, live_ms, request, live))


def _frame(fields: Sequence[object]) -> bytes:
    try:
        payload: bytes = msgpack.packb(fields, use_bin_type=True)
    except Exception as error:  # an integer of more than 64 bits, text that is no Unicode, a body over msgpack's own limit
        raise CodecError(f"no frame can hold this message: {type(error).__name__}") from error
    if len(payload) > MAX_FRAME:
        raise CodecError(f"a frame of {len(payload)} bytes is over the limit of {MAX_FRAME}")
    return len(payload).to_bytes(4, "big") + payload


def decode(payload: bytes) -> Message:
    """The message of one frame's payload. Raises CodecError."""
    try:
        fields = msgpack.unpackb(payload, raw=False, use_list=False, strict_map_key=True)
        kind = fields[0]
        if kind == _EXCHANGE:
            _, boot, seq, route, client, side, started, live_ms, request, response = fields
            return Exchange(
                _text(boot),
                _integer(seq),
                _text(route),
                _text(client),
                Side(side),
                float(started),
                float(live_ms),
                Request(_text(request[0]), _raw(request[1]), _pairs(request[2]), _raw(request[3])),
                Response(_integer(response[0]), _pairs(response[1]), _raw(response[2]), bool(response[3])),
            )
        if kind == _HELLO:
            _, boot, node, openings, sent = fields
            counts = {_text(route): _integer(count) for route, count in sent.items()}
            return Hello(_text(boot), _text(node), _text(openings), counts)
        if kind == _ALARM:
            return Alarm(_text(fields[1]), _text(fields[2]))
    except CodecError:
        raise
    except Exception as error:
        raise CodecError(f"not a frame of the hand-off: {type(error).__name__}") from error
    raise CodecError(f"unknown kind of frame: {kind!r}")


class FrameReader:
    """Cuts a byte stream into messages; feed it what a socket gave, in any pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages completed by `data`. Raises CodecError; the stream is then unusable."""
        self._buffer += data
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if length > MAX_FRAME:
                raise CodecError(f"a frame of {length} bytes is announced, the limit is {MAX_FRAME}")
            if len(self._buffer) < 4 + length:
                return
            payload = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            yield decode(payload)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise CodecError(f"text expected, got {type(value).__name__}")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise CodecError(f"an integer expected, got {type(value).__name__}")
    return value


def _raw(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise CodecError(f"bytes expected, got {type(value).__name__}")
    return value


def _pairs(value: object) -> tuple[tuple[bytes, bytes], ...]:
    """A hot spot: the tuples that were unpacked are checked and kept."""
    if type(value) is not tuple:
        raise CodecError(f"a list of headers expected, got {type(value).__name__}")
    for pair in value:
        if type(pair) is not tuple or len(pair) != 2 or type(pair[0]) is not bytes or type(pair[1]) is not bytes:
            raise CodecError("a header is expected to be a pair of bytes")
    return value
