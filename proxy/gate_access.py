"""The gate's questions may be asked with a token of their own: as a bearer, or as Basic's password where only an URL can carry it."""

from __future__ import annotations

import base64
import binascii
import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from settings.gate_token import gate_token

QUESTIONS = ("/gate/", "/argo/")
WEBHOOK = "/flagger"


class GateToken:
    """Lets who has the gate's token ask it, and sends every other request on to be judged by the admin token as it stands."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._gate = gate_token(token).encode("ascii")
        self._admin = b"Bearer " + token.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["path"].startswith(QUESTIONS) or scope["path"] == WEBHOOK):
            given = [value for name, value in scope["headers"] if name == b"authorization"]
            if len(given) == 1 and hmac.compare_digest(_secret(given[0]), self._gate):
                others = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
                scope = {**scope, "headers": [*others, (b"authorization", self._admin)]}
        await self._app(scope, receive, send)


def _secret(authorization: bytes) -> bytes:
    """The token of `Bearer TOKEN`, the password of `Basic ...`; empty for anything else."""
    scheme, _, value = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip()
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""
