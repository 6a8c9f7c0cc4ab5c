"""Everything that reaches into mitmproxy's inner parts, and nothing else. `tests/proxy/test_internals.py` pins what is relied on.

mitmproxy is an inspection tool; four things in its HTTP/1 layer would harm live traffic, and no hook or option reaches them:
an informational answer (1xx) or a trailer hangs the client, an empty line before a request does too, error pages carry
mitmproxy's name, and a keep-alive connection that the backend closes at the wrong moment becomes a 502. The subclasses here
mend these and stand in for the originals by name (`install`). Works with mitmproxy 11.0 and 12.2.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

import h11
from h11._readers import ChunkedReader
from mitmproxy import http
from mitmproxy.connection import Connection, ConnectionState
from mitmproxy.net.http import http1
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    RequestTrailers,
    ResponseEndOfMessage,
    ResponseProtocolError,
    ResponseTrailers,
)

from proxy import hygiene
from proxy.answers import STATUS, own_answer
from proxy.backend_end import RESET, BackendEnd, body_size, connection_close, end_with_reset, read_response_head
from proxy.chunked import ChunkedBody
from proxy.client_end import UPLOAD_BYTES, ClientEnd
from proxy.passing_stream import PassingStream
from proxy.raw_head import fault_of_beginning, fault_of_head, leading_empty_lines

Commands = Generator[Any, Any, None]

REUSE_WITHIN_S = 1.5
"""A backend connection that was idle for longer is not used again: gunicorn closes after 2 s, uvicorn after 5."""

MAX_AHEAD = 64 * 1024
"""Bytes behind an open request that are read ahead of their turn."""
MAX_QUEUED = 16
"""Pieces of a body (of at most 64 KiB) that wait for a backend connection."""

FAILURE = "paritygate.failure"
"""Key in `flow.metadata`: why the flow failed, one of the names below, set before the `error` hook."""
AGAIN = "paritygate.again"
"""Key in `flow.metadata`: called when the backend could not be reached; True means that the flow now names another backend."""
CLIENT_GONE, MALFORMED, UNREACHABLE, CUT = "client_gone", "malformed", "unreachable", "cut"

_log = logging.getLogger(__name__)
_idle_since: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()


@dataclass
class RequestRejectedHook(commands.StartHook):  # type: ignore[no-untyped-call]
    """A request that never became a flow. `reason` is one of traffic.outcome.Refused's names."""

    name = "request_rejected"
    blocking = False
    reason: str


class Resumed(events.Event):
    """The layers go on with a request that was read for them, and asks a backend for it."""

    def __init__(self, stream: LiveStream) -> None:
        self.stream = stream


def is_idle(connection: Connection) -> None:
    """Notes that a backend connection is idle from now on."""
    _idle_since[connection] = time.monotonic()


def is_fresh(connection: Connection) -> bool:
    """Whether an idle backend connection may be used again."""
    since = _idle_since.get(connection)
    return since is not None and time.monotonic() - since <= REUSE_WITHIN_S


def set_error_status(request: http.Request, status: int) -> None:
    """Chooses the status of our own answer to this request, for when no backend's answer was begun."""
    request.paritygate_status = status  # type: ignore[attr-defined]


def kill(flow: Any) -> None:
    """Ends a flow in its `requestheaders` hook; `set_error_status` says what the client sees."""
    flow.kill()


def error_status(request: http.Request) -> int | None:
    """The status chosen for our own answer, None while there is none."""
    status: int | None = getattr(request, "paritygate_status", None)
    return status


class _ChunkReader:
    """Stands where h11's chunk reader would: strict, and with the trailers set aside (mitmproxy raises where it meets them)."""

    def __init__(self, from_client: bool) -> None:
        self._body = ChunkedBody(padded=not from_client)
        self._from_client = from_client
        self.trailers: http.Headers | None = None

    def __call__(self, buffer: Any) -> Any:
        event = self._body.take(buffer._data)
        if self._body.trailers and type(event) is h11.EndOfMessage:
            fields = hygiene.passing_trailers(self._body.trailers, self._from_client)
            if fields is None:
                raise h11.RemoteProtocolError("a trailer that would change its request")
            self.trailers = http.Headers(fields)
        return event

    def read_eof(self) -> Any:
        return self._body.read_eof()


