"""Sends one copy and brings back a complete answer or the reason why there is none, within one total deadline."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from shadow.backend_connection import BodyOverLimit
from shadow.backend_transport import BackendTransport, WholeBody
from shadow.breaker import Breaker
from shadow.budget import Bucket
from shadow.copy_request import CopyWriter, Looped, Unsendable
from shadow.faults import Outage
from traffic.message import Answer, Failure, Request, Response
from traffic.outcome import CandidateError, Skipped

_OWN_SHORTAGE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL)


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What came of a copy. Either `answer` is set, with its time from sending to the last byte, or `skipped` is."""

    answer: Answer | None
    ms: float = 0.0
    skipped: Skipped | None = None


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What one backend is asked at most: copies under way at once, and copies per second (a second's worth at once after a pause)."""

    in_flight: int
    rate: float | None = None


class Dispatch:
    """The way to one backend. `clock` is monotonic seconds."""

    def __init__(
        self,
        url: str,
        key: bytes,
        deadline_s: float,
        max_body: int,
        ceilings: Ceilings,
        breaker: Breaker,
        clock: Callable[[], float],
        new_span: Callable[[], str],
    ) -> None:
        self._url = httpx.URL(url)
        self._transport = BackendTransport(self._url, deadline_s, max_body)
        self._copies = CopyWriter(key, self._url.netloc, new_span)
        self._most, self._deadline, self._max_body, self._clock = ceilings.in_flight, deadline_s, max_body, clock
        rate = ceilings.rate
        self._rate = Bucket(rate, max(1.0, rate), clock()) if rate is not None else None
        self.breaker = breaker
        self.under_way = 0
        self._shortage = Outage(
            "copies cannot be sent for want of descriptors, ports or memory; they are skipped(rate_limited)"
        )

    def has_room(self) -> bool:
        """Whether neither ceiling is reached."""
        return self.under_way < self._most and (self._rate is None or self._rate.has(self._clock()))

    async def send(self, request: Request, target: bytes) -> Dispatched:
        """Sends `request` to `target` (raw origin-form). Raises nothing but cancellation and faults of ours."""
        try:
            copy = self._copies.copy(request)
        except Unsendable:
            return Dispatched(None, skipped=Skipped.UNSENDABLE)
        except Looped:
            return Dispatched(None, skipped=Skipped.LOOP)
        if not self.has_room():
            return Dispatched(None, skipped=Skipped.RATE_LIMITED)
        attempt = self.breaker.admit()
        if attempt is None:
            return Dispatched(None, skipped=Skipped.BREAKER_OPEN)
        if self._rate is not None:
            self._rate.take()
        prepared = httpx.Request(
            request.method, self._url, headers=copy.headers, stream=WholeBody(copy.body), extensions={"target": target}
        )
        prepared.method = request.method  # httpx would have it in capitals
        alive: bool | None = None
        self.under_way += 1
        begun = time.perf_counter()
        try:
            dispatched = await self._exchange(prepared, begun)
            # A backend that answers too much is alive: only silence and broken connections count against it.
            if isinstance(dispatched.answer, Failure):
                alive = dispatched.answer.reason == CandidateError.OVERSIZE
            elif dispatched.answer is not None:
                alive = True
            return dispatched
        finally:
            self.under_way -= 1
            self.breaker.ended(attempt, alive)

    async def _exchange(self, request: httpx.Request, begun: float) -> Dispatched:
        answer: Answer
        try:
            response = await self._transport.handle_async_request(request)
            stream = response.stream
            body = stream.content if isinstance(stream, WholeBody) else await response.aread()
            answer = Response(response.status_code, tuple(response.headers.raw), body)
            self._shortage.worked()
        except httpx.LocalProtocolError:
            return Dispatched(None, skipped=Skipped.UNSENDABLE)
        except httpx.TransportError as error:
            if own_shortage(error):
                self._shortage.failed(error)
                return Dispatched(None, skipped=Skipped.RATE_LIMITED)
            answer = self._failure(error)
        return Dispatched(answer, (time.perf_counter() - begun) * 1000)

    def _failure(self, error: httpx.TransportError) -> Failure:
        """An exception of the transport as one of the closed reasons; the detail holds no payload."""
        if isinstance(error, BodyOverLimit):
            return Failure(CandidateError.OVERSIZE, f"more than {self._max_body} bytes")
        if isinstance(error, httpx.TimeoutException):
            return Failure(CandidateError.TIMEOUT, f"no complete answer within {self._deadline:g} s")
        if isinstance(error, httpx.ConnectError):
            return Failure(CandidateError.REFUSED, str(error))
        if isinstance(error, httpx.RemoteProtocolError):
            return Failure(CandidateError.PROTOCOL, str(error))
        return Failure(CandidateError.RESET, str(error))

    async def close(self) -> None:
        """Closes the idle connections."""
        await self._transport.aclose()


def own_shortage(error: BaseException) -> bool:
    """Whether it was this machine that had no descriptor, port or memory left for a connection."""
    cause = error.__cause__
    return isinstance(error, httpx.ConnectError) and isinstance(cause, OSError) and cause.errno in _OWN_SHORTAGE
