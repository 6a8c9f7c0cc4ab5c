"""mitmproxy's handler of one client connection, stripped to what a reverse proxy needs. The other half of `internals`."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from mitmproxy import ctx as mitmproxy_context
from mitmproxy.connection import Connection
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events, layer, server
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.mode_specs import ReverseMode

from proxy.backend_end import must_reset, note_reset
from proxy.hooks import LiveHooks
from proxy.internals import Commands, LiveHttpLayer, LiveServer
from proxy.plain_exchange import PlainExchange

OPTIONS: Mapping[str, Any] = {
    "connection_strategy": "lazy",
    "keep_host_header": True,
    "validate_inbound_headers": True,
    "websocket": False,  # upgraded connections pass as bytes
    "rawtcp": True,
    "http2": False,
    "store_streamed_bodies": False,
    "stream_large_bodies": None,
    "body_size_limit": None,
    "proxy_debug": False,
    "normalize_outbound_headers": True,
    "tcp_timeout": 600,
}
"""What a reverse proxy in front of production needs; mitmproxy's defaults are made for looking at traffic."""

PLAIN = True
"""Whether common exchanges may take the plain path. Tests switch it off to see everything go through mitmproxy's layers."""

NEVER_S = 10 * 365 * 86400
_log = logging.getLogger(__name__)


class InlineHooks:
    """Runs hooks at once instead of as tasks: ours never wait. Halves the cost of a request."""

    def __init__(self, inner: layer.Layer, run: Callable[[commands.StartHook], None]) -> None:
        self.inner = inner
        self._run = run

    def handle_event(self, event: events.Event) -> Commands:
        """The commands of `inner` without its hooks. A fault inside ends the connection: mitmproxy would let it hang."""
        waiting = deque([event])
        try:
            while waiting:
                for command in self.inner.handle_event(waiting.popleft()):
                    if isinstance(command, commands.StartHook):
                        self._run(command)
                        if command.blocking:
                            waiting.append(events.HookCompleted(command))
                    else:
                        yield command
        except Exception:
            _log.exception("a connection failed inside and is closed")
            yield commands.CloseConnection(self.inner.context.client)


class LiveHandler(server.LiveConnectionHandler):
    """One client connection of our own listener. `hooks` maps hook names to plain functions; none may raise or wait."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        options: Any,
        mode: ReverseMode,
        hooks: Mapping[str, Sequence[Callable[..., object]]],
        live: LiveHooks | None = None,
    ) -> None:
        super().__init__(*streams, options, mode)
        self.timeout_watchdog.timeout = NEVER_S  # it goes by the clock on the wall, which can jump: proxy.deadlines does this
        self._hooks = hooks
        context = self.layer.context
        secured = streams[1].get_extra_info("ssl_object")
        if secured is not None:  # its sni stays unset: it would become the one towards an https backend
            context.client.tls = True
            context.client.alpn = (secured.selected_alpn_protocol() or "").encode() or None
        context.server.address = mode.address
        context.server.tls = mode.scheme == "https"
        self.http = self.make_layer(context)
        self.layer = InlineHooks(self.http, self._run)  # type: ignore[assignment]
        self._no_room, self._room = False, asyncio.Event()
        self._plain = PlainExchange(self, self.http, live) if live is not None and PLAIN else None

    @property
    def is_busy(self) -> bool:
        """Whether an exchange or a tunnel is under way."""
        return bool(self.http.streams) or (self._plain is not None and self._plain.under_way)

    def make_layer(self, context: Context) -> LiveHttpLayer:
        """The layer that speaks with this client."""
        return LiveHttpLayer(context, HTTPMode.transparent)

    async def server_event(self, event: events.Event) -> None:
        """What happens to a connection: on the plain path where it can, else through mitmproxy's layers."""
        plain = self._plain
        if plain is not None:
            try:
                if type(event) is events.DataReceived:
                    rest = plain.take(event)
                    if rest is None:
                        self.timeout_watchdog.register_activity()  # type: ignore[no-untyped-call]
                        return
                    event = rest
                elif plain.under_way:
                    event = plain.leave(event)
            except Exception:
                _log.exception("a connection failed inside and is closed")
                self.close_connection(self.client)
                return
        if type(event) is events.ConnectionClosed:
            io = self.transports.get(event.connection)
            if io is not None and isinstance(io.reader, asyncio.StreamReader) and io.reader.exception() is not None:
                note_reset(event.connection)
        await super().server_event(event)
        if self._no_room:
            self._room.set()

    async def drain_writers(self) -> None:
        """Reads no more from this connection until what it has sent is on its way. mitmproxy waits for every writer under one lock:
        two ends that send more than they read would wait for each other for ever."""
        own = asyncio.current_task()
        for io in list(self.transports.values()):
            if io.writer is None or io.handler is own:
                continue
            try:
                await io.writer.drain()
            except OSError as error:
                if io.handler is not None:
                    io.handler.cancel(f"Error sending data: {error}")
        front = self.transports.get(self.client)
        if front is not None and front.handler is own:
            while self.http.streams and self.http.has_no_room():
                self._no_room = True
                self._room.clear()
                await self._room.wait()
            self._no_room = False

    def close_connection(self, connection: Connection, half_close: bool = False) -> None:
        """Closes it; with a reset where only that tells the client that its answer was cut."""
        io = self.transports.get(connection)
        if io is not None and io.writer is not None and must_reset(connection):
            writer: Any = io.writer
            if (peer := writer.get_extra_info("socket")) is not None:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        super().close_connection(connection, half_close)

    def _run(self, hook: commands.StartHook) -> None:
        for function in self._hooks.get(hook.name, ()):
            try:
                function(*hook.args())
            except Exception:  # a fault of ours must not become one of the client's
                _log.exception("hook %s failed", hook.name)

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """For the hooks that mitmproxy's handler starts itself."""
        self._run(hook)

    def log(self, message: str, level: int = logging.INFO, exc_info: Any = None) -> None:
        """mitmproxy's notes hold addresses and payloads; only what it calls a warning or worse is kept."""
        if level >= logging.WARNING:
            super().log(message, level, exc_info)


