"""The plain path: the most common exchange (HTTP/1.1, whole small request, answer with a Content-Length) without mitmproxy's layers.

mitmproxy's HTTP layers cost most of a request's time. What `plain_head` recognises passes here instead, with the same hooks in
the same order; all else, and everything that goes wrong, is mitmproxy's: `leave` then builds the state that its layers would be
in at this moment, and they go on from there. Like `internals`, this knows mitmproxy's inner parts; test_plain_exchange pins it.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from h11._readers import ContentLengthReader
from mitmproxy import http
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.proxy import events
from mitmproxy.proxy.layers.http import HttpClient

from proxy import internals
from proxy.hooks import LiveHooks
from proxy.passing_stream import note_arrived
from proxy.plain_head import ResponseHead, request_head, response_head

_log = logging.getLogger(__name__)


class PlainExchange:
    """The plain exchanges of one client connection, one after the other. `server` is the backend's connection under way."""

    def __init__(self, handler: Any, http_layer: internals.LiveHttpLayer, hooks: LiveHooks) -> None:
        self._handler = handler
        self._http = http_layer
        self._hooks = hooks
        self._flow: http.HTTPFlow | None = None
        self._head: ResponseHead | None = None
        self._left = 0
        self.server: Server | None = None

    @property
    def under_way(self) -> bool:
        """Whether an exchange is on this path now."""
        return self._flow is not None

    def take(self, event: events.DataReceived) -> events.Event | None:
        """Handles received bytes. None when that is done; else the event that mitmproxy's layers must handle now."""
        if event.connection is self.server:
            if self._head is None:
                return self._answer_begins(event)
            return self._answer_goes_on(event)
        if self._flow is not None or event.connection is not self._handler.client:
            return self.leave(event)
        return self._request(event)

    def leave(self, event: events.Event) -> events.Event:
        """Gives the exchange under way to mitmproxy's layers; `event` is then theirs."""
        if self._flow is not None:
            self._hand_over(self._flow, sent=True)
        return event

    def _request(self, event: events.DataReceived) -> events.Event | None:
        path, data = self._hooks.path, event.data
        if path.draining or not self._idle():
            return event
        head = request_head(data)
        if head is None or head.size + head.length != len(data) or head.length > path.settings.mirror.max_body:
            return event
        body = data[head.size :]
        context = self._http.context
        host, port = context.server.address or ("", 0)
        now = time.time()
        request = http.Request(
            host,
            port,
            head.method,
            b"https" if context.server.tls else b"http",
            b"",
            head.target,
            b"HTTP/1.1",
            head.headers,
            body,
            None,
            now,
            now,
        )
        flow = self._flow = http.HTTPFlow(context.client, context.server, True)
        flow.request = request
        note_arrived(request, len(body))
        self._run(self._hooks.requestheaders, flow)
        self._run(self._hooks.request, flow)
        server = self._idle_server(request.data.host, request.data.port) if request.data.scheme == b"http" else None
        if server is None or flow.error is not None:
            return internals.Resumed(self._hand_over(flow, sent=False))
        flow.server_conn = server
        self.server = server
        sent = request.data
        lines = [b"%b %b HTTP/1.1" % (sent.method, sent.path), *[b"%b: %b" % pair for pair in sent.headers.fields], b"\r\n"]
        self._handler.transports[server].writer.write(b"\r\n".join(lines) + body)
        return None

    def _answer_begins(self, event: events.DataReceived) -> events.Event | None:
        flow, data, hooks = self._flow, event.data, self._hooks
        head = response_head(data)
        if flow is None or head is None or hooks.path.draining:
            return self.leave(event)
        bodyless = head.status in (204, 304) or flow.request.data.method == b"HEAD"
        if head.length is None and not bodyless:
            return self.leave(event)
        left = 0 if bodyless else head.length or 0
        piece = len(data) - head.size
        if piece > left:
            return self.leave(event)
        now = time.time()
        response = flow.response = http.Response(b"HTTP/1.1", head.status, head.reason, head.headers, None, None, now, now)
        self._run(hooks.responseheaders, flow)
        if response.data.headers.fields != head.headers:
            lines = [
                b"HTTP/1.1 %d %b" % (head.status, head.reason),
                *[b"%b: %b" % pair for pair in response.data.headers.fields],
            ]
            data = b"\r\n".join([*lines, b"\r\n"]) + data[head.size :]
        if piece and callable(response.stream):
            response.stream(data[-piece:])
        self._head, self._left = head, left - piece
        self._write(data)
        if self._left == 0:
            self._end(flow)
        return None

    def _answer_goes_on(self, event: events.DataReceived) -> events.Event | None:
        flow, data = self._flow, event.data
        if flow is None or flow.response is None or len(data) > self._left:
            return self.leave(event)
        if callable(flow.response.stream):
            flow.response.stream(data)
        self._left -= len(data)
        self._write(data)
        if self._left == 0:
            self._end(flow)
        return None

    def _end(self, flow: http.HTTPFlow) -> None:
        server = self.server
        self._flow = self._head = self.server = None
        if server is not None:
            internals.is_idle(server)
        self._run(self._hooks.response, flow)
        flow.live = False

    def _write(self, data: bytes) -> None:
        writer = self._handler.transports[self._handler.client].writer
        if not writer.is_closing():
            writer.write(data)

    def _run(self, hook: Any, flow: http.HTTPFlow) -> None:
        try:
            hook(flow)
        except Exception:  # a fault of ours must not become one of the client's
            _log.exception("hook %s failed", hook.__name__)

    def _idle(self) -> bool:
        """Whether mitmproxy's layers wait for the beginning of a request, with nothing under way."""
        client = self._http.connections.get(self._handler.client)
        return (
            not self._http.streams
            and type(client) is internals.LiveServer
            and client.state == client.read_headers
            and client.request is None
            and not client.buf
        )

    def _idle_server(self, host: str, port: int) -> Server | None:
        """A connection to this backend that can be used now."""
        for connection, layer in self._http.connections.items():
            if type(layer) is not HttpClient or not isinstance(connection, Server) or connection.address != (host, port):
                continue
            child = getattr(layer, "child_layer", None)
            if (
                type(child) is internals.LiveClient
                and child.request is None
                and child.state == child.read_headers
                and not child.buf
                and connection.state is ConnectionState.OPEN
                and internals.is_fresh(connection)
            ):
                io = self._handler.transports.get(connection)
                if io is not None and io.writer is not None and not io.writer.is_closing():
                    return connection
        return None

    def _hand_over(self, flow: http.HTTPFlow, sent: bool) -> internals.LiveStream:
        """The state mitmproxy's layers are in when they have read this request and, if `sent`, passed it on."""
        head, left, server = self._head, self._left, self.server
        self._flow = self._head = self.server = None
        front: Any = self._http.connections[self._handler.client]
        front.request, front.response, front.request_done, front.state = flow.request, flow.response, True, front.wait
        stream = self._http.new_stream(front.stream_id)
        stream.flow = flow
        stream.client_state = stream.state_done
        stream.server_state = stream.state_wait_for_response_headers
        if sent and server is not None:
            stream.context.server = server
            back: Any = getattr(self._http.connections[server], "child_layer")  # noqa: B009  (its class declares none)
            back.stream_id, back.request, back.request_done = front.stream_id, flow.request, True
            if head is not None:
                reader: Any = ContentLengthReader(head.length or 0)
                reader._remaining = left
                back.response, back.body_reader, back.state = flow.response, reader, back.read_body
                stream.server_state = stream.state_stream_response_body
        return stream
