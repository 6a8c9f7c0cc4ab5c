"""What runs once per machine beside the live path: the admin listener, the stored decisions, the completion of the routes."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import structlog

from proxy.admin import Admin, run_admin
from proxy.control import Control
from proxy.errors import ProxyError
from proxy.gate_probe import Judge
from proxy.grace import Grace, reachable
from proxy.routing import Backend
from settings.routes import load_route_table
from store.tasks import spawn

if TYPE_CHECKING:
    from proxy.poller import Poller

REFRESH_S = 10.0
"""How often a route document that could not be had is asked for again."""

_log = structlog.get_logger("paritygate.proxy")


class Administration:
    """Serves the admin listener on `back` from `start` until `close`. Raises ProxyError when the store's URL is none."""

    def __init__(self, control: Control, back: socket.socket, token: str | None, judge: Judge | None) -> None:
        self._control = control
        self._back = back
        self._poller = _poller(control)
        poller = self._poller
        self._app = Admin(control, lambda: poller.trouble, judge).app(token)
        primary = Backend.of(control.settings.primary.url)
        self._grace = Grace(control.book, control.book.clock, lambda: reachable(primary))
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self) -> None:
        """Answers from now on, and reads the store's decisions."""
        self._tasks += [spawn(run_admin(self._app, self._back), "admin"), spawn(self._poller.run(), "decisions")]
        self._tasks.append(spawn(self._grace.run(), "grace of cut-overs"))

    def complete_routes(self) -> None:
        """Asks again for route documents that were not to be had at the start; requests count as unrouted until then."""
        self._tasks.append(spawn(_complete_routes(self._control), "routes"))

    async def close(self) -> None:
        """Ends everything within two seconds or so."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2.0)
        await self._poller.close()


def _poller(control: Control) -> Poller:
    from proxy.poller import Poller
    from store.database import open_store  # SQLAlchemy is needed here only, and takes its time
    from store.errors import StoreError

    try:
        return Poller(open_store(control.settings.store_url), control.book)
    except StoreError as error:
        raise ProxyError(str(error)) from error


async def _complete_routes(control: Control) -> None:
    while True:
        await asyncio.sleep(REFRESH_S)
        warnings: list[str] = []
        try:
            routes = await asyncio.to_thread(load_route_table, control.settings, warnings)
        except ValueError as error:
            _log.warning(str(error))
            continue
        control.routes = routes
        if not warnings:
            return
