"""Who may use the admin listener: no web page ever, and with a token only those who have it."""

from __future__ import annotations

import hmac
import ipaddress

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN = frozenset({"/healthz", "/readyz"})
"""Load balancers ask for these, and they tell nothing."""


class NoBrowsers:
    """Refuses what a web page could make a browser send: anything with an Origin, and host names (DNS rebinding).

    Where a token is asked for, a page has none, and the listener may have a name.
    """

    def __init__(self, app: ASGIApp, host: str, named: bool) -> None:
        self._app = app
        self._host = host
        self._named = named

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            name = headers.get(b"host", b"").decode("latin-1").rpartition(":")[0] or headers.get(b"host", b"").decode("latin-1")
            known = self._named or name in ("localhost", self._host) or _is_ip(name.strip("[]"))
            if b"origin" in headers or not known:
                await JSONResponse({"error": "not for web pages"}, 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BearerToken:
    """Asks for `Authorization: Bearer TOKEN` everywhere but at OPEN."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN:
            given = [value for name, value in scope["headers"] if name == b"authorization"]
            scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
            if not (hmac.compare_digest(token.strip(), self._token) and scheme.lower() == b"bearer"):
                refusal = JSONResponse({"error": "the admin token is missing or wrong"}, 401, {"WWW-Authenticate": "Bearer"})
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
