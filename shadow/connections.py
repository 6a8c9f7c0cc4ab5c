"""A last-in-first-out pool of single-connection HTTP clients towards one backend.

httpx scans its whole pool for every request, which costs milliseconds with many in flight; a stack of clients with one
connection each does not. The transport is used below the client on purpose: no cookie jar that grows or leaks, no
redirect that is prepared (a strange Location would raise), no log line with a URL in it, no environment proxy.
"""

from __future__ import annotations

import ssl

import httpx

KEEPALIVE_S = 1.0  # shorter than what servers use (gunicorn 2 s, uvicorn 5 s): a copy is never sent into a closing connection
_LIMITS = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_S)


class Connections:
    """Clients of one backend. `take` never waits: the caller bounds how many are out."""

    def __init__(self, url: str, keep: int) -> None:
        self.url = httpx.URL(url)
        self._keep = keep
        self._idle: list[httpx.AsyncHTTPTransport] = []
        # One context for all: building one loads the certificate store, which takes tens of milliseconds.
        secure = self.url.scheme == "https"
        self._context = httpx.create_ssl_context(trust_env=False) if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def take(self) -> httpx.AsyncHTTPTransport:
        """The client used last, or a new one."""
        if self._idle:
            return self._idle.pop()
        return httpx.AsyncHTTPTransport(verify=self._context, trust_env=False, limits=_LIMITS, retries=0)

    async def give_back(self, client: httpx.AsyncHTTPTransport, sound: bool) -> None:
        """Returns a client; one whose last exchange did not end well is closed."""
        if sound and len(self._idle) < self._keep:
            self._idle.append(client)
        else:
            await client.aclose()

    async def close(self) -> None:
        """Closes all idle clients."""
        while self._idle:
            await self._idle.pop().aclose()
