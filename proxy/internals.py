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
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)

from proxy.answers import own_answer

Commands = Generator[Any, Any, None]

MAX_HEAD = 64 * 1024
"""Bytes of a head that may wait for its end; a request's is answered with 431. As many bytes may wait wherever else nothing takes
them yet: behind an open request, in a chunk's header, in trailers."""
REUSE_WITHIN_S = 1.5
"""A backend connection that was idle for longer is not used again: gunicorn closes after 2 s, uvicorn after 5."""

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


class _TrailerReader:
    """h11's chunk reader with the trailers set aside (mitmproxy raises where it meets them), and with an end to its patience."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.trailers: http.Headers | None = None

    def __call__(self, buffer: Any) -> Any:
        event = self._inner(buffer)
        if isinstance(event, h11.EndOfMessage) and event.headers:
            self.trailers = http.Headers([(bytes(n), bytes(v)) for n, v in event.headers.raw_items()])
            return h11.EndOfMessage()
        if event is None and len(buffer) > MAX_HEAD:  # a chunk's data never waits: this is its header, or trailers
            raise h11.RemoteProtocolError("a chunk header or trailers without an end")
        return event

    def read_eof(self) -> Any:
        return self._inner.read_eof()


class _Trailers(_http1.Http1Connection):
    """Both directions of trailers for an HTTP/1 connection: read them aside, write them behind the last chunk."""

    _outgoing: http.Headers | None = None

    def read_body(self, event: events.Event) -> Commands:
        reader: Any = self.body_reader
        if isinstance(reader, ChunkedReader):
            reader = self.body_reader = cast(Any, _TrailerReader(reader))
        stream_id: Any = self.stream_id
        for command in super().read_body(event):
            trailers = reader.trailers if isinstance(reader, _TrailerReader) else None
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


class LiveServer(_Trailers, _http1.Http1Server):
    """The side towards the client."""

    head_since: float | None = None
    """When the first byte of a head came that is not complete yet (monotonic seconds)."""

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        if not isinstance(event, events.DataReceived):
            yield from super().read_headers(event)
            return
        while _beginning(self.buf, 1) in (b"\r", b"\n"):  # RFC 9112 2.2: empty lines before a request line are skipped
            self.buf.maybe_extract_at_most(1)
        if not self.buf:
            return
        if self.buf.is_next_line_obviously_invalid_request_line():
            yield from self.refuse("malformed", 400)
            return
        if self.head_since is None:
            self.head_since = time.monotonic()
        waiting = len(self.buf)
        yield from super().read_headers(event)
        if self.state == self.read_headers and len(self.buf) == waiting:  # no complete head yet
            if waiting > MAX_HEAD:
                yield from self.refuse("header_limit", 431)
            return
        self.head_since = None
        if self.state == self.done and self.request is None:  # mitmproxy has sent its 400, which `install` made ours
            yield RequestRejectedHook("malformed")

    def read_body(self, event: events.Event) -> Commands:
        for command in super().read_body(event):
            broken = isinstance(command, commands.CloseConnection) and isinstance(event, events.DataReceived)
            if broken and self.request is not None and not self.response:  # its framing is wrong: say so before closing
                set_error_status(self.request, 400)
                yield commands.SendData(self.conn, own_answer(400))
            yield command

    def wait(self, event: events.Event) -> Commands:
        if not isinstance(event, events.DataReceived) or len(self.buf) <= MAX_HEAD:
            yield from super().wait(event)
            return
        # Reading goes on while an answer is awaited, and nothing takes what comes: it must not pile up.
        self.state = self.done
        if self.request is not None and not self.response:
            set_error_status(self.request, 400)
            yield commands.SendData(self.conn, own_answer(400, self.request.data.method == b"HEAD"))
        yield commands.CloseConnection(self.conn)
        error = RequestProtocolError(self.stream_id, "too much ahead of its turn", code=RequestProtocolError.code)
        yield ReceiveHttp(error)

    def refuse(self, reason: str, status: int) -> Commands:
        """Ends the connection with our own answer, for a request that never became a flow."""
        self.head_since = None
        self.state = self.done
        yield commands.SendData(self.conn, own_answer(status))
        yield RequestRejectedHook(reason)
        yield commands.CloseConnection(self.conn)

    def send(self, event: Any) -> Commands:
        if not isinstance(event, ResponseProtocolError):
            yield from super().send(event)
            return
        if not self.conn.state & ConnectionState.CAN_WRITE:
            return
        status = (self.request and error_status(self.request)) or _status_of(event.code)
        if not self.response and status is not None:
            head_only = self.request is not None and self.request.data.method == b"HEAD"
            yield commands.SendData(self.conn, own_answer(status, head_only))
        yield commands.CloseConnection(self.conn)


class LiveClient(_Trailers, _http1.Http1Client):
    """The side towards a backend."""

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        while self.request and _is_informational(_beginning(self.buf, 12)):  # RFC 9110 15.2: a proxy may swallow these
            if not self.buf.maybe_extract_lines():
                break
        yield from super().read_headers(event)
        endless = isinstance(event, events.DataReceived) and len(self.buf) > MAX_HEAD and self.state == self.read_headers
        if endless and self.stream_id is not None:
            self.state = self.done
            yield commands.CloseConnection(self.conn)
            text = f"Cannot parse HTTP response: its head has more than {MAX_HEAD} bytes"
            yield ReceiveHttp(ResponseProtocolError(self.stream_id, text, code=ResponseProtocolError.code))

    def mark_done(self, *, request: bool = False, response: bool = False) -> Commands:
        yield from super().mark_done(request=request, response=response)
        if self.request is None:
            _idle_since[self.conn] = time.monotonic()


class LiveStream(http_layers.HttpStream):
    """One request with its answer. Says why it failed, and asks once more where that is safe."""

    _asked_again = False

    def state_wait_for_response_headers(self, event: ResponseHeaders) -> Commands:
        if event.response.status_code in (204, 304):  # neither has a body: its framing would desynchronise the client
            event.response.headers.pop("transfer-encoding", None)
            if event.response.status_code == 204:
                event.response.headers.pop("content-length", None)
        yield from super().state_wait_for_response_headers(event)

    def check_invalid(self, request: bool) -> Generator[Any, Any, bool]:
        self.flow.metadata[FAILURE] = MALFORMED if request else UNREACHABLE
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
        else:
            failure = _fault_of_client(event)
        self.flow.metadata.setdefault(FAILURE, failure)
        yield from super().handle_protocol_error(event)

    def _may_ask_again(self, event: ResponseProtocolError) -> bool:
        """Only a safe request that we hold completely, once, and before any byte of an answer."""
        request = self.flow.request
        return (
            request.data.method in (b"GET", b"HEAD")
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
        if isinstance(event, events.ConnectionEvent):
            known = event.connection in self.connections or event.connection == self.context.server
            if not known:  # the last words of a connection that was forgotten
                return
        yield from super()._handle_event(event)

    def make_stream(self, stream_id: int) -> Commands:
        context = Context.__new__(Context)  # what fork() does, without making a backend connection that is thrown away at once
        context.__dict__.update(self.context.__dict__, layers=self.context.layers.copy())
        self.streams[stream_id] = LiveStream(context, stream_id)
        yield from self.event_to_child(self.streams[stream_id], events.Start())

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
    _http1.make_error_response = lambda status_code, message="": own_answer(int(status_code))


def _fault_of_client(event: RequestProtocolError) -> str:
    return CLIENT_GONE if "disconnected" in event.message or "peer closed" in event.message else MALFORMED


def _beginning(buffer: Any, size: int) -> bytes:
    """The first bytes of what waits, without copying the rest: a peer that drips would make that quadratic."""
    return bytes(buffer._data[:size])


def _is_informational(beginning: bytes) -> bool:
    return beginning[:7] == b"HTTP/1." and beginning[8:10] == b" 1" and len(beginning) == 12 and beginning[9:12] != b"101"


def _status_of(code: Any) -> int | None:
    """mitmproxy 12 has an enumeration of causes, 11 has statuses with two inner ones that mean: say nothing."""
    if hasattr(code, "http_status_code"):
        status: int | None = code.http_status_code()
        return status
    return code if 400 <= code < 600 and code not in (444, 499) else None
