"""The end of a backend connection, as far as mitmproxy's would harm what passes: informational answers, cut bodies, other protocols."""

from __future__ import annotations

import time
from typing import Any
from weakref import WeakSet

from h11._readers import Http10Reader
from mitmproxy import http
from mitmproxy.connection import Connection
from mitmproxy.net.http.http1.read import expected_http_body_size
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.proxy.layers.http._base import HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import RequestEndOfMessage, ResponseProtocolError

from proxy.answer_head import body_length, framed, read_head, says_close
from proxy.raw_head import MAX_HEAD

RESET = "the backend has reset the connection that its answer ends with"

_reset: WeakSet[Connection] = WeakSet()
_to_reset: WeakSet[Connection] = WeakSet()


class Informational(HttpEvent):
    """An informational answer (1xx, but not 101): `raw` is its whole head."""

    def __init__(self, stream_id: int, raw: bytes) -> None:
        self.stream_id = stream_id
        self.raw = raw


def note_reset(connection: Connection) -> None:
    """The peer has reset this connection, which is no orderly end."""
    _reset.add(connection)


def was_reset(connection: Connection) -> bool:
    """Whether `note_reset` was told of this connection."""
    return connection in _reset


def must_reset(connection: Connection) -> bool:
    """Whether this connection must be ended with a reset: its body's end is the connection's, and this is not the body's end."""
    return connection in _to_reset


def end_with_reset(connection: Connection) -> None:
    """Ends this connection with a reset when it is closed."""
    _to_reset.add(connection)


class BackendEnd(_http1.Http1Client):
    """Base of internals.LiveClient."""

    def read_headers(self, event: events.ConnectionEvent) -> Any:
        data: bytearray = self.buf._data
        while (
            self.request is not None and data[:1] and data[0] in b"\r\n"
        ):  # some backends end a body with an empty line too many
            self.buf.maybe_extract_at_most(1)
        while self.request is not None and _is_informational(bytes(data[:12])):
            lines = self.buf.maybe_extract_lines()
            if not lines:
                break
            if self.stream_id is not None:
                yield ReceiveHttp(Informational(self.stream_id, b"\r\n".join([*lines, b"", b""])))
        yield from super().read_headers(event)
        endless = isinstance(event, events.DataReceived) and len(self.buf) > MAX_HEAD and self.state == self.read_headers
        if endless and self.stream_id is not None:
            self.state = self.done
            yield commands.CloseConnection(self.conn)
            text = f"Cannot parse HTTP response: its head has more than {MAX_HEAD} bytes"
            yield ReceiveHttp(ResponseProtocolError(self.stream_id, text, code=ResponseProtocolError.code))

    def read_body(self, event: events.Event) -> Any:
        ended = isinstance(event, events.ConnectionClosed) and isinstance(self.body_reader, Http10Reader)
        if ended and was_reset(self.conn) and self.stream_id is not None:  # a body until the end, but this is not its end
            self.state = self.done
            yield commands.CloseConnection(self.conn)
            yield ReceiveHttp(ResponseProtocolError(self.stream_id, RESET, code=ResponseProtocolError.code))
            return
        yield from super().read_body(event)
        if ended and self.response_done and not self.request_done and self.stream_id is not None:
            text = "the answer ended with its connection, before the request did"  # the client would wait for the same end
            yield ReceiveHttp(ResponseProtocolError(self.stream_id, text, code=ResponseProtocolError.code))

    def send(self, event: Any) -> Any:
        for command in super().send(event):
            # mitmproxy half-closes when an early answer has no length: backends take that for a client that has left.
            if isinstance(event, RequestEndOfMessage) and isinstance(command, commands.CloseTcpConnection):
                continue
            yield command

    def make_pipe(self) -> Any:
        yield from make_pipe(self)


def make_pipe(end: Any) -> Any:
    """From here on bytes pass as they are. mitmproxy would take line ends from the first of them."""
    end.state = end.passthrough
    if waiting := end.buf.maybe_extract_at_most(len(end.buf)):
        yield from end.state(events.DataReceived(end.conn, bytes(waiting)))


def read_response_head(lines: list[bytes]) -> http.Response:
    """Stands for mitmproxy's function of this name. Raises ValueError."""
    version, status, reason, fields = read_head([bytes(line) for line in lines])
    fields, last = framed(fields)
    headers: Any = http.Headers(fields)
    headers.paritygate_last = last or (version == b"HTTP/1.0" and any(n.lower() == b"transfer-encoding" for n, _ in fields))
    if status == 204:  # RFC 9112 6.1: it has none, and some clients would wait for one
        headers.pop("transfer-encoding", None)
    return http.Response(version, status, reason, headers, None, None, timestamp_start=time.time(), timestamp_end=None)


def body_size(request: http.Request, response: http.Response | None = None) -> int | None:
    """Stands for mitmproxy's `expected_http_body_size`; a request's head was judged before (proxy.raw_head). Raises ValueError."""
    if response is None:
        return expected_http_body_size(request)
    return body_length(request.data.method, response.status_code, response.data.headers.fields)


def connection_close(version: str | bytes, headers: Any) -> bool:
    """Stands for mitmproxy's function of this name, which knows `close` in small letters only."""
    if getattr(headers, "paritygate_last", False):
        return True
    return says_close(version if isinstance(version, bytes) else version.encode("latin-1"), headers.fields)


def _is_informational(beginning: bytes) -> bool:
    return beginning[:7] == b"HTTP/1." and beginning[8:10] == b" 1" and len(beginning) == 12 and beginning[9:12] != b"101"
