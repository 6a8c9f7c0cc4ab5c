"""The addon of `mitmdump --mode reverse:URL -s proxy/addon.py`; reads $PARITYGATE_CONFIG or ./paritygate.toml.

It does what `paritygate proxy` does on the live path, without the admin listener, the store's decisions and the drain: decisions
are those of the last `decisions.json`. mitmproxy puts this folder first on sys.path, so imports are absolute and no module here
is named like a room.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from typing import Any

from mitmproxy import ctx
from mitmproxy.proxy.layer import NextLayer

from proxy import connections, internals
from proxy.deadlines import Watch
from proxy.drain import FLUSH_S
from proxy.hooks import LiveHooks
from proxy.live_path import Identity, LivePath
from settings.keyfile import read_key
from settings.load import SettingsError, load_settings
from settings.routes import load_route_table
from store.tasks import spawn

_log = logging.getLogger("paritygate")


class Paritygate(LiveHooks):
    """The live path as a mitmproxy addon."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []

    def load(self, loader: object) -> None:
        """Reads the configuration. Raises SettingsError or OpeningsError, which mitmproxy prints."""
        settings = load_settings()
        warnings: list[str] = []
        try:
            key = read_key(settings.key_path)
        except SettingsError:
            key = secrets.token_bytes(32)  # nothing can be verified with it: no decision holds, no marker is ours
            warnings.append("no signing key: all traffic stays on the primary")
        routes = load_route_table(settings, warnings)
        for warning in warnings:
            _log.warning("paritygate: %s", warning)
        identity = Identity(boot=secrets.token_hex(8), node=socket.gethostname())
        super().__init__(LivePath(settings, key, routes, identity), fixed_primary=False)
        internals.install()

    def running(self) -> None:
        """mitmproxy's options are those of a tool for looking at traffic: sets what a reverse proxy needs, starts the hand-off."""
        known = set(ctx.options.keys())  # type: ignore[no-untyped-call]
        wanted = {**connections.OPTIONS, "onboarding": False, "flow_detail": 0}
        ctx.options.update(**{name: value for name, value in wanted.items() if name in known})  # type: ignore[no-untyped-call]
        proxyserver = ctx.master.addons.get("proxyserver")  # type: ignore[no-untyped-call]
        self._tasks = [
            spawn(self.path.handoff.run(), "handoff"),
            spawn(
                Watch(self, lambda: {handler.client.id: handler for handler in proxyserver.connections.values()}).run(),
                "deadlines",
            ),
        ]

    def next_layer(self, data: NextLayer) -> None:
        """Puts our HTTP layer in place of mitmproxy's."""
        internals.replace_layer(data)

    async def done(self) -> None:
        """Hands over what waits, bounded, and gives the openings up."""
        if self.path.handoff.connected:
            await self.path.handoff.flush(FLUSH_S)
        for task in self._tasks:
            task.cancel()
        self.path.close()


addons = [Paritygate()]
