"""The admin listener: health, metrics, decisions, and the switches. On loopback by default; it trusts no web page."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gate import decision as signed
from proxy.figures import metrics_text, status_document
from proxy.live_path import LivePath
from store.openings import OpeningsError

MAX_DECISION = 16 * 1024


class NoBrowsers:
    """Refuses what a web page could make a browser send: anything with an Origin, and host names (DNS rebinding)."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            name = headers.get(b"host", b"").decode("latin-1").rpartition(":")[0] or headers.get(b"host", b"").decode("latin-1")
            if b"origin" in headers or not (name in ("localhost", self._host) or _is_ip(name.strip("[]"))):
                await JSONResponse({"error": "not for web pages"}, 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def admin_app(
    path: LivePath, ready: Callable[[], bool], drain: Callable[[], None], trouble: Callable[[], str | None]
) -> Starlette:
    """The application. `drain` asks the proxy to end; `trouble` says why the store cannot be read, if so."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(_: Request) -> Response:
        # A store or a shadow that is down must not take the site down: shown, but ready all the same.
        about = {"ready": ready(), "draining": path.draining, "shadow": path.handoff.connected, "store": trouble() or "ok"}
        return JSONResponse(about, 200 if about["ready"] else 503)

    reading = asyncio.Lock()  # one thread at most: the pool's others are for looking up the backends' names

    async def metrics(_: Request) -> Response:
        try:
            async with reading:
                text = await asyncio.to_thread(metrics_text, path)
        except OpeningsError as error:
            return PlainTextResponse(f"{error}\n", 503)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def status(_: Request) -> Response:
        try:
            async with reading:
                document = await asyncio.to_thread(status_document, path)
        except OpeningsError as error:
            return JSONResponse({"error": str(error)}, 503)
        return JSONResponse(document)

    async def decisions(_: Request) -> Response:
        listed = [json.loads(signed.encode(decision)) for decision in path.book.decisions]
        return JSONResponse({"decisions": listed, "alarms": path.book.alarms, "unsigned": path.book.unsigned})

    async def decide(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_DECISION:
                return JSONResponse({"error": f"a decision has at most {MAX_DECISION} bytes"}, 413)
        try:
            offered = signed.decode(body.decode("utf-8"))
        except ValueError as error:
            return JSONResponse({"error": f"not a decision: {error}"[:300]}, 400)
        if not signed.verify(offered, path.key):
            return JSONResponse({"error": "the signature does not hold: is this the same key_file?"}, 403)
        if path.book.offer(offered) or path.book.holds(offered):
            return JSONResponse({"applied": True, "route": offered.route, "seq": offered.seq})
        return JSONResponse({"error": "a newer decision is in force", "route": offered.route}, 409)

    async def pause(_: Request) -> Response:
        path.paused = True
        return JSONResponse({"paused": True})

    async def resume(_: Request) -> Response:
        path.paused = False
        return JSONResponse({"paused": False})

    async def end(_: Request) -> Response:
        drain()
        return JSONResponse({"draining": True}, 202)

    host = path.settings.proxy.admin.rpartition(":")[0]
    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/status", status),
            Route("/decisions", decisions, methods=["GET"]),
            Route("/decisions", decide, methods=["POST"]),
            Route("/pause", pause, methods=["POST"]),
            Route("/resume", resume, methods=["POST"]),
            Route("/drain", end, methods=["POST"]),
        ],
        middleware=[Middleware(NoBrowsers, host=host)],
    )


class AdminServer(uvicorn.Server):
    """uvicorn inside our own event loop: it leaves the signal handlers to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run_admin(app: Starlette, bound: socket.socket) -> None:
    """Serves `app` on `bound` until cancelled."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        limit_concurrency=64,
    )
    server = AdminServer(config)
    try:
        await server.serve(sockets=[bound])
    except asyncio.CancelledError:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await server.shutdown(sockets=[bound])
        raise


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