def live_options() -> Any:
    """mitmproxy's options as its connection layers read them, frozen: each look-up of the original makes a copy."""
    options: Any = Options()
    defaults = {name: getattr(options, name) for name in list(options.keys())}
    return SimpleNamespace(**{**defaults, **OPTIONS})


def tls_to_backends() -> Callable[..., object]:
    """The hook that starts TLS towards a backend, with the system's certificates verified."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package imports every addon there is, and their libraries grumble
        from mitmproxy.addons.tlsconfig import TlsConfig

    options: Any = Options()
    tls: Any = TlsConfig()
    tls.load(SimpleNamespace(add_option=options.add_option))
    options.update(ssl_verify_upstream_trusted_ca=os.environ.get("SSL_CERT_FILE"))  # an own certificate authority
    mitmproxy_context.options = options  # that is where it reads them
    hook: Callable[..., object] = tls.tls_start_server
    return hook


def cut(handler: Any, connection: Connection | None, reason: str) -> None:
    """Ends one connection of a client's handler (the client's own when None is given), as a deadline demands."""
    if connection is None and (say_goodbye := getattr(handler, "say_goodbye", None)) is not None:
        say_goodbye()
    io = handler.transports.get(handler.client if connection is None else connection)
    if io is not None and io.handler is not None:
        io.handler.cancel(reason)


def half_open_since(handler: Any) -> float | None:
    """Since when (monotonic seconds) this client owes us the rest of a request's head; None when it does not."""
    connections = getattr(getattr(handler, "http", None), "connections", {})  # only our own handlers are asked
    return getattr(connections.get(handler.client), "head_since", None)


def waiting_for(handler: Any, connection: Connection) -> Any:
    """The flow for which this backend connection is being made, None where that is not known."""
    layer: Any = getattr(handler, "http", None)
    for command in getattr(layer, "waiting_for_establishment", {}).get(connection, ()):
        return getattr(layer.command_sources.get(command), "flow", None)
    return None


def last_activity(handler: Any) -> float:
    """What changes whenever something happens on one of the handler's connections; no time to reckon with."""
    mark: float = handler.timeout_watchdog.last_activity
    return mark


def owes_body(handler: Any) -> bool:
    """Whether the client has begun a request and not yet sent all of its body."""
    connections = getattr(getattr(handler, "http", None), "connections", {})
    side: Any = connections.get(handler.client)
    return type(side) is LiveServer and side.state == side.read_body


def is_choked(handler: Any, connection: Connection | None) -> bool:
    """Whether bytes wait for a peer that does not take them."""
    io = handler.transports.get(connection)
    return io is not None and io.writer is not None and io.writer.transport.get_write_buffer_size() > 0


def drop_idle_backends(handler: Any) -> None:
    """Closes a waiting client's backend connections, which are too old to be used again: each is a descriptor on either side."""
    if type(handler) is not LiveHandler or handler.is_busy:  # HTTP/2 looks after its own
        return
    for connection, io in list(handler.transports.items()):
        if connection is not handler.client and io.writer is not None:
            handler.close_connection(connection)
