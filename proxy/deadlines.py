"""No wait of the live path is without an end: a watch looks at everything under way once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from proxy import connections, internals
from proxy.hooks import LiveHooks
from proxy.live_flow import LiveFlow, live_of
from proxy.live_path import status_of
from traffic.outcome import Refused, Skipped

HEAD_S = 10.0
"""A client must complete a request's head within this time."""
CONNECT_S = 10.0
"""A backend must accept a connection within this time."""
ANSWER_S = 300.0
"""A backend must begin its answer within this time; longer than any sane worker timeout, for we are not to be the limit."""
BODY_S = 60.0
"""A client that owes us the rest of a body must send some of it within this time."""
QUIET_S = 620.0
"""A connection on which nothing moves for so long is ended: an idle one, an upgraded one, an answer that stands still. Longer than
load balancers keep theirs (600 s at the most): a connection that we close just as it is used again costs its client a request."""
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
        body_s: float = BODY_S,
        quiet_s: float = QUIET_S,
    ) -> None:
        self._hooks = hooks
        self._handlers = handlers
        self._head_s, self._connect_s, self._answer_s = head_s, connect_s, answer_s
        self._body_s, self._quiet_s = body_s, quiet_s
        self._quiet: dict[Any, tuple[float, float]] = {}
        """By client: what its last activity is known by, and since when that has been the last (monotonic seconds)."""

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
                flow = connections.waiting_for(handlers.get(data.client.id), data.server)
                live = self._hooks.live_of_client(data.client.id) if flow is None else live_of(flow)
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
                self._time_out(handlers, live)
        quiet: dict[Any, tuple[float, float]] = {}
        for client, handler in list(handlers.items()):
            since_head = connections.half_open_since(handler)
            if since_head is not None and now - since_head > self._head_s:
                self._hooks.request_rejected(Refused.HEADER_LIMIT)
                connections.cut(handler, None, "head deadline")
                continue
            if (tend := getattr(handler, "tend", None)) is not None:  # an HTTP/2 client's: it may have many requests under way
                tend(now, self._body_s)
            mark = connections.last_activity(handler)
            known = self._quiet.get(client)
            if known is None or known[0] != mark:
                quiet[client] = (mark, now)
                continue
            quiet[client] = known
            for_s = now - known[1]
            if for_s > internals.REUSE_WITHIN_S:
                self._stands_still(handlers, client, handler, for_s)
        self._quiet = quiet

    def _stands_still(self, handlers: Mapping[Any, Any], client: Any, handler: Any, for_s: float) -> None:
        live = self._hooks.live_of_client(client)
        if live is None and len(handler.transports) > 1:
            connections.drop_idle_backends(handler)
        if for_s < self._body_s:
            return
        if live is not None and live.answer_begun is None and connections.owes_body(handler):
            if not connections.is_choked(handler, live.flow.server_conn):
                connections.cut(handler, None, "body deadline")
            elif for_s > self._answer_s and not live.timed_out:  # the backend does not take what the client sends
                self._time_out(handlers, live)
        elif for_s > self._quiet_s:
            connections.cut(handler, None, "nothing moves")

    def _time_out(self, handlers: Mapping[Any, Any], live: LiveFlow) -> None:
        live.timed_out = True
        internals.set_error_status(live.flow.request, status_of(Refused.UPSTREAM_TIMEOUT))
        self._cut(handlers, live.client_id, live.flow.server_conn, "answer deadline")

    @staticmethod
    def _cut(handlers: Mapping[Any, Any], client: str, server: Any, reason: str) -> None:
        handler = handlers.get(client)
        if handler is not None:
            connections.cut(handler, server, reason)