class _Trailers(_http1.Http1Connection):
    """Both directions of trailers for an HTTP/1 connection: read them aside, write them behind the last chunk."""

    _outgoing: http.Headers | None = None

    def read_body(self, event: events.Event) -> Commands:
        reader: Any = self.body_reader
        if isinstance(reader, ChunkedReader):
            reader = self.body_reader = cast(Any, _ChunkReader(from_client=isinstance(self, LiveServer)))
        stream_id: Any = self.stream_id
        for command in super().read_body(event):
            trailers = reader.trailers if isinstance(reader, _ChunkReader) else None
            if trailers and isinstance(command, ReceiveHttp):
                if isinstance(command.event, RequestEndOfMessage):
                    yield ReceiveHttp(RequestTrailers(stream_id, trailers))
                elif isinstance(command.event, ResponseEndOfMessage):
                    yield ReceiveHttp(ResponseTrailers(stream_id, trailers))
            yield command

    def send(self, event: Any) -> Commands:
        if isinstance(event, RequestTrailers | ResponseTrailers):
            self._outgoing = event.trailers
            return
        trailers = self._outgoing
        if not isinstance(event, RequestEndOfMessage | ResponseEndOfMessage) or trailers is None:
            yield from super().send(event)
            return
        self._outgoing = None
        for command in super().send(event):
            if isinstance(command, commands.SendData) and command.data == b"0\r\n\r\n":
                command = commands.SendData(command.connection, b"0\r\n" + bytes(trailers) + b"\r\n")
            yield command


class LiveServer(_Trailers, ClientEnd):
    """The side towards the client."""

    head_since: float | None = None
    """When the first byte of a head came that is not complete yet (monotonic seconds)."""

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        if not isinstance(event, events.DataReceived):
            yield from super().read_headers(event)
            return
        data: bytearray = self.buf._data
        if empty_lines := leading_empty_lines(data):  # RFC 9112 2.2: before a request line they are skipped
            self.buf.maybe_extract_at_most(empty_lines)
        if not data:
            return
        if self.head_since is None:
            self.head_since = time.monotonic()
        end = data.find(b"\r\n\r\n")
        fault = fault_of_head(bytes(data[: end + 4])) if end >= 0 else fault_of_beginning(data)
        if fault is not None:
            yield from self.refuse(fault, STATUS[fault])
            return
        if end < 0:  # no complete head yet
            return
        self.head_since = None
        yield from super().read_headers(event)
        if self.state == self.done and self.request is None:  # mitmproxy has sent its 400, which `install` made ours
            yield RequestRejectedHook("malformed")

    def read_body(self, event: events.Event) -> Commands:
        for command in super().read_body(event):
            if not (isinstance(command, commands.CloseConnection) and isinstance(event, events.DataReceived)):
                yield command
                continue
            if self.request is not None and not self.response:  # its framing is wrong: say so before closing
                set_error_status(self.request, 400)
                yield commands.SendData(self.conn, own_answer(400))
            yield from self.end()

    def refuse(self, reason: str, status: int) -> Commands:
        """Ends the connection with our own answer, for a request that never became a flow."""
        self.head_since = None
        self.state = self.done
        yield commands.SendData(self.conn, own_answer(status))
        yield RequestRejectedHook(reason)
        yield from self.end()

    def send(self, event: Any) -> Commands:
        if not isinstance(event, ResponseProtocolError):
            yield from super().send(event)
            return
        if not self.conn.state & ConnectionState.CAN_WRITE:
            return
        status = (self.request and error_status(self.request)) or status_of_error(event.code)
        if not self.response and status is not None:
            head_only = self.request is not None and self.request.data.method == b"HEAD"
            yield commands.SendData(self.conn, own_answer(status, head_only))
        if event.message == RESET:
            end_with_reset(self.conn)
        if self.state == self.read_body and event.message != RESET:  # it is still sending
            yield from self.end(UPLOAD_BYTES)
        else:
            yield commands.CloseConnection(self.conn)


class LiveClient(_Trailers, BackendEnd):
    """The side towards a backend."""

    def mark_done(self, *, request: bool = False, response: bool = False) -> Commands:
        yield from super().mark_done(request=request, response=response)
        if self.request is None:
            is_idle(self.conn)


class LiveStream(PassingStream):
    """One request with its answer. Says why it failed, and asks once more where that is safe."""

    _asked_again = False

    def _handle_event(self, event: events.Event) -> Commands:
        if type(event) is Resumed:
            if not (yield from self.check_killed(True)):
                yield from self._ask_again()
        else:
            yield from super()._handle_event(event)

    def check_invalid(self, request: bool) -> Generator[Any, Any, bool]:
        if not request:  # judged where it was read, by proxy.answer_head
            return False
        self.flow.metadata[FAILURE] = MALFORMED
        invalid = yield from super().check_invalid(request)
        if not invalid:
            self.flow.metadata.pop(FAILURE, None)
        return invalid

    def check_killed(self, emit_error_hook: bool) -> Generator[Any, Any, bool]:
        for event in self._paused_event_queue:
            if isinstance(event, RequestProtocolError):
                self.flow.metadata.setdefault(FAILURE, _fault_of_client(event))
        return (yield from super().check_killed(emit_error_hook))

    def handle_protocol_error(self, event: RequestProtocolError | ResponseProtocolError) -> Commands:
        if isinstance(event, ResponseProtocolError):
            if self._may_ask_again(event) and self._other_backend(event):
                yield from self._ask_again()
                return
            failure = CUT if self.flow.response is not None else UNREACHABLE
            if not self.context.client.state & ConnectionState.CAN_READ:  # the backend was told that the client has ended
                failure = CLIENT_GONE
        else:
            failure = _fault_of_client(event)
        self.flow.metadata.setdefault(FAILURE, failure)
        yield from super().handle_protocol_error(event)

    def _may_ask_again(self, event: ResponseProtocolError) -> bool:
        """Only a safe request that we hold completely, once, and before any byte of an answer."""
        request = self.flow.request
        return (
            request.data.method in (b"GET", b"HEAD", b"OPTIONS", b"TRACE")
            and bool(self.context.client.state & ConnectionState.CAN_READ)
            and not request.stream
            and error_status(request) is None
            and self.flow.response is None
            and self.client_state == self.state_done
            and self.server_state == self.state_wait_for_response_headers
            and not event.message.startswith(("unexpected server response", "Cannot parse"))
        )

    def _other_backend(self, event: ResponseProtocolError) -> bool:
        if not self._asked_again and event.message == "server closed connection" and self.flow.server_conn in _idle_since:
            self._asked_again = True
            return True  # it was idle and closed just as we used it: the same backend on a fresh connection
        again = self.flow.metadata.get(AGAIN)
        return again is not None and bool(again())

    def _ask_again(self) -> Commands:
        connected = yield from self.make_server_connection()
        if not connected:
            return
        request, server = self.flow.request, self.context.server
        content = request.raw_content
        yield http_layers.SendHttp(RequestHeaders(self.stream_id, request, not content), server)
        if content:
            yield http_layers.SendHttp(RequestData(self.stream_id, content), server)
        yield http_layers.SendHttp(RequestEndOfMessage(self.stream_id), server)


