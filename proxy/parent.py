"""`paritygate proxy`: one parent per machine. It owns the port, the admin listener, the decisions and the workers; no request passes it."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable

import structlog

from proxy.administration import Administration
from proxy.client_tls import load_client_tls
from proxy.crew import Crew
from proxy.decision_book import kept_book
from proxy.front import bind, refuse_circle
from proxy.gate_probe import Judge
from proxy.port import Port, take_port
from settings.admin_token import read_admin_token
from settings.model import Settings
from settings.routes import load_route_table
from store.tasks import spawn

ALL_READY_S = 10.0
"""So long after the first one all workers should serve; without them the proxy is ready all the same."""

_log = structlog.get_logger("paritygate.proxy")


async def run(settings: Settings, key: bytes, on_ready: Callable[[], None], judge: Judge | None = None) -> None:
    """Serves with `proxy.workers` workers until SIGTERM, SIGINT, `POST /drain` or cancellation, then drains within proxy.drain.WORKER_S.

    A SIGINT during it cuts it short. `on_ready` is called once clients are served. Raises ProxyError when it cannot run.
    """
    warnings: list[str] = []
    token = read_admin_token(settings, warnings)
    load_client_tls(settings, warnings)  # a certificate that cannot be used is said here, once
    for warning in warnings:
        _log.warning(warning)
    port = await take_port(settings)  # first: from now on clients wait instead of being refused
    try:
        with bind(settings.proxy.admin, "proxy.admin") as back:
            crew = Crew(settings, key, port, kept_book(settings, key, time.time))
            administration = Administration(crew, back, token, judge)
            await _serve(crew, administration, port, on_ready)
    finally:
        port.close()


async def _serve(crew: Crew, administration: Administration, port: Port, on_ready: Callable[[], None]) -> None:
    cut_short = asyncio.Event()
    undo = _listen_to_signals(crew.stop, cut_short)
    beginning = None
    try:
        crew.start()
        administration.start()
        beginning = spawn(_begin(crew, administration, port, on_ready), "beginning")
        stopping = spawn(crew.stop.wait(), "stopping")
        await asyncio.wait([beginning, stopping, crew.failed], return_when=asyncio.FIRST_COMPLETED)
        if beginning.done():
            beginning.result()
            await asyncio.wait([stopping, crew.failed], return_when=asyncio.FIRST_COMPLETED)
        if crew.failed.done():
            crew.failed.result()
    finally:
        # Also reached by cancellation: what follows still runs to its end, and it is bounded.
        if beginning is not None and not beginning.cancel() and not beginning.cancelled():
            beginning.exception()  # seen, also where something else has ended us
        try:
            await crew.end(cut_short)
        finally:
            undo()
            await administration.close()


async def _begin(crew: Crew, administration: Administration, port: Port, on_ready: Callable[[], None]) -> None:
    """While the workers start: what can be known only now, and may take its time."""
    settings = crew.settings
    urls = {"primary.url": settings.primary.url, "candidate.url": settings.candidate.url}
    await asyncio.to_thread(refuse_circle, urls, port.front)
    missing: list[str] = []
    routes = await asyncio.to_thread(load_route_table, settings, missing)
    for warning in missing:
        _log.warning(warning)
    crew.routes = routes
    if missing:
        administration.complete_routes()
    await crew.any_ready.wait()
    try:
        async with asyncio.timeout(ALL_READY_S):
            await crew.all_ready.wait()
    except TimeoutError:
        _log.warning("not all workers serve yet", ready=crew.snapshot().workers_ready)
    on_ready()


def _listen_to_signals(stop: asyncio.Event, cut_short: asyncio.Event) -> Callable[[], None]:
    """SIGTERM asks for the end, however often it comes: shells and containers send it twice. A second SIGINT is a person's impatience."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if stop.is_set():
            cut_short.set()
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, interrupted)

    def undo() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    return undo
