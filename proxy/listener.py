"""The lean listener: mitmproxy's connection handling behind our own socket, without its master and its twenty other addons."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from collections.abc import Callable, Mapping, Sequence

from mitmproxy.proxy.mode_specs import ReverseMode

from proxy import connections, internals
from proxy.answers import own_answer
from proxy.errors import ProxyError
from proxy.hooks import LiveHooks
from proxy.routing import Backend
from traffic.outcome import Refused

HOOKS = (
    "requestheaders",
    "request",
    "responseheaders",
    "response",
    "error",
    "request_rejected",
    "client_disconnected",
    "server_connect",
    "server_connected",
    "server_connect_error",
    "tcp_message",
)
BACKLOG = 4096
MOST_FILES = 65_536
OWN_FILES = 64


def bind(address: str, section: str) -> socket.socket:
    """A listening socket on `host:port`. Raises ProxyError naming the address, its setting and the remedy."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ProxyError(f"{address}: is no address of this machine ({error.strerror}); correct {section}") from error
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise ProxyError(
                f"{address}: another process listens there already; stop it, or set {section} to a free port"
            ) from error
        raise ProxyError(f"{address}: cannot listen there ({error.strerror}); correct {section}") from error
    made.setblocking(False)
    return made


def refuse_circle(urls: Mapping[str, str], bound: socket.socket) -> None:
    """Raises ProxyError when a backend's URL (by its setting's name) leads back to `bound`, under whatever name."""
    own, port = bound.getsockname()[:2]
    for setting, url in urls.items():
        backend = Backend.of(url)
        if backend.port != port:
            continue
        try:
            found = {str(entry[4][0]) for entry in socket.getaddrinfo(backend.host, port, type=socket.SOCK_STREAM)}
        except OSError:
            continue  # unknown now; the first request will say so
        if own in found or (own in ("0.0.0.0", "::") and any(_is_local(address) for address in found)):
            raise ProxyError(f"{setting} = {url} is the proxy's own address: requests would run in a circle; correct it")


def _is_local(address: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def room_for_clients() -> int:
    """How many clients can be connected at once: each takes two file descriptors, and some are kept for ourselves.

    Raises the soft limit of this process as far as it may. Beyond it, clients are told 503 at once: without descriptors, accepting
    would spin and those that are connected could not be served either.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):
            pass  # the limit that there is then bounds the clients
    return max(8, (min(soft, MOST_FILES) - OWN_FILES) // 2)


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
        self._server: asyncio.Server | None = None
        self._request_rejected = hooks.request_rejected
        self.max_clients = room_for_clients()
        self._empty = asyncio.Event()
        self._empty.set()
        self.handlers: dict[str, connections.LiveHandler] = {}

    @property
    def listening(self) -> bool:
        """Whether new clients are accepted."""
        return self._server is not None

    async def start(self, bound: socket.socket) -> None:
        """Accepts clients on `bound` from now on."""
        self._server = await asyncio.start_server(self._accept, sock=bound, backlog=BACKLOG)

    def stop(self) -> None:
        """Accepts no new clients; those that are connected stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def close_idle(self, busy: set[str]) -> None:
        """Ends the connections of all clients but the busy ones."""
        for client, handler in list(self.handlers.items()):
            if client not in busy:
                connections.cut(handler, None, "draining")

    async def emptied(self, within_s: float) -> None:
        """Waits until no client is connected, or for `within_s`."""
        try:
            async with asyncio.timeout(within_s):
                await self._empty.wait()
        except TimeoutError:
            return

    async def _turn_away(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Says 503. What the client has sent is read first: closing over unread bytes would take the answer from it again."""
        self._request_rejected(Refused.OVERLOAD)
        try:
            writer.write(own_answer(503))
            writer.write_eof()
            async with asyncio.timeout(1.0):
                await reader.read(65536)
        except (OSError, TimeoutError):
            pass  # it is gone, or has nothing to say
        finally:
            writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self.handlers) >= self.max_clients:
            await self._turn_away(reader, writer)
            return
        try:
            handler = connections.LiveHandler((reader, writer), self._options, self._mode, self._hooks)
        except Exception:  # the client was gone before it was here
            writer.close()
            return
        self.handlers[handler.client.id] = handler
        self._empty.clear()
        try:
            await handler.handle_client()
        finally:
            self.handlers.pop(handler.client.id, None)
            if not self.handlers:
                self._empty.set()
