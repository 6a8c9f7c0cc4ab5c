"""mitmproxy's hooks, in the order of a request's life. Each is plain, quick and never waits."""

from __future__ import annotations

from collections.abc import Callable

from mitmproxy.connection import Client
from mitmproxy.http import HTTPFlow
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tcp import TCPFlow

from proxy import eligibility, hygiene, internals
from proxy.live_flow import KEY, LiveFlow, live_of
from proxy.live_path import LivePath, status_of
from proxy.loop_guard import HEADER, is_copy
from proxy.passing_stream import arrived, hold_expectation
from proxy.routing import backend_of, direct
from proxy.tee import Tee
from traffic.client import client_key
from traffic.message import Request, Side, first_header
from traffic.outcome import Refused, Skipped

_FAILURES: dict[str, tuple[Refused, Skipped]] = {
    internals.CLIENT_GONE: (Refused.CLIENT_GONE, Skipped.CLIENT_GONE),
    internals.MALFORMED: (Refused.MALFORMED, Skipped.INCOMPLETE),
    internals.UNREACHABLE: (Refused.UPSTREAM_UNREACHABLE, Skipped.LIVE_ERROR),
    internals.CUT: (Refused.UPSTREAM_UNREACHABLE, Skipped.INCOMPLETE),  # the answer had begun: the client has part of it
}
_JUDGED = (b"HTTP/1.1", b"HTTP/1.0")


