"""The network addresses of one configured backend. Nothing a request holds ever gets here."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from dataclasses import dataclass
from typing import Any

KEEP_S = 5.0
MAX_ADDRESSES = 8


@dataclass(frozen=True, slots=True)
class Address:
    """What a socket connects to."""

    family: int
    sockaddr: tuple[Any, ...]


class BackendAddresses:
    """Looks the host up at most once at a time and once in KEEP_S seconds; an address needs no look-up."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._found: list[Address] = []
        self._until = float("-inf")
        self._asking: asyncio.Future[list[Address]] | None = None
        try:
            version = ipaddress.ip_address(host).version
        except ValueError:
            return
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        self._found, self._until = [Address(family, (host, port))], float("inf")

    async def get(self) -> list[Address]:
        """The addresses, at least one. Raises OSError; the caller bounds the wait, the look-up goes on beside it."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._until:
            return self._found
        if self._asking is None or self._asking.done():
            self._asking = loop.create_future()
            # A thread of its own, one at most: a name server that hangs must occupy no pool, and must not delay the end either.
            threading.Thread(target=self._look_up, args=(loop, self._asking), name=f"look up {self._host}", daemon=True).start()
        found = await asyncio.shield(self._asking)
        self._found, self._until = found, loop.time() + KEEP_S
        return found

    def _look_up(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[list[Address]]) -> None:
        try:
            rows = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(Address(row[0], row[4]) for row in rows))[:MAX_ADDRESSES]
            error = None if found else OSError("no address")
        except (OSError, UnicodeError) as raised:
            found, error = [], OSError(f"the name cannot be looked up: {type(raised).__name__}")
        try:
            loop.call_soon_threadsafe(_settle, future, found, error)
        except RuntimeError:
            pass  # the loop has ended meanwhile


def _settle(future: asyncio.Future[list[Address]], found: list[Address], error: OSError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(found)
    else:
        future.set_exception(error)
        future.exception()  # nobody may be waiting any more
