"""mitmproxy's handler of one client connection, stripped to what a reverse proxy needs. The other half of `internals`."""

from __future__ import annotations

import asyncio
import logging
import os
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from mitmproxy import ctx as mitmproxy_context
from mitmproxy.connection import Connection
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events, layer, server
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.mode_specs import ReverseMode

from proxy.internals import Commands, LiveHttpLayer

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
    ) -> None:
        super().__init__(*streams, options, mode)
        self._hooks = hooks
        context = self.layer.context
        context.server.address = mode.address
        context.server.tls = mode.scheme == "https"
        self.http = LiveHttpLayer(context, HTTPMode.transparent)
        self.layer = InlineHooks(self.http, self._run)  # type: ignore[assignment]

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
    io = handler.transports.get(handler.client if connection is None else connection)
    if io is not None and io.handler is not None:
        io.handler.cancel(reason)


def half_open_since(handler: Any) -> float | None:
    """Since when (monotonic seconds) this client owes us the rest of a request's head; None when it does not."""
    connections = getattr(getattr(handler, "http", None), "connections", {})  # only our own handlers are asked
    return getattr(connections.get(handler.client), "head_since", None)
