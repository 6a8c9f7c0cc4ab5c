"""The live path in the tests' own process, where they can look into it: listener, hand-off, decisions and admin listener without
the parent that `paritygate proxy` has (proxy/parent.py)."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable

import structlog

from gate.facts import Decision
from proxy.administration import Administration
from proxy.client_tls import load_client_tls
from proxy.control import Snapshot
from proxy.errors import ProxyError
from proxy.front import bind, refuse_circle
from proxy.gate_probe import Judge
from proxy.live_path import Identity, LivePath
from proxy.service import Service
from settings.admin_token import read_admin_token
from settings.model import Settings
from settings.routes import load_route_table
from store.opening_counts import OpeningCounts
from store.openings import OpeningsError, read_openings
from traffic.route import RouteTable

_log = structlog.get_logger("paritygate.proxy")


async def serve(settings: Settings, key: bytes, on_ready: Callable[[], None], judge: Judge | None = None) -> None:
    """Serves until `POST /drain` or cancellation, then drains: new clients are refused, requests under way get
    their answers (at most DRAIN_S), and what waits is handed over (at most FLUSH_S).

    `on_ready` is called once clients can connect. Raises ProxyError when it cannot run.
    """
    if threading.current_thread() is threading.main_thread():
        logging.getLogger("mitmproxy").setLevel(logging.WARNING)
    warnings: list[str] = []
    token = read_admin_token(settings, warnings)
    load_client_tls(settings, warnings)  # a certificate that cannot be used is said before anything listens
    for warning in warnings:
        _log.warning(warning)
    missing: list[str] = []
    routes = await asyncio.to_thread(load_route_table, settings, missing)
    for warning in missing:
        _log.warning(warning)
    with bind(settings.proxy.listen, "proxy.listen") as front, bind(settings.proxy.admin, "proxy.admin") as back:
        urls = {"primary.url": settings.primary.url, "candidate.url": settings.candidate.url}
        await asyncio.to_thread(refuse_circle, urls, front)
        control = OneProcess(settings, key, routes)
        try:
            await _run(control, Administration(control, back, token, judge), front, on_ready, incomplete=bool(missing))
        finally:
            await control.service.close()


class OneProcess:
    """The control over a live path in this very process."""

    def __init__(self, settings: Settings, key: bytes, routes: RouteTable) -> None:
        try:
            self._path = LivePath(settings, key, routes, Identity(boot=secrets.token_hex(8), node=socket.gethostname()))
        except OpeningsError as error:
            raise ProxyError(str(error)) from error
        self.settings, self.key, self.book = settings, key, self._path.book
        self.service = Service(self._path)
        self.stop = asyncio.Event()

    @property
    def routes(self) -> RouteTable:
        """The routes in force."""
        return self._path.routes

    @routes.setter
    def routes(self, routes: RouteTable) -> None:
        self._path.routes = routes

    @property
    def ready(self) -> bool:
        """Whether clients are served."""
        return self.service.listening and not self._path.draining

    def snapshot(self) -> Snapshot:
        """The gauges as of now."""
        path, standing = self._path, self.service.standing()
        return Snapshot(
            boot=path.identity.boot,
            node=path.identity.node,
            as_of=path.identity.clock(),
            paused=path.paused,
            draining=path.draining,
            alarms=len(path.book.alarms),
            workers_wanted=1,
            workers_ready=int(self.service.listening),
            restarts=0,
            accept_failures=standing.accept_failures,
            standings=(standing,),
            pids=(os.getpid(),),
            most_routes=path.settings.routes.max,
        )

    def openings(self) -> list[OpeningCounts]:
        """The counters, read from the file as another process would: whoever calls this is in another thread."""
        return [read_openings(self._path.openings.path)[0]]

    async def pause(self, paused: bool) -> int:
        """Nothing is mirrored any more, or is again."""
        self._path.paused = paused
        return 0

    async def decide(self, decision: Decision) -> int | None:
        """Enforces a decision, at once."""
        return 0 if self.book.offer(decision) or self.book.holds(decision) else None

    def drain(self) -> None:
        """Ends `serve`."""
        self.stop.set()


async def _run(
    control: OneProcess, administration: Administration, front: socket.socket, on_ready: Callable[[], None], incomplete: bool
) -> None:
    try:
        administration.start()
        if incomplete:
            administration.complete_routes()
        control.service.start(front)
        on_ready()
        await control.stop.wait()
    finally:
        # Also reached by cancellation: what follows still runs to its end, and it is bounded. A second one cuts the drain short.
        try:
            await control.service.drain()
        finally:
            await administration.close()