class LiveHooks:
    """The addon. `fixed_primary` is False in `mitmdump`, where the primary is the one its mode names."""

    def __init__(self, path: LivePath, fixed_primary: bool = True) -> None:
        self.path = path
        self._fixed_primary = fixed_primary
        self._of_client: dict[str, LiveFlow] = {}
        self.connecting: dict[str, tuple[float, ServerConnectionHookData]] = {}

    def requestheaders(self, flow: HTTPFlow) -> None:
        """Decides everything about this request: its route, its live side, whether it may be copied, how its body passes."""
        path, data = self.path, flow.request.data
        if not self._fixed_primary:
            path.primary = backend_of(flow)
        data.authority = b""  # absolute-form targets: the backend's address never comes from a request
        method = data.method.decode("latin-1")
        match = path.routes.match(method, data.path.partition(b"?")[0])
        fields = data.headers.fields
        names = [name.lower() for name, _ in fields]  # looked into instead of the headers: most requests need no mending at all
        looped = HEADER in names and is_copy(fields[names.index(HEADER)][1], path.key)
        moment = eligibility.Moment(looped, path.draining, path.paused, path.book.is_off(match), path.handoff.full)
        peer = str(flow.client_conn.peername[0]) if flow.client_conn.peername else ""
        if b"paritygate" in b"\n".join(names):
            fields = hygiene.without_control_headers(fields)
        if b"upgrade" in names:
            fields = hygiene.mended_request(fields)
        headers, address = path.forwarding.stamp(fields, peer, b"https" if flow.client_conn.tls else b"http")
        data.headers.fields = headers
        copied = tuple(pair for pair in headers if pair[0].lower() != b"expect") if b"expect" in names else headers
        live = LiveFlow(
            flow=flow,
            label=path.openings.label(match.label),
            match=match,
            client=client_key(Request(method, data.path, headers), address, path.key),
            method=method,
            target=data.path,
            headers=copied,
            started=path.identity.clock(),
            begun=path.identity.monotonic(),
            client_id=flow.client_conn.id,
        )
        flow.metadata[KEY] = live
        self._of_client[live.client_id] = live
        path.begin(live)
        if flow.error is not None:  # mitmproxy refuses it; its `error` hook follows
            return
        # An HTTP/1 head was judged as bytes before it was parsed (proxy.raw_head).
        if data.http_version not in _JUDGED and hygiene.fault_of(data.method, data.path, data.http_version, fields) is not None:
            self._refuse(live, Refused.MALFORMED)
            return
        known = live.client if live.client.startswith("u") else None  # an address may be many people: no canary for it
        direct(live, path.book.side(match, known), path.primary, path.candidate)
        if live.live_side is Side.CANDIDATE:
            live.decided_by = path.book.seq(match)
            flow.metadata[internals.AGAIN] = self._fall_back(live)
        live.skip = eligibility.before(match, method, path.settings.mirror, moment, path.identity.random.random)
        self._let_body_pass(live)

    def request(self, flow: HTTPFlow) -> None:
        """The request is complete."""
        live = live_of(flow)
        if live is not None:
            held = flow.request.raw_content if live.request_tee is None and live.skip is None else None
            if held:
                live.request_tee = Tee(self.path.settings.mirror.max_body, True, self.path.copies)
                live.request_tee(held)
            self.path.request_ended(live)

    def responseheaders(self, flow: HTTPFlow) -> None:
        """The live answer begins: from here on its body passes as it comes."""
        live, response = live_of(flow), flow.response
        if live is None or response is None:
            return
        limit = self.path.settings.mirror.max_body
        live.answer_begun = self.path.identity.monotonic()
        live.answer_headers = response.data.headers.fields
        length = eligibility.declared_length(live.answer_headers)
        live.skip = live.skip or eligibility.at_answer(response.status_code, live.answer_headers, length, limit)
        live.endless = length is None
        live.answer_tee = Tee(limit, live.skip is None, self.path.copies)
        response.stream = live.answer_tee
        response.data.headers.fields = hygiene.mended_answer(
            live.answer_headers, self.path.draining and response.status_code != 101
        )

    def response(self, flow: HTTPFlow) -> None:
        """The live answer is complete."""
        live = live_of(flow)
        if live is not None and flow.response is not None:
            self.path.answered(live, flow.response.status_code)

    def error(self, flow: HTTPFlow) -> None:
        """There is no complete live answer."""
        live = live_of(flow)
        if live is None:
            return
        reason, copy = _FAILURES.get(flow.metadata.get(internals.FAILURE, ""), _FAILURES[internals.UNREACHABLE])
        if live.refusal is not None:
            reason, copy = live.refusal, None  # type: ignore[assignment]
        elif live.timed_out and reason is Refused.UPSTREAM_UNREACHABLE:
            reason = Refused.UPSTREAM_TIMEOUT
        if reason is not Refused.CLIENT_GONE:
            internals.set_error_status(flow.request, status_of(reason))
        self.path.refused(live, reason, copy)

    def request_rejected(self, reason: str) -> None:
        """Bytes that never became a request."""
        self.path.rejected(Refused(reason))

    def client_half_closed(self, flow: HTTPFlow) -> None:
        """The client will send no more; it may still read, or be gone."""
        live = live_of(flow)
        if live is not None and live.left is None:
            live.left = self.path.identity.monotonic()

    def client_disconnected(self, client: Client) -> None:
        """Whatever this client still waited for is settled, also when mitmproxy has given it up without a word."""
        last = self._of_client.pop(client.id, None)
        waiting = [last] if client.alpn != b"h2" else [live for live in self.path.open.values() if live.client_id == client.id]
        for live in waiting:
            if live is None or live.settled:
                continue
            broken = internals.error_status(live.flow.request) == 400  # we have ended it, for the framing of its body
            self.path.refused(live, Refused.MALFORMED if broken else Refused.CLIENT_GONE)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """A backend connection is being made; the watch ends it when that takes too long."""
        self.connecting[data.server.id] = (self.path.identity.monotonic(), data)

    def server_connected(self, data: ServerConnectionHookData) -> None:
        """A backend connection stands."""
        self.connecting.pop(data.server.id, None)

    server_connect_error = server_connected

    def tcp_message(self, flow: TCPFlow) -> None:
        """An upgraded connection passes as bytes; mitmproxy would keep them all."""
        flow.messages.clear()

    def has_asked(self, client_id: str) -> bool:
        """Whether this client has sent the head of a request since it is connected."""
        return client_id in self._of_client

    def live_of_client(self, client_id: str) -> LiveFlow | None:
        """The request this client is waiting for."""
        live = self._of_client.get(client_id)
        return live if live is not None and not live.settled else None

    def _refuse(self, live: LiveFlow, reason: Refused) -> None:
        live.refusal = reason
        internals.set_error_status(live.flow.request, status_of(reason))
        internals.kill(live.flow)

    def _fall_back(self, live: LiveFlow) -> Callable[[], bool]:
        """The candidate serves, but cannot be reached: a safe request that nothing was sent of goes to the primary, once."""

        def again() -> bool:
            if live.live_side is Side.PRIMARY:
                return False
            self.path.candidate_ended(live, failed=True)
            direct(live, Side.PRIMARY, self.path.primary, self.path.candidate)
            live.timed_out = False
            return True

        return again

    def _let_body_pass(self, live: LiveFlow) -> None:
        """Small bodies that came with their head are held, so that they can be sent again; all others stream."""
        limit = self.path.settings.mirror.max_body
        headers = live.flow.request.data.headers.fields
        length = eligibility.declared_length(headers)
        expects = first_header(headers, b"expect") is not None
        if expects:
            hold_expectation(live.flow.request)
        unknown = first_header(headers, b"transfer-encoding") is not None
        # A backend may answer before it has the whole body, and the client may wait for that: only a complete one is held.
        if not (unknown or expects or (length or 0) > min(limit, arrived(live.flow.request))):
            return
        if (length or 0) > limit:
            live.skip = live.skip or Skipped.TOO_LARGE
        live.request_tee = Tee(limit, live.skip is None, self.path.copies)
        live.flow.request.stream = live.request_tee
