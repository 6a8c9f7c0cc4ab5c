"""httpx's transport to one backend: the fast way of using httpx, since its own pool is scanned for every request.

A stack of keep-alive connections, the one used last on top, and no more of them than exchanges were under way at once. Raw
targets and raw header lists both ways, one deadline over all of an exchange, a body that is not read beyond the limit. No
retries, no redirects, no cookies, no proxies of the environment, and no address but the configured backend's.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator

import httpx

from shadow.answer_reader import AnswerReader
from shadow.backend_addresses import Address, BackendAddresses
from shadow.backend_connection import BackendConnection
from shadow.wire_request import wire_request

KEEPALIVE_S = 1.0
"""Shorter than what servers use (gunicorn 2 s, uvicorn 5 s): a request is not sent into a connection that is being closed."""


class WholeBody(httpx.AsyncByteStream):
    """A body that is all there."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.content


class BackendTransport(httpx.AsyncBaseTransport):
    """`deadline_s` bounds one exchange from its begin to the last byte of the answer, connecting included; `max_body` is bytes.

    The caller bounds how many exchanges are under way. Only the method, the headers, the body and the raw target (the extension
    `target`, else the URL's) of a request are used; where it goes is the configured `url`.
    """

    def __init__(self, url: httpx.URL, deadline_s: float, max_body: int) -> None:
        self._deadline, self._max_body = deadline_s, max_body
        secure = url.scheme == "https"
        self._host = url.raw_host.decode("ascii")
        self._addresses = BackendAddresses(self._host, url.port or (443 if secure else 80))
        # One for all: building one loads the certificate store, which takes tens of milliseconds. SSL_CERT_FILE is honoured.
        self._context = httpx.create_ssl_context() if secure else None
        if self._context is not None:
            self._context.set_alpn_protocols(["http/1.1"])
        self._idle: list[BackendConnection] = []
        self._reaper: asyncio.TimerHandle | None = None
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The complete answer.

        Raises httpx.LocalProtocolError for what cannot be put on the wire, ConnectError, ReadTimeout, ReadError,
        RemoteProtocolError or shadow.backend_connection.BodyOverLimit.
        """
        stream = request.stream
        body = stream.content if isinstance(stream, WholeBody) else await request.aread()
        target = request.extensions.get("target")
        data = wire_request(request.method, request.url.raw_path if target is None else target, request.headers.raw, body)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._deadline
        connection = self._take(loop.time()) or await self._connect(loop, deadline)
        reader = AnswerReader(request.method == "HEAD", self._max_body)
        await connection.exchange(data, reader, deadline)
        self._give_back(connection, loop)
        return httpx.Response(reader.status, headers=reader.headers, stream=WholeBody(reader.body))

    def _take(self, now: float) -> BackendConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and now - connection.idle_since < KEEPALIVE_S and not connection.has_been_left():
                return connection
            connection.abort()
        return None

    def _give_back(self, connection: BackendConnection, loop: asyncio.AbstractEventLoop) -> None:
        if not connection.is_open:
            return
        if self._closed:
            connection.abort()
            return
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._reaper is None:
            self._reaper = loop.call_later(KEEPALIVE_S, self._reap, loop)

    def _reap(self, loop: asyncio.AbstractEventLoop) -> None:
        """Closes what was idle for too long; the oldest are at the bottom."""
        now = loop.time()
        idle, self._idle = self._idle, []
        for connection in idle:
            if connection.is_open and now - connection.idle_since < KEEPALIVE_S:
                self._idle.append(connection)
            else:
                connection.abort()
        self._reaper = loop.call_later(KEEPALIVE_S, self._reap, loop) if self._idle else None

    async def _connect(self, loop: asyncio.AbstractEventLoop, deadline: float) -> BackendConnection:
        try:
            async with asyncio.timeout_at(deadline):
                addresses = await self._addresses.get()
                for left in range(len(addresses), 1, -1):
                    try:
                        async with asyncio.timeout((deadline - loop.time()) / left):
                            return await self._connect_to(addresses[-left], loop)
                    except (OSError, TimeoutError):
                        continue
                return await self._connect_to(addresses[-1], loop)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("not connected within the deadline") from error
        except ssl.SSLError as error:
            raise httpx.ConnectError(f"TLS: {error.reason or type(error).__name__}") from error
        except OSError as error:
            raise httpx.ConnectError(errno.errorcode.get(error.errno or 0, type(error).__name__)) from error

    async def _connect_to(self, address: Address, loop: asyncio.AbstractEventLoop) -> BackendConnection:
        sock = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            await loop.sock_connect(sock, address.sockaddr)
        except BaseException:
            sock.close()
            raise
        name = self._host if self._context is not None else None
        _, connection = await loop.create_connection(
            lambda: BackendConnection(loop, sock), sock=sock, ssl=self._context, server_hostname=name
        )
        return connection

    async def aclose(self) -> None:
        """Closes the idle connections; what is under way goes on, and its connection is closed then."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
        while self._idle:
            self._idle.pop().abort()
