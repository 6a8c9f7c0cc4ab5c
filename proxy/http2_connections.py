"""An HTTP/2 client's connection with its backends': a backend connection for each request under way, taken over by the next, and
constant memory both ways. What a backend has not taken, its client gets no window for; what a client does not take, its backend is
not read for. mitmproxy knows neither, makes a connection for each request, and five at most.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mitmproxy.connection import Connection, ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import GetHttpConnectionCompleted, HTTPMode
from mitmproxy.proxy.layers.http._events import RequestProtocolError, ResponseHeaders, ResponseProtocolError
from mitmproxy.proxy.mode_specs import ReverseMode

from proxy import connections, internals
from proxy.http2 import BodiesOverdue, LiveHttp2Server
from proxy.http2_frames import MOST_STREAMS
from proxy.internals import Commands
from store.tasks import spawn

MOST_WAITING = 64 * 1024
"""Bytes of one answer that may wait for the client's window before its backend is read no further."""
MOST_WAITING_IN_ALL = 2 * 1024 * 1024
"""The same for all answers of a connection: beyond it only those go on that the client takes as they come."""
MOST_UNTAKEN = 64 * 1024
"""Bytes that may wait for a backend before its client gets no more window for it."""
MOST_IDLE = 4
"""Idle backend connections that are kept for a client's next requests."""


class Http2Stream(internals.LiveStream):
    """One request of an HTTP/2 client."""

    def state_wait_for_response_headers(self, event: ResponseHeaders) -> Commands:
        if event.response.status_code == 101:  # nothing has asked for it, and HTTP/2 has no such thing
            yield commands.CloseConnection(self.context.server)
            text = "Cannot parse HTTP response: an upgrade that was not asked for"
            yield from self.handle_protocol_error(ResponseProtocolError(self.stream_id, text, code=ResponseProtocolError.code))
            return
        yield from super().state_wait_for_response_headers(event)

    def make_server_connection(self) -> Any:
        connected = yield from super().make_server_connection()
        given_up = next((event for event in self._paused_event_queue if isinstance(event, RequestProtocolError)), None)
        if not connected or given_up is None:
            return connected
        self._paused_event_queue.remove(given_up)  # while it waited for its backend, which then need not hear of it
        self.client_state = self.state_done
        yield from self.handle_protocol_error(given_up)
        return False


class Http2Layer(internals.LiveHttpLayer):
    """One HTTP/2 client with its backend connections, none of which has two requests at once."""

    def __init__(self, context: Context, mode: HTTPMode, room: Callable[[], bool]) -> None:
        super().__init__(context, mode)
        self.front = LiveHttp2Server(context.fork(), room)
        self.connections[context.client] = self.front  # mitmproxy leaves it there

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, BodiesOverdue):
            yield from self.event_to_child(self.front, event)
        else:
            yield from super()._handle_event(event)

    def new_stream(self, stream_id: int) -> internals.LiveStream:
        """A stream that has not begun."""
        context = Context.__new__(Context)
        context.__dict__.update(self.context.__dict__, layers=self.context.layers.copy())
        stream = self.streams[stream_id] = Http2Stream(context, stream_id)
        return stream

    def idle(self) -> list[Connection]:
        """Backend connections that no request has, the one used last at the end."""
        in_use = {stream.context.server for stream in self.streams.values()}
        return [
            connection
            for connection in self.connections
            if connection is not self.context.client
            and connection not in in_use
            and connection not in self.waiting_for_establishment
        ]

    def get_connection(self, event: http_layers.GetHttpConnection, *, reuse: bool = True) -> Commands:
        free = None
        for connection in self.idle():
            if connection.state is ConnectionState.CLOSED:
                del self.connections[connection]
            elif connection.state is not ConnectionState.OPEN or not internals.is_fresh(connection):
                yield commands.CloseConnection(connection)
            elif event.connection_spec_matches(connection):
                free = connection
        if free is None or not reuse:
            yield from http_layers.HttpLayer.get_connection(self, event, reuse=False)
            return
        self.connections[free] = self.connections.pop(free)
        yield from self.event_to_child(self.command_sources.pop(event), GetHttpConnectionCompleted(event, (free, None)))


