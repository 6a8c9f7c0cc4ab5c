"""The hand-off's wire format: msgpack frames between proxy and shadow, in both directions.

A frame is the length of what follows, the length of its head (both 4 bytes, big-endian), the head, which is a msgpack array
`[kind, ...fields]`, and bodies as they are, whose lengths the head gives. Decoding trusts nothing: sizes are bounded, shapes are
checked, and everything unexpected raises CodecError. Each end owns its socket; nothing here does IO.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgpack

from traffic.frames import FrameCutter, TooLong
from traffic.message import Exchange, Headers, Request, Response, Side

MAX_FRAME = 64 * 1024 * 1024
_LENGTHS = struct.Struct(">II")
_HELLO, _EXCHANGE, _ALARM, _LEAVING, _FILLED, _TAKEN = 1, 2, 3, 4, 5, 6


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


@dataclass(frozen=True, slots=True)
class Leaving:
    """The shadow is about to end: the proxy sends no more and closes; what it has sent until then is still read."""


@dataclass(frozen=True, slots=True)
class Filled:
    """The proxy has put frames into its ring, up to this position; they come before whatever follows on the socket."""

    until: int


@dataclass(frozen=True, slots=True)
class Taken:
    """The shadow has read the ring up to this position and reads nothing before it again. The first, of 0, says that it can read it."""

    until: int


Message = Hello | Exchange | Alarm | Leaving | Filled | Taken


def encode(message: Message) -> bytes:
    """One frame, length included. Raises CodecError, and nothing else, for what the format cannot hold."""
    if isinstance(message, Exchange):
        q, r = message.request, message.live
        request, live = (q.method, q.target, q.headers, q.body), (r.status, r.headers, r.body, r.truncated)
        about = (message.boot, message.seq, message.route, message.client, message.live_side.value)
        return b"".join(ExchangePacker().pack(*about, message.started, message.live_ms, request, live))
    if isinstance(message, Hello):
        fields = [_HELLO, message.boot, message.node, message.openings, dict(message.sent)]
    elif isinstance(message, Leaving):
        fields = [_LEAVING]
    elif isinstance(message, Filled):
        fields = [_FILLED, message.until]
    elif isinstance(message, Taken):
        fields = [_TAKEN, message.until]
    else:
        fields = [_ALARM, message.route, message.reason]
    return _frame(msgpack.Packer(), fields, 0)


class ExchangePacker:
    """Makes the frames of exchanges, one after the other; for the live path, which makes thousands a second."""

    def __init__(self) -> None:
        self._packer = msgpack.Packer()

    def pack(
        self,
        boot: str,
        seq: int,
        route: str,
        client: str,
        side: str,
        started: float,
        live_ms: float,
        request: tuple[str, bytes, Headers, bytes],
        live: tuple[int, Headers, bytes, bool],
    ) -> tuple[bytes, ...]:
        """An exchange's frame in pieces, the bodies as they were given, from the fields of traffic.message's Exchange, Request and
        Response in their order, without making them. Raises CodecError."""
        method, target, asked, sent = request
        status, headers, got, truncated = live
        about = (_EXCHANGE, boot, seq, route, client, side, started, live_ms)
        fields = (*about, (method, target, asked, len(sent)), (status, headers, len(got), truncated))
        try:
            head = _frame(self._packer, fields, len(sent) + len(got))
        except CodecError:
            self._packer = msgpack.Packer()  # what it had begun is still in it
            raise
        if sent:
            return (head, sent, got)
        return (head, got) if got else (head,)


def _frame(packer: msgpack.Packer, fields: Sequence[object], bodies: int) -> bytes:
    try:
        head: bytes = packer.pack(fields)
    except Exception as error:  # an integer of more than 64 bits, text that is no Unicode
        raise CodecError(f"no frame can hold this message: {type(error).__name__}") from error
    length = 4 + len(head) + bodies
    if length > MAX_FRAME:
        raise CodecError(f"a frame of {length} bytes is over the limit of {MAX_FRAME}")
    return _LENGTHS.pack(length, len(head)) + head


def decode(payload: bytes) -> Message:
    """The message of one frame, its first length taken off. Raises CodecError."""
    try:
        begin = 4 + int.from_bytes(payload[:4], "big")
        fields = msgpack.unpackb(payload[4:begin], raw=False, use_list=False, strict_map_key=True)
        kind = fields[0]
        if kind == _EXCHANGE:
            _, boot, seq, route, client, side, started, live_ms, request, response = fields
            middle = begin + _length(request[3])
            if middle + _length(response[2]) != len(payload):
                raise CodecError("the bodies are not as long as their frame's head says")
            return Exchange(
                _text(boot),
                _integer(seq),
                _text(route),
                _text(client),
                Side(side),
                float(started),
                float(live_ms),
                Request(_text(request[0]), _raw(request[1]), _pairs(request[2]), payload[begin:middle]),
                Response(_integer(response[0]), _pairs(response[1]), payload[middle:], bool(response[3])),
            )
        if kind == _HELLO:
            _, boot, node, openings, sent = fields
            counts = {_text(route): _integer(count) for route, count in sent.items()}
            return Hello(_text(boot), _text(node), _text(openings), counts)
        if kind == _ALARM:
            return Alarm(_text(fields[1]), _text(fields[2]))
        if kind == _LEAVING:
            return Leaving()
        if kind == _FILLED:
            return Filled(_length(fields[1]))
        if kind == _TAKEN:
            return Taken(_length(fields[1]))
    except CodecError:
        raise
    except Exception as error:
        raise CodecError(f"not a frame of the hand-off: {type(error).__name__}") from error
    raise CodecError(f"unknown kind of frame: {kind!r}")


class FrameReader:
    """Cuts a byte stream into messages; feed it what a socket gave, in any pieces."""

    def __init__(self) -> None:
        self._frames = FrameCutter(MAX_FRAME)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages completed by `data`. Raises CodecError; the stream is then unusable."""
        try:
            yield from map(decode, self._frames.feed(data))
        except TooLong as error:
            raise CodecError(str(error)) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise CodecError(f"text expected, got {type(value).__name__}")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise CodecError(f"an integer expected, got {type(value).__name__}")
    return value


def _length(value: object) -> int:
    if _integer(value) < 0:
        raise CodecError("a negative length or position")
    return _integer(value)


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
