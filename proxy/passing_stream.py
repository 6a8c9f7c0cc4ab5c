"""One request with its answer, as far as mitmproxy's stream would harm what passes: expectations, informational answers, half-closed
clients, and connections that become another protocol's."""

from __future__ import annotations

from typing import Any

from mitmproxy import http
from mitmproxy.connection import Connection, ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http._events import (
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseProtocolError,
)

from proxy.backend_end import Informational, end_with_reset, was_reset
from proxy.client_end import ClientEnded, ClientHalfClosedHook
from traffic.message import Headers

HALF_CLOSED_S = 10.0
"""A client that has closed its sending side and gets no answer for so long is taken for one that is gone."""


def hold_expectation(request: http.Request) -> None:
    """Takes `Expect` out of sight until the request is passed on: the backend is to answer it, not mitmproxy."""
    fields = request.data.headers.fields
    request.paritygate_expecting = fields  # type: ignore[attr-defined]
    request.data.headers.fields = tuple(pair for pair in fields if pair[0].lower() != b"expect")


def arrived(request: http.Request) -> int:
    """How many bytes of the body (and of what follows it) had come together with the head."""
    waiting: int = getattr(request, "paritygate_arrived", 0)
    return waiting


def note_arrived(request: http.Request, size: int) -> None:
    """Notes how many bytes of the body had come together with the head."""
    request.paritygate_arrived = size  # type: ignore[attr-defined]


class PassingStream(http_layers.HttpStream):
    """Base of internals.LiveStream."""

    def _handle_event(self, event: events.Event) -> Any:
        if isinstance(event, Informational):
            if not self.flow.request.is_http2:
                yield http_layers.SendHttp(event, self.context.client)
        elif isinstance(event, ClientEnded):
            yield from self._client_ended()
        elif isinstance(event, events.Wakeup):
            if self.flow.response is None and self.client_state == self.state_done:
                yield commands.CloseConnection(self.context.client)
        else:
            yield from super()._handle_event(event)

    def state_wait_for_request_headers(self, event: RequestHeaders) -> Any:
        if not event.end_stream:
            layer: Any = self.context.layers[self.context.layers.index(self) - 1]
            front = layer.connections[self.context.client]
            note_arrived(event.request, len(getattr(front, "buf", b"")))
        yield from super().state_wait_for_request_headers(event)

    def make_server_connection(self) -> Any:
        connected = yield from super().make_server_connection()
        expecting: Headers | None = getattr(self.flow.request, "paritygate_expecting", None)
        if expecting is not None:
            self.flow.request.data.headers.fields = expecting
        return connected

    def _client_ended(self) -> Any:
        yield ClientHalfClosedHook(self.flow)
        server = self.flow.server_conn
        if server.state is ConnectionState.OPEN and not server.tls and self.server_state != self.state_done:
            yield commands.CloseTcpConnection(server, half_close=True)
        if self.flow.response is None:
            yield commands.RequestWakeup(HALF_CLOSED_S)

    def passthrough(self, event: events.Event) -> Any:
        """Another protocol's bytes, and the end of each direction by itself. mitmproxy would keep the bytes, and close both."""
        client, server = self.context.client, self.context.server
        if isinstance(event, RequestData):
            yield commands.SendData(server, event.data)
        elif isinstance(event, ResponseData):
            yield commands.SendData(client, event.data)
        elif isinstance(event, RequestEndOfMessage):
            yield from _pass_end(client, server)
        elif isinstance(event, ResponseEndOfMessage):
            yield from _pass_end(server, client)
        elif isinstance(event, RequestProtocolError | ResponseProtocolError):
            yield commands.CloseConnection(server)
            yield commands.CloseConnection(client)


def _pass_end(ended: Connection, other: Connection) -> Any:
    if was_reset(ended):
        end_with_reset(other)
    elif other.state & ConnectionState.CAN_READ and not other.tls:
        if other.state & ConnectionState.CAN_WRITE:
            yield commands.CloseTcpConnection(other, half_close=True)
        return
    for connection in (other, ended):
        if connection.state is not ConnectionState.CLOSED:
            yield commands.CloseConnection(connection)