class Http2Handler(connections.LiveHandler):
    """The handler of an HTTP/2 client. `room` says whether one more backend connection can be afforded; `more` is told of each
    beyond the first as it comes (1) and goes (-1)."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        options: Any,
        mode: ReverseMode,
        hooks: Mapping[str, Sequence[Callable[..., object]]],
        room: Callable[[], bool],
        more: Callable[[int], None],
    ) -> None:
        self._room_for_backends = room
        super().__init__(streams, options, mode, hooks)
        self.max_conns = defaultdict(lambda: asyncio.Semaphore(2 * MOST_STREAMS))
        self._more = more
        self._backends = 0
        self._moved = asyncio.Event()
        self._draining: dict[int, asyncio.Task[None]] = {}
        self._newest: int | None = None
        self._told = False

    def make_layer(self, context: Context) -> Http2Layer:
        """The layer of such clients."""
        self.http2 = Http2Layer(context, HTTPMode.transparent, self._room_for_backends)
        return self.http2

    async def handle_client(self) -> None:
        """Serves the client until it is gone."""
        try:
            await super().handle_client()
        finally:
            for task in self._draining.values():
                task.cancel()

    async def open_connection(self, command: commands.OpenConnection) -> None:
        """A backend connection from its beginning to its end."""
        self._backends += 1
        extra = int(self._backends > 1)
        self._more(extra)
        try:
            await super().open_connection(command)
        finally:
            self._backends -= 1
            self._more(-extra)

    async def server_event(self, event: events.Event) -> None:
        """What happens to a connection, and what follows for the windows of all."""
        await super().server_event(event)
        self._give_windows()
        if len(self.transports) > MOST_IDLE + 1:
            idle = [connection for connection in self.http2.idle() if connection in self.transports]
            for connection in idle[:-MOST_IDLE]:
                self.close_connection(connection)
        self._moved.set()

    async def drain_writers(self) -> None:
        """Reads no more from this connection while what it has sent has nowhere to go."""
        own = asyncio.current_task()
        connection = next((other for other, io in self.transports.items() if io.handler is own), None)
        client = self.transports.get(self.client)
        if client is not None and client.writer is not None:
            try:
                await client.writer.drain()
            except OSError as error:
                if client.handler is not None:
                    client.handler.cancel(f"Error sending data: {error}")
        if connection is None or connection is self.client:
            return
        while self._waits(connection):
            self._moved.clear()
            await self._moved.wait()

    def leave(self) -> None:
        """The proxy ends: a client that goes on asking is told to ask elsewhere; what it has asked for is answered.

        One that only waits is told at the end: some clients (those of Python's h2) lose what they wait for when they are told.
        """
        newest = self.http2.front.frames.highest_inbound_stream_id
        if self._newest is None:
            self._newest = newest
        elif newest > self._newest and not self._told:
            self._told = True
            self.http2.front.frames.leave(final=False)
            self._flush()

    def say_goodbye(self) -> None:
        """Tells the client which of its requests were taken, before its connection is closed."""
        if not self.http2.front.is_over:
            self.http2.front.frames.leave(final=True)
            self._flush()

    def close_connection(self, connection: Connection, half_close: bool = False) -> None:
        """Closes it."""
        if connection is self.client:
            self.say_goodbye()
        super().close_connection(connection, half_close)

    def tend(self, now: float, body_s: float) -> None:
        """Ends the requests whose client owes us the rest of a body and has sent none of it for `body_s`, and the backend connections
        that are too old to be used again."""
        for connection in self.http2.idle():
            if connection in self.transports and not internals.is_fresh(connection):
                self.close_connection(connection)
        overdue = self.http2.front.overdue(now - body_s)
        if overdue:
            spawn(self.server_event(BodiesOverdue(overdue)), "body deadline")

    def _waits(self, connection: Connection) -> bool:
        """Whether the client does not take what this backend sends."""
        frames = self.http2.front.frames
        for stream_id, stream in self.http2.streams.items():
            if stream.context.server is connection:
                waiting = frames.waiting(stream_id)
                return waiting > MOST_WAITING or (waiting > 0 and frames.waiting_in_all > MOST_WAITING_IN_ALL)
        return False

    def _give_windows(self) -> None:
        """Gives the client a window anew for what the backends have taken."""
        front = self.http2.front
        for stream_id in list(front.untaken):
            stream = self.http2.streams.get(stream_id)
            if stream is not None and stream._paused is not None:  # its backend is being connected
                continue
            io = self.transports.get(stream.context.server) if stream is not None else None
            writer: Any = io.writer if io is not None else None
            if writer is not None and not writer.is_closing() and writer.transport.get_write_buffer_size() > MOST_UNTAKEN:
                if stream_id not in self._draining:
                    self._draining[stream_id] = spawn(self._drained(stream_id, writer), "backend takes")
                continue
            front.take_back(stream_id)
        self._flush()

    async def _drained(self, stream_id: int, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                await writer.drain()
        finally:
            del self._draining[stream_id]
        self._give_windows()

    def _flush(self) -> None:
        io = self.transports.get(self.client)
        data = self.http2.front.frames.data_to_send()
        if data and io is not None and io.writer is not None and not io.writer.is_closing():
            io.writer.write(data)
