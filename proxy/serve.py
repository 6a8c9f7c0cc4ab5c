"""Runs the live path: listener, admin listener, hand-off, decision poller, deadlines. Ends only after a bounded drain."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import socket
import threading
from collections.abc import Callable

import structlog

from proxy.admin import admin_app, run_admin
from proxy.deadlines import Watch
from proxy.errors import ProxyError
from proxy.hooks import LiveHooks
from proxy.listener import Listener, bind, refuse_circle
from proxy.live_path import Identity, LivePath
from proxy.poller import Poller
from settings.model import Settings
from settings.routes import load_route_table
from store.errors import StoreError
from store.openings import OpeningsError
from store.tasks import spawn
from traffic.outcome import Refused
from traffic.route import RouteTable

DRAIN_S = 9.0
"""Time for the requests under way; with FLUSH_S it stays below the supervisor's patience."""
FLUSH_S = 3.0
"""Time for handing over what waits for the shadow."""
REFRESH_S = 10.0
"""How often a route document that could not be had is asked for again."""

_log = structlog.get_logger("paritygate.proxy")


async def serve(settings: Settings, key: bytes, on_ready: Callable[[], None]) -> None:
    """Serves until SIGTERM, SIGINT, `POST /drain` or cancellation, then drains: new clients are refused, requests under way get
    their answers (at most DRAIN_S), and what waits is handed over (at most FLUSH_S).

    `on_ready` is called once clients can connect. Raises ProxyError when it cannot run.
    """
    if threading.current_thread() is threading.main_thread():
        logging.getLogger("mitmproxy").setLevel(logging.WARNING)
    warnings: list[str] = []
    routes = await asyncio.to_thread(load_route_table, settings, warnings)
    for warning in warnings:
        _log.warning(warning)
    with bind(settings.proxy.listen, "proxy.listen") as front, bind(settings.proxy.admin, "proxy.admin") as back:
        urls = {"primary.url": settings.primary.url, "candidate.url": settings.candidate.url}
        await asyncio.to_thread(refuse_circle, urls, front)
        path = _live_path(settings, key, routes)
        try:
            await _run(path, front, back, on_ready, incomplete=bool(warnings))
        finally:
            path.close()


def _live_path(settings: Settings, key: bytes, routes: RouteTable) -> LivePath:
    try:
        return LivePath(settings, key, routes, Identity(boot=secrets.token_hex(8), node=socket.gethostname()))
    except OpeningsError as error:
        raise ProxyError(str(error)) from error


async def _run(
    path: LivePath, front: socket.socket, back: socket.socket, on_ready: Callable[[], None], incomplete: bool
) -> None:
    hooks = LiveHooks(path)
    listener = Listener(hooks)
    stop = asyncio.Event()
    poller = _poller(path)
    app = admin_app(
        path, lambda: listener.listening and not path.draining, stop.set, lambda: poller.trouble if poller else None
    )
    tasks = [
        spawn(path.handoff.run(), "handoff"),
        spawn(Watch(hooks, lambda: listener.handlers).run(), "deadlines"),
        spawn(_keep_openings(path), "openings-sync"),
        spawn(run_admin(app, back), "admin"),
    ]
    if poller is not None:
        tasks.append(spawn(poller.run(), "decisions"))
    if incomplete:
        tasks.append(spawn(_complete_routes(path), "routes"))
    undo = _listen_to_signals(stop)
    try:
        await listener.start(front)
        on_ready()
        await stop.wait()
    finally:
        # Also reached by cancellation: what follows still runs to its end, and it is bounded. A second one cuts the drain short.
        try:
            await _drain(path, listener)
        finally:
            undo()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=2.0)
            if poller is not None:
                await poller.close()


async def _drain(path: LivePath, listener: Listener) -> None:
    path.draining = True
    listener.stop()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DRAIN_S
    while True:
        listener.close_idle({live.client_id for live in path.open.values()})
        if not path.open or loop.time() > deadline:
            break
        await asyncio.sleep(0.02)
    for live in list(path.open.values()):
        path.refused(live, Refused.DRAINING)
    listener.close_idle(set())
    await listener.emptied(1.0)
    if path.handoff.connected and not await path.handoff.flush(FLUSH_S):
        _log.warning("not everything could be handed over before the end", waiting=path.handoff.waiting)


def _poller(path: LivePath) -> Poller | None:
    from store.database import open_store  # SQLAlchemy is not needed by `mitmdump -s`, which never comes here

    try:
        return Poller(open_store(path.settings.store_url), path.book)
    except StoreError as error:
        raise ProxyError(str(error)) from error


async def _keep_openings(path: LivePath) -> None:
    """Bounds what a power cut can take from the ledger. In a thread: a slow disk must not be felt here."""
    while True:
        await asyncio.sleep(1.0)
        try:
            await asyncio.to_thread(path.openings.sync)
        except OSError as error:
            _log.warning("the openings cannot be synced", error=error.strerror)


async def _complete_routes(path: LivePath) -> None:
    """Asks again for route documents that were not to be had at the start; requests count as unrouted until then."""
    while True:
        await asyncio.sleep(REFRESH_S)
        warnings: list[str] = []
        try:
            routes = await asyncio.to_thread(load_route_table, path.settings, warnings)
        except ValueError as error:
            _log.warning(str(error))
            continue
        path.routes = routes
        if not warnings:
            return


def _listen_to_signals(stop: asyncio.Event) -> Callable[[], None]:
    """Drains on SIGTERM and SIGINT, unless whoever runs us listens to them already (it then cancels us, to the same effect)."""
    loop = asyncio.get_running_loop()
    mine = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                loop.add_signal_handler(number, stop.set)
                mine.append(number)

    def undo() -> None:
        for number in mine:
            loop.remove_signal_handler(number)

    return undo
