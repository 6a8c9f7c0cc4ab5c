"""HTTP/2 towards clients, HTTP/1.1 towards backends: what the client says becomes mitmproxy's events, and its streams' answers frames.

Each request is an HTTP/1.1 request from here on, so that all that holds for those holds for it. Needs mitmproxy 12. With
`http2_connections` it knows mitmproxy's inner parts; tests/proxy/test_http2_internals.py pins them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, StreamReset, TrailersReceived
from mitmproxy import http
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http._base import HttpConnection, HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)

from proxy import hygiene, internals
from proxy.answers import STATUS
from proxy.backend_end import Informational
from proxy.http2_frames import MOST_STREAMS, ClientFrames, Ended, Leaves, StreamFault
from proxy.http2_messages import answer_fields, informational, own_answer_fields, request_of, trailer_fields
from proxy.internals import Commands
from traffic.message import Headers
from traffic.outcome import Refused

_GONE = "client disconnected"
_log = structlog.get_logger("paritygate.proxy")


@dataclass(slots=True)
class _Exchange:
    """One request under way: what was asked, and how far both ends are."""

    request: http.Request
    asked: bool = False
    answering: bool = False
    answered: bool = False
    trailers: Any = None
    moved: float = 0.0
    """When something of it came last (monotonic seconds)."""


class BodiesOverdue(events.Event):
    """The clients of these streams owe us the rest of a body for too long."""

    def __init__(self, stream_ids: list[int]) -> None:
        self.stream_ids = stream_ids


class LiveHttp2Server(HttpConnection):
    """The side towards the client. `room` says whether one more backend connection can be afforded."""

    def __init__(self, context: Context, room: Callable[[], bool]) -> None:
        super().__init__(context, context.client)
        self._room = room
        self.frames = ClientFrames(time.monotonic)
        self.exchanges: dict[int, _Exchange] = {}
        self.untaken: dict[int, int] = {}
        """Bytes of bodies, by stream, whose window was not given back to the client yet."""
        self.head_since: float | None = None
        """When the first byte of a head came that is not complete yet (monotonic seconds)."""
        self._heads = 0
        self._leaving = self.is_over = False

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, HttpEvent):
            self._send(event)
        elif isinstance(event, events.DataReceived):
            yield from self._receive(event.data)
        elif isinstance(event, events.Start):
            self.frames.begin()
        elif isinstance(event, BodiesOverdue):
            for stream_id in event.stream_ids:
                self.frames.reset(stream_id, ErrorCodes.CANCEL)
                yield from self._give_up(stream_id, _GONE)
        elif isinstance(event, events.ConnectionClosed):
            yield from self._close(_GONE)
        yield from self.flush()
        if self._leaving and not self.exchanges and not self.frames.waiting_in_all and not self.is_over:
            yield from self._close(_GONE)

    def flush(self) -> Commands:
        """Sends what the frames have for the client."""
        if data := self.frames.data_to_send():
            yield commands.SendData(self.conn, data)

    def overdue(self, since: float) -> list[int]:
        """The streams whose bodies have stood still since then, though their clients might have sent more."""
        return [
            stream_id
            for stream_id, exchange in self.exchanges.items()
            if not exchange.asked and exchange.moved < since and stream_id not in self.untaken
        ]

    def take_back(self, stream_id: int) -> None:
        """A backend has taken what this stream's client has sent: it may send more."""
        self.frames.acknowledge_received_data(self.untaken.pop(stream_id), stream_id)

    def _receive(self, data: bytes) -> Commands:
        for event in self.frames.receive(data):
            yield from self._told(event)
            yield from self.flush()
            if self.is_over:
                return
        if not self.frames.head_begun():
            self.head_since = None
        elif self.head_since is None or self._heads != self.frames.heads:
            self.head_since, self._heads = time.monotonic(), self.frames.heads

    def _told(self, event: Event) -> Commands:
        stream_id: int = getattr(event, "stream_id", None) or 0
        if isinstance(event, RequestReceived):
            yield from self._asked(
                stream_id, request_of(event.headers or (), event.stream_ended is not None), event.stream_ended
            )
        elif isinstance(event, DataReceived):
            self.untaken[stream_id] = self.untaken.get(stream_id, 0) + (event.flow_controlled_length or 0)
            exchange = self.exchanges.get(stream_id)
            if exchange is None:
                self.take_back(stream_id)
            elif event.data:
                exchange.moved = time.monotonic()
                yield ReceiveHttp(RequestData(stream_id, event.data))
        elif isinstance(event, StreamEnded):
            if exchange := self.exchanges.get(stream_id):
                exchange.asked = True
                if exchange.answered:
                    del self.exchanges[stream_id]
                if exchange.trailers:
                    yield ReceiveHttp(RequestTrailers(stream_id, exchange.trailers))
                yield ReceiveHttp(RequestEndOfMessage(stream_id))
        elif isinstance(event, TrailersReceived):
            if exchange := self.exchanges.get(stream_id):
                fields = hygiene.passing_trailers(tuple(event.headers or ()), from_client=True)
                if fields is None:
                    yield from self._malformed(stream_id)
                else:
                    exchange.trailers = http.Headers(fields)
        elif isinstance(event, StreamReset):
            yield from self._give_up(stream_id, _GONE)
        elif isinstance(event, StreamFault):
            yield from self._malformed(stream_id)
        elif isinstance(event, Leaves):
            self._leaving = True
        elif isinstance(event, Ended):
            yield from self._ended(event)

    def _asked(self, stream_id: int, request: http.Request | Refused, ended: object) -> Commands:
        if self.frames.open_inbound_streams > MOST_STREAMS:  # it may not have heard of the limit yet, and can ask again at once
            self.frames.reset(stream_id, ErrorCodes.REFUSED_STREAM)
            yield internals.RequestRejectedHook(Refused.OVERLOAD)
            return
        if isinstance(request, http.Request) and self.exchanges and not self._room():
            request = Refused.OVERLOAD
        if isinstance(request, Refused):
            self._answer_ourselves(stream_id, STATUS[request], head_only=False)
            yield internals.RequestRejectedHook(request)
            return
        self.exchanges[stream_id] = _Exchange(request, moved=time.monotonic())
        yield ReceiveHttp(RequestHeaders(stream_id, request, end_stream=ended is not None))

    def _malformed(self, stream_id: int) -> Commands:
        """This stream broke HTTP's rules. Where a request of it is under way, that ends too, and is counted there."""
        exchange = self.exchanges.get(stream_id)
        if exchange is None:
            self._answer_ourselves(stream_id, 400, head_only=False)
            yield internals.RequestRejectedHook(Refused.MALFORMED)
            return
        internals.set_error_status(exchange.request, 400)
        if exchange.answering:
            self.frames.reset(stream_id, ErrorCodes.PROTOCOL_ERROR)
        else:
            self._answer_ourselves(stream_id, 400, exchange.request.data.method == b"HEAD")
        yield from self._give_up(stream_id, "malformed request")

    def _give_up(self, stream_id: int, why: str) -> Commands:
        if self.exchanges.pop(stream_id, None) is not None:
            yield ReceiveHttp(RequestProtocolError(stream_id, why, code=RequestProtocolError.code))

    def _ended(self, event: Ended) -> Commands:
        if event.code == ErrorCodes.ENHANCE_YOUR_CALM:
            _log.warning(
                "an HTTP/2 connection asked for too much and was ended", open=len(self.exchanges), why=event.reason[:60]
            )
        if event.reason.startswith(("Oversized", "a head")):
            yield internals.RequestRejectedHook(Refused.HEADER_LIMIT)
        elif event.code != ErrorCodes.ENHANCE_YOUR_CALM and not self.exchanges:
            yield internals.RequestRejectedHook(Refused.MALFORMED)
        yield from self._close("malformed HTTP/2")

    def _close(self, why: str) -> Commands:
        if self.is_over:
            return
        self.is_over = True  # GOAWAY is said, or need not be
        self.head_since = None
        if self._leaving and why == _GONE:
            self.frames.leave(final=True)
        yield from self.flush()
        yield commands.CloseConnection(self.conn)
        for stream_id in list(self.exchanges):
            yield from self._give_up(stream_id, why)

    def _send(self, event: HttpEvent) -> None:
        stream_id = event.stream_id
        exchange = self.exchanges.get(stream_id)
        if exchange is None:
            return
        if isinstance(event, ResponseData):
            self.frames.send(stream_id, event.data)
        elif isinstance(event, ResponseHeaders):
            exchange.answering = True
            self._head(stream_id, event.response.status_code, event.response.data.headers.fields, event.end_stream)
        elif isinstance(event, ResponseTrailers):
            self.frames.end(stream_id, trailer_fields(event.trailers.fields))
        elif isinstance(event, ResponseEndOfMessage):
            self.frames.end(stream_id, [])
            exchange.answered = True
            if exchange.asked:
                del self.exchanges[stream_id]
        elif isinstance(event, Informational):
            status, fields = informational(event.raw)
            self._head(stream_id, status, fields, end_stream=False)
        elif isinstance(event, ResponseProtocolError):
            status = internals.error_status(exchange.request) or internals.status_of_error(event.code) or 0
            if exchange.answering or not status:
                self.frames.reset(stream_id, ErrorCodes.INTERNAL_ERROR)
            else:
                self._answer_ourselves(stream_id, status, exchange.request.data.method == b"HEAD")
            del self.exchanges[stream_id]

    def _head(self, stream_id: int, status: int, fields: Headers, end_stream: bool) -> None:
        if self.frames.open_for_us(stream_id):
            self.frames.send_headers(stream_id, answer_fields(status, fields), end_stream=end_stream)

    def _answer_ourselves(self, stream_id: int, status: int, head_only: bool) -> None:
        if not self.frames.open_for_us(stream_id):
            return
        fields, body = own_answer_fields(status, head_only)
        self.frames.send_headers(stream_id, fields, end_stream=not body)
        self.frames.send(stream_id, body)
        self.frames.end(stream_id, [])
        if not self.frames.waiting(stream_id):
            self.frames.reset(stream_id, ErrorCodes.NO_ERROR)  # what it may still send is not wanted