class LiveHttpLayer(http_layers.HttpLayer):
    """One client connection with its backend connections; forgets those that are closed or were idle for too long."""

    def _handle_event(self, event: events.Event) -> Commands:
        if type(event) is Resumed:
            yield from self.event_to_child(event.stream, event)
            return
        if isinstance(event, events.ConnectionEvent):
            known = event.connection in self.connections or event.connection == self.context.server
            if not known:  # the last words of a connection that was forgotten
                return
        yield from super()._handle_event(event)

    def has_no_room(self) -> bool:
        """Whether what the client sends has nowhere to go now: it is read ahead of its turn, or a backend is being connected."""
        front: Any = self.connections.get(self.context.client)
        if front is not None and len(getattr(front, "buf", b"")) > MAX_AHEAD and front.state == front.wait:
            return True
        return any(len(stream._paused_event_queue) > MAX_QUEUED for stream in self.streams.values())

    def make_stream(self, stream_id: int) -> Commands:
        yield from self.event_to_child(self.new_stream(stream_id), events.Start())

    def new_stream(self, stream_id: int) -> LiveStream:
        """A stream that has not begun."""
        context = Context.__new__(Context)  # what fork() does, without making a backend connection that is thrown away at once
        context.__dict__.update(self.context.__dict__, layers=self.context.layers.copy())
        stream = self.streams[stream_id] = LiveStream(context, stream_id)
        return stream

    def get_connection(self, event: http_layers.GetHttpConnection, *, reuse: bool = True) -> Commands:
        in_use = {stream.context.server for stream in self.streams.values()}
        for connection in list(self.connections):
            since = _idle_since.get(connection)
            if connection.state is ConnectionState.CLOSED and connection is not self.context.client:
                if connection not in in_use:  # a long-lived client must not collect its backends' dead connections
                    del self.connections[connection]
            elif since is not None and connection.connected and time.monotonic() - since > REUSE_WITHIN_S:
                yield commands.CloseConnection(connection)
        yield from super().get_connection(event, reuse=reuse)


def replace_layer(next_layer: layer.NextLayer) -> None:
    """Puts our layer where mitmproxy has chosen its own HTTP layer; for `mitmdump -s`."""
    chosen = next_layer.layer
    if type(chosen) is http_layers.HttpLayer:
        next_layer.context.layers.remove(chosen)
        next_layer.layer = LiveHttpLayer(next_layer.context, chosen.mode)


def install() -> None:
    """Makes mitmproxy use the classes above. Idempotent."""
    module: Any = http_layers
    module.Http1Server, module.Http1Client, module.HttpStream = LiveServer, LiveClient, LiveStream
    data: Any = http.MessageData
    data.__post_init__ = lambda self: None  # checks the types of all fields of each message; `python -O` drops it as well
    reading: Any = http1
    reading.read_response_head, reading.connection_close = read_response_head, connection_close
    reading.expected_http_body_size = body_size
    _http1.make_error_response = lambda status_code, message="": own_answer(int(status_code))


def _fault_of_client(event: RequestProtocolError) -> str:
    return CLIENT_GONE if "disconnected" in event.message or "peer closed" in event.message else MALFORMED


def status_of_error(code: Any) -> int | None:
    """The status for an error's cause, None where the client is told nothing.

    mitmproxy 12 has an enumeration of causes, 11 has statuses with two inner ones that mean: say nothing.
    """
    if hasattr(code, "http_status_code"):
        status: int | None = code.http_status_code()
        return status
    return code if 400 <= code < 600 and code not in (444, 499) else None
