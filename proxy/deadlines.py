"""No wait of the live path is without an end: a watch looks at everything under way once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from proxy import connections, internals
from proxy.hooks import LiveHooks
from proxy.live_path import status_of
from traffic.outcome import Refused, Skipped

HEAD_S = 10.0
"""A client must complete a request's head within this time."""
CONNECT_S = 10.0
"""A backend must accept a connection within this time."""
ANSWER_S = 300.0
"""A backend must begin its answer within this time; longer than any sane worker timeout, for we are not to be the limit."""
ENDLESS_S = 30.0
"""An answer of unknown length that runs for longer is a stream and not kept for a comparison."""

_log = structlog.get_logger("paritygate.proxy")


class Watch:
    """Ends what takes too long. `handlers` gives the connection handlers by client id."""

    def __init__(
        self,
        hooks: LiveHooks,
        handlers: Callable[[], Mapping[Any, Any]],
        head_s: float = HEAD_S,
        connect_s: float = CONNECT_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._hooks = hooks
        self._handlers = handlers
        self._head_s, self._connect_s, self._answer_s = head_s, connect_s, answer_s

    async def run(self, every_s: float = 1.0) -> None:
        """Looks every `every_s` seconds, for ever."""
        while True:
            await asyncio.sleep(every_s)
            try:
                self.look(self._hooks.path.identity.monotonic())
            except Exception:
                _log.exception("the watch over deadlines failed")

    def look(self, now: float) -> None:
        """Ends everything that is over its deadline at `now`."""
        handlers = self._handlers()
        for identifier, (since, data) in list(self._hooks.connecting.items()):
            if now - since > self._connect_s:
                self._hooks.connecting.pop(identifier, None)
                live = self._hooks.live_of_client(data.client.id)
                if live is not None:
                    live.timed_out = True
                self._cut(handlers, data.client.id, data.server, "connect deadline")
        for live in list(self._hooks.path.open.values()):
            begun = live.answer_begun
            if begun is not None:
                if live.endless and live.skip is None and now - begun > ENDLESS_S and live.answer_tee is not None:
                    live.skip = Skipped.STREAMING
                    live.answer_tee.drop()
            elif live.request_ended is not None and now - live.request_ended > self._answer_s and not live.timed_out:
                live.timed_out = True
                internals.set_error_status(live.flow.request, status_of(Refused.UPSTREAM_TIMEOUT))
                self._cut(handlers, live.client_id, live.flow.server_conn, "answer deadline")
        for handler in list(handlers.values()):
            since_head = connections.half_open_since(handler)
            if since_head is not None and now - since_head > self._head_s:
                self._hooks.request_rejected(Refused.HEADER_LIMIT)
                connections.cut(handler, None, "head deadline")

    @staticmethod
    def _cut(handlers: Mapping[Any, Any], client: str, server: Any, reason: str) -> None:
        handler = handlers.get(client)
        if handler is not None:
            connections.cut(handler, server, reason)
