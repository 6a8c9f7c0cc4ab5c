"""The end of a client connection, as far as mitmproxy's would harm what passes: half-closed clients, and an end that is not a reset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from h11._receivebuffer import ReceiveBuffer
from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.proxy.layers.http._base import HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import RequestProtocolError, ResponseEndOfMessage

from proxy.answer_head import says_close
from proxy.backend_end import Informational, make_pipe, was_reset

MOST_AHEAD = 1 << 20
"""Bytes that may wait behind an open request at all."""
LINGER_S = 5.0
"""After our last words a client may go on sending for so long: closing at once would reset, and take the words from it again."""

LINGER_BYTES = 256 * 1024
"""And so many bytes; whoever sends more after a refusal does not mean to read it."""
UPLOAD_BYTES = 1 << 40
"""The same behind an early answer of the backend: an upload under way may be large."""


class ClientEnded(HttpEvent):
    """The client has sent all it will send, and reads on."""

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id


@dataclass
class ClientHalfClosedHook(commands.StartHook):  # type: ignore[no-untyped-call]
    """A client has closed its sending side behind this request, and may still read. Or it is gone: nothing tells these apart."""

    name = "client_half_closed"
    blocking = False
    flow: http.HTTPFlow


def says_close_itself(request: http.Request) -> bool:
    """Whether the client has asked for the end of its connection."""
    return says_close(request.data.http_version, request.data.headers.fields)


class ClientEnd(_http1.Http1Server):
    """Base of internals.LiveServer."""

    half_closed = False
    _told = 0
    _left = 0

    def wait(self, event: events.Event) -> Any:
        if isinstance(event, events.DataReceived):
            if len(self.buf) > MOST_AHEAD:  # only in mitmdump, which reads on whatever may come
                yield from self.end()
                error = RequestProtocolError(self.stream_id, "too much ahead of its turn", code=RequestProtocolError.code)
                yield ReceiveHttp(error)
            return
        if self.conn.state is ConnectionState.CAN_WRITE and not self.conn.tls and not was_reset(self.conn):
            self.half_closed = True
            yield from self._tell()
        else:
            yield from super().wait(event)

    def mark_done(self, *, request: bool = False, response: bool = False) -> Any:
        asked = self.request
        for command in super().mark_done(request=request, response=response):
            if not isinstance(command, commands.CloseConnection) or asked is None or says_close_itself(asked):
                yield command
                continue
            # RFC 9112 9.6: it may have sent the next request already, and closing over that would take the answer from it.
            yield from self.end()
            return
        if not self.half_closed:
            return
        if self.state == self.wait:
            yield from self._tell()
        elif self.state in (self.read_headers, self.read_body):  # nothing more will come
            yield from self.state(events.ConnectionClosed(self.conn))

    def send(self, event: Any) -> Any:
        if isinstance(event, Informational):
            if self.response is None and self.request is not None and self.request.data.http_version != b"HTTP/1.0":
                yield commands.SendData(self.conn, event.raw)
            return
        bodyless = (
            isinstance(event, ResponseEndOfMessage) and self.response is not None and self.response.status_code in (204, 304)
        )
        for command in super().send(event):
            last_chunk = bodyless and isinstance(command, commands.SendData) and command.data == b"0\r\n\r\n"
            if not last_chunk:  # a 304 may have a transfer coding (RFC 9112 6.1), but never a body
                yield command

    def end(self, most: int = LINGER_BYTES) -> Any:
        """Ends the connection. What the client is still sending is read and thrown away for a while, at most so many bytes of it."""
        if self.conn.tls or self.conn.state is not ConnectionState.OPEN:
            self.state = self.done
            yield commands.CloseConnection(self.conn)
            return
        self.state = self.linger
        self.buf, self._left = ReceiveBuffer(), most
        yield commands.CloseTcpConnection(self.conn, half_close=True)
        yield commands.RequestWakeup(LINGER_S)

    def linger(self, event: events.Event) -> Any:
        """Waits for the client's own end."""
        self._left -= len(self.buf)
        self.buf = ReceiveBuffer()
        if not isinstance(event, events.DataReceived) or self._left < 0:
            yield commands.CloseConnection(self.conn)

    def make_pipe(self) -> Any:
        yield from make_pipe(self)
        if self.half_closed:
            yield from self.state(events.ConnectionClosed(self.conn))

    def _tell(self) -> Any:
        """That it will send no more is for the backend to know too, once nothing else waits to be sent."""
        if not self.buf and self._told != self.stream_id:
            self._told = self.stream_id
            yield ReceiveHttp(ClientEnded(self.stream_id))
