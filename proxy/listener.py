"""The lean listener: mitmproxy's connection handling behind our own socket, without its master and its twenty other addons."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from mitmproxy.proxy.mode_specs import ReverseMode

from proxy import connections, internals
from proxy.acceptor import Acceptor, open_streams
from proxy.answers import own_answer
from proxy.client_tls import HANDSHAKE_S, SecuredWriter, is_not_tls, load_client_tls, use_small_buffers
from proxy.descriptors import room_for_clients
from proxy.headcount import Headcount
from proxy.hooks import LiveHooks
from proxy.http2_connections import Http2Handler
from proxy.http2_frames import turned_away
from store.tasks import spawn
from traffic.outcome import Refused

HOOKS = (
    "requestheaders",
    "request",
    "responseheaders",
    "response",
    "error",
    "request_rejected",
    "client_disconnected",
    "client_half_closed",
    "server_connect",
    "server_connected",
    "server_connect_error",
    "tcp_message",
)
GRACE_S = 1.0
"""While draining, a client that has just come, or has begun to ask, is given so long to ask in full."""

TURNED_AWAY_S, WAITED_FOR, CROWDED_S = 1.0, 16, 0.02
"""A client that is turned away has so long to say what it came for; with more of them than that, a moment: they hold descriptors that
those who are connected need."""
LINGER_S = 30.0
"""A client may take so long over the last bytes of its answer once its connection has ended."""


class Listener:
    """Accepts clients and keeps their handlers, by client id."""

    def __init__(self, hooks: LiveHooks) -> None:
        internals.install()
        table: dict[str, Sequence[Callable[..., object]]] = {name: (getattr(hooks, name),) for name in HOOKS}
        settings = hooks.path.settings
        if any(url.startswith("https:") for url in (settings.primary.url, settings.candidate.url)):
            table["tls_start_server"] = (connections.tls_to_backends(),)
        self._hooks: Mapping[str, Sequence[Callable[..., object]]] = table
        self._options = connections.live_options()
        self._mode = ReverseMode.parse(f"reverse:{hooks.path.settings.primary.url}")
        self._acceptor: Acceptor | None = None
        self._open_streams = open_streams
        self._tls = load_client_tls(settings)
        self._renewing: asyncio.Task[None] | None = None
        if self._tls is not None:
            self._open_streams = self._secured
            use_small_buffers()
        self._headcount: Headcount | None = None
        self._request_rejected = hooks.request_rejected
        self._live = hooks
        self.max_clients = room_for_clients()
        self._empty = asyncio.Event()
        self._empty.set()
        self.handlers: dict[str, connections.LiveHandler] = {}
        self.clients = 0
        """Clients that are connected, those included whose connection is still being set up."""
        self._arrived: dict[str, float] = {}
        self._more_backends = 0
        self._turned_away = 0

    @property
    def listening(self) -> bool:
        """Whether new clients are accepted."""
        return self._acceptor is not None and self._acceptor.listening

    @property
    def accept_failures(self) -> int:
        """How often a client could not be accepted for want of descriptors or memory."""
        return self._acceptor.failures if self._acceptor is not None else 0

    @property
    def certificate_expires(self) -> int:
        """When the certificate that new clients get ends, in Unix seconds; 0 without TLS."""
        return int(self._tls.expires.timestamp()) if self._tls is not None else 0

    def start(self, bound: socket.socket, headcount: Headcount | None = None) -> None:
        """Accepts clients on `bound` from now on, shared with the siblings of the headcount, if any."""
        self._headcount = headcount
        self._acceptor = Acceptor(bound, self._arrive, headcount)
        self._acceptor.start()
        if self._tls is not None:
            self._renewing = spawn(self._tls.watch(), "certificate")

    def stop(self, for_all: bool = False) -> None:
        """Takes whoever is connected to the port already, then accepts no more; nobody does any more `for_all` who shares it."""
        if self._acceptor is not None:
            self._acceptor.stop(for_all)
        if self._renewing is not None:
            self._renewing.cancel()

    def close_idle(self, busy: set[str], grace_s: float = GRACE_S) -> bool:
        """Ends the connections of all clients but the busy ones; True when some were left that may be about to ask."""
        now, left = time.monotonic(), self.clients > len(self.handlers)
        for client, handler in list(self.handlers.items()):
            if client in busy:
                if isinstance(handler, Http2Handler):
                    handler.leave()
                continue
            since = connections.half_open_since(handler)
            if since is None and not self._live.has_asked(client):
                since = self._arrived[client]
            if since is not None and now - since < grace_s:
                left = True
            else:
                connections.cut(handler, None, "draining")
        return left

    async def emptied(self, within_s: float) -> None:
        """Waits until no client is connected, or for `within_s`."""
        try:
            async with asyncio.timeout(within_s):
                await self._empty.wait()
        except TimeoutError:
            return

    def _arrive(self, client: socket.socket) -> None:
        self.clients += 1
        self._empty.clear()
        if self._headcount is not None:
            self._headcount.arrived()
        spawn(self._welcome(client), "client")

    async def _welcome(self, client: socket.socket) -> None:
        try:
            reader, writer = await self._open_streams(client)
            await self._accept(reader, writer)
            await self._flushed(writer)
        except OSError as error:  # the client was gone before it was here
            if is_not_tls(error):
                self._request_rejected(Refused.MALFORMED)
        finally:
            self.clients -= 1
            if self._headcount is not None:
                self._headcount.left()
            if not self.clients:
                self._empty.set()

    async def _secured(self, client: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The streams of a client over TLS. Beyond our room few may take the time of a handshake, to be told so; the others are cut."""
        crowd = self.clients - self.max_clients
        if self._tls is None or crowd > WAITED_FOR:
            self._request_rejected(Refused.OVERLOAD)
            client.close()
            raise ConnectionRefusedError("no room")
        return await self._tls.open_streams(client, HANDSHAKE_S if crowd <= 0 else TURNED_AWAY_S)

    @staticmethod
    async def _flushed(writer: asyncio.StreamWriter) -> None:
        """Waits until a connection that has ended is closed: a client that does not take the rest of its answer keeps no descriptor."""
        writer.close()
        try:
            async with asyncio.timeout(LINGER_S):
                if isinstance(writer, SecuredWriter):
                    await writer.goodbye()
                await writer.wait_closed()
        except (OSError, TimeoutError):
            writer.transport.abort()

    def _has_room(self) -> bool:
        """Whether a client may have one more backend connection, besides the first that each may have."""
        return self.clients + self._more_backends // 2 < self.max_clients

    def _note_backend(self, change: int) -> None:
        self._more_backends += change

    async def _turn_away(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Says 503. What the client has sent is read first: closing over unread bytes would take the answer from it again."""
        self._request_rejected(Refused.OVERLOAD)
        self._turned_away += 1
        patience = TURNED_AWAY_S if self._turned_away <= WAITED_FOR else CROWDED_S
        try:
            writer.write(turned_away() if _speaks_http2(writer) else own_answer(503))
            if not isinstance(writer, SecuredWriter):
                writer.write_eof()
            async with asyncio.timeout(patience):
                await reader.read(65536)
        except (OSError, TimeoutError):
            pass  # it is gone, or has nothing to say
        finally:
            self._turned_away -= 1
            writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.clients + self._more_backends // 2 > self.max_clients:
            await self._turn_away(reader, writer)
            return
        handler: connections.LiveHandler
        try:
            if _speaks_http2(writer):
                both = self._has_room, self._note_backend
                handler = Http2Handler((reader, writer), self._options, self._mode, self._hooks, *both)
            else:
                handler = connections.LiveHandler((reader, writer), self._options, self._mode, self._hooks, self._live)
        except Exception:  # the client was gone before it was here
            writer.close()
            return
        self.handlers[handler.client.id] = handler
        self._arrived[handler.client.id] = time.monotonic()
        try:
            await handler.handle_client()
        finally:
            self.handlers.pop(handler.client.id, None)
            self._arrived.pop(handler.client.id, None)


def _speaks_http2(writer: asyncio.StreamWriter) -> bool:
    secured = writer.get_extra_info("ssl_object")
    return secured is not None and secured.selected_alpn_protocol() == "h2"
