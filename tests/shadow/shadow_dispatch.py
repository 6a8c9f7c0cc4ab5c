"""One way to one backend, one copy sent over it, and one request by httpx over the transport beneath."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx
from shadow_backends import Act, Backend, backend

from shadow.backend_transport import BackendTransport, WholeBody
from shadow.breaker import Breaker
from shadow.dispatch import Ceilings, Dispatch, Dispatched
from traffic.message import Failure, Request

Ask = Callable[..., Awaitable[httpx.Response]]
HOST = (b"Host", b"shop.example")
KEY = b"k" * 32


def way(url: str, deadline_s: float = 2.0, max_body: int = 1000, limit: int = 1000) -> Dispatch:
    clock = time.monotonic
    return Dispatch(url, KEY, deadline_s, max_body, Ceilings(4), Breaker(clock, limit), clock, lambda: "0" * 16)


def sent(act: Act, request: Request, check: Callable[[Backend, Dispatched], None] | None = None, **limits: float) -> Dispatched:
    async def scenario() -> Dispatched:
        async with backend(act) as server:
            dispatch = way(server.url, **limits)  # type: ignore[arg-type]
            try:
                made = await dispatch.send(request, request.target)
            finally:
                await dispatch.close()
            if check:
                check(server, made)
            return made

    return asyncio.run(scenario())


def failure(act: Act, **limits: float) -> str:
    made = sent(act, Request("GET", b"/", (HOST,)), **limits)
    assert isinstance(made.answer, Failure), made
    return made.answer.reason


def asking(url: str, deadline_s: float = 3.0, max_body: int = 100_000) -> tuple[BackendTransport, Ask]:
    transport = BackendTransport(httpx.URL(url), deadline_s, max_body)

    async def ask(
        target: bytes = b"/", method: str = "GET", body: bytes = b"", host: bytes = b"shop.example"
    ) -> httpx.Response:
        headers = [(b"Host", host)] + ([(b"Content-Length", b"%d" % len(body))] if body else [])
        request = httpx.Request(method, url, headers=headers, stream=WholeBody(body), extensions={"target": target})
        return await transport.handle_async_request(request)

    return transport, ask
