"""The admin listener: health, metrics, decisions, the gate, and the switches. On loopback by default; it trusts no web page."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gate import decision as signed
from proxy.admin_access import BearerToken, NoBrowsers
from proxy.control import Control, Snapshot
from proxy.figures import metrics_text, status_document
from proxy.flagger import MAX_CALL, CallError, routes_in, said
from proxy.gate_access import GateToken
from proxy.gate_probe import GATE_S, GateProbe, Judge
from store.openings import OpeningsError

MAX_DECISION = 16 * 1024

_log = structlog.get_logger("paritygate.proxy")


class Admin:
    """The endpoints over a control. `trouble` says why the store cannot be read, if so; `judge` answers for the gate."""

    def __init__(self, control: Control, trouble: Callable[[], str | None], judge: Judge | None) -> None:
        self._control = control
        self._trouble = trouble
        self._gate = GateProbe(judge) if judge is not None else None
        self._terse = control.settings.proxy.admin_token_file is not None
        self._reading = asyncio.Lock()  # one thread at most: the pool's others are for looking up the backends' names

    def app(self, token: str | None) -> Starlette:
        """The application; with a token, all but health and readiness ask for it."""
        host = self._control.settings.proxy.admin.rpartition(":")[0]
        guards = [Middleware(NoBrowsers, host=host, named=token is not None)]
        if token is not None:
            guards += [Middleware(GateToken, token=token), Middleware(BearerToken, token=token)]
        return Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", self._metrics),
                Route("/status", self._status),
                Route("/gate/{route:path}", self._judged),
                Route("/argo/{route:path}", self._measured),
                Route("/flagger", self._confirmed, methods=["POST"]),
                Route("/decisions", self._decisions, methods=["GET"]),
                Route("/decisions", self._decide, methods=["POST"]),
                Route("/pause", self._pause, methods=["POST"]),
                Route("/resume", self._resume, methods=["POST"]),
                Route("/drain", self._drain, methods=["POST"]),
            ],
            middleware=guards,
        )

    async def _healthz(self, _: Request) -> Response:
        return JSONResponse({"alive": True})

    async def _readyz(self, _: Request) -> Response:
        # A store or a shadow that is down must not take the site down: shown, but ready all the same.
        ready, snapshot, trouble = self._control.ready, self._control.snapshot(), self._trouble()
        about = {
            "ready": ready,
            "draining": snapshot.draining,
            "shadow": bool(snapshot.standings) and all(one.handoff_connected for one in snapshot.standings),
            "store": "ok" if trouble is None else "unreadable" if self._terse else trouble,
            "workers": {"ready": snapshot.workers_ready, "configured": snapshot.workers_wanted},
        }
        return JSONResponse(about, 200 if ready else 503)

    async def _metrics(self, _: Request) -> Response:
        def text(snapshot: Snapshot) -> bytes:
            return metrics_text(snapshot, self._control.openings())

        try:
            async with self._reading:
                found = await asyncio.to_thread(text, self._control.snapshot())
        except OpeningsError as error:
            return PlainTextResponse(f"{error}\n", 503)
        return PlainTextResponse(found, media_type="text/plain; version=0.0.4")

    async def _status(self, _: Request) -> Response:
        def document(snapshot: Snapshot) -> dict[str, object]:
            return status_document(snapshot, self._control.openings())

        try:
            async with self._reading:
                found = await asyncio.to_thread(document, self._control.snapshot())
        except OpeningsError as error:
            return JSONResponse({"error": str(error)}, 503)
        return JSONResponse(found)

    async def _judged(self, request: Request) -> Response:
        return self._verdict(*await self._ask(str(request.path_params["route"])))

    async def _measured(self, request: Request) -> Response:
        """For Argo Rollouts, which reads the body of a 2xx only: a verdict is one, whatever it says; what is no verdict is none."""
        status, document = await self._ask(str(request.path_params["route"]))
        return self._verdict(200 if "verdict" in document else status, document)

    async def _confirmed(self, request: Request) -> Response:
        """Flagger's webhook: 200 lets it go on, anything else halts it, and the text shows up in its events."""
        body = await _body(request, MAX_CALL)
        if body is None:
            return PlainTextResponse(f"a call has at most {MAX_CALL} bytes\n", 413)
        try:
            routes = routes_in(body)
        except CallError as error:
            return PlainTextResponse(f"{error}\n", 400)
        answers = []
        ends = asyncio.get_running_loop().time() + GATE_S
        for route in routes:
            late = asyncio.get_running_loop().time() > ends
            answer = (503, {"error": "no time was left for it: use more webhooks"}) if late else await self._ask(route)
            answers.append((route, *answer))
        return PlainTextResponse(*said(answers))

    async def _ask(self, route: str) -> tuple[int, dict[str, Any]]:
        if self._gate is None:
            return 404, {"error": "this proxy was started without a gate"}
        return await self._gate.ask(route, {known.label for known in self._control.routes.routes.values()})

    def _verdict(self, status: int, document: dict[str, Any]) -> Response:
        text = orjson.dumps(
            document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS, default=str
        )  # as the command prints it
        return Response(text + b"\n", status, media_type="application/json")

    async def _decisions(self, _: Request) -> Response:
        book = self._control.book
        listed = [json.loads(signed.encode(decision)) for decision in book.decisions]
        return JSONResponse({"decisions": listed, "alarms": book.alarms, "unsigned": book.unsigned})

    async def _decide(self, request: Request) -> Response:
        body = await _body(request, MAX_DECISION)
        if body is None:
            return JSONResponse({"error": f"a decision has at most {MAX_DECISION} bytes"}, 413)
        try:
            offered = signed.decode(body.decode("utf-8"))
        except ValueError as error:
            return JSONResponse({"error": f"not a decision: {error}"[:300]}, 400)
        if not signed.verify(offered, self._control.key):
            return JSONResponse({"error": "the signature does not hold: is this the same key_file?"}, 403)
        unconfirmed = await self._control.decide(offered)
        if unconfirmed is None:
            return JSONResponse({"error": "a newer decision is in force", "route": offered.route}, 409)
        return JSONResponse({"applied": True, "route": offered.route, "seq": offered.seq, **_unconfirmed(unconfirmed)})

    async def _pause(self, _: Request) -> Response:
        return await self._switch(True)

    async def _resume(self, _: Request) -> Response:
        return await self._switch(False)

    async def _switch(self, paused: bool) -> Response:
        unconfirmed = await self._control.pause(paused)
        _log.warning("mirroring is paused" if paused else "mirroring goes on", **_unconfirmed(unconfirmed))
        return JSONResponse({"paused": paused, **_unconfirmed(unconfirmed)})

    async def _drain(self, _: Request) -> Response:
        self._control.drain()
        return JSONResponse({"draining": True}, 202)


async def _body(request: Request, most: int) -> bytes | None:
    """The request's body; None where it has more than `most` bytes."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


def _unconfirmed(workers: int) -> dict[str, int]:
    return {"unconfirmed_workers": workers} if workers else {}


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
