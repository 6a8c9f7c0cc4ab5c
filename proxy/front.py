"""The front socket: bound once, before anything else, and given to whoever accepts on it. Knows nothing of mitmproxy."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping

from proxy.errors import AddressTaken, ProxyError
from proxy.routing import Backend

BACKLOG = 4096


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
            raise AddressTaken(
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
