"""Sends one copy and brings back a complete answer or the reason why there is none, within one total deadline."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from shadow.breaker import Breaker
from shadow.connections import Connections
from shadow.copy_request import copy_headers, sendable
from traffic.message import Answer, Failure, Request, Response
from traffic.outcome import CandidateError, Skipped


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What came of a copy. Either `answer` is set, with its time from sending to the last byte, or `skipped` is."""

    answer: Answer | None
    ms: float = 0.0
    skipped: Skipped | None = None


class Dispatch:
    """The way to one backend."""

    def __init__(
        self,
        url: str,
        marker: bytes,
        deadline_s: float,
        max_body: int,
        keep: int,
        breaker: Breaker,
        new_span: Callable[[], str],
    ) -> None:
        self._connections = Connections(url, keep)
        self._marker, self._deadline, self._max_body = marker, deadline_s, max_body
        self._new_span = new_span
        self.breaker = breaker

    async def send(self, request: Request, target: bytes) -> Dispatched:
        """Sends `request` to `target` (raw origin-form). Never raises but for cancellation."""
        if not sendable(request, target):
            return Dispatched(None, skipped=Skipped.UNSENDABLE)
        if not self.breaker.may_send():
            return Dispatched(None, skipped=Skipped.BREAKER_OPEN)
        url = self._connections.url
        headers = copy_headers(request, self._marker, url.netloc, self._new_span())
        prepared = httpx.Request(
            request.method, url, headers=headers, stream=httpx.ByteStream(request.body), extensions={"target": target}
        )
        client = self._connections.take()
        sound = False
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._exchange(client, prepared)
            sound = isinstance(answer, Response)
        except TimeoutError:
            answer = Failure(CandidateError.TIMEOUT, f"no complete answer within {self._deadline:g} s")
        except httpx.LocalProtocolError:
            return Dispatched(None, skipped=Skipped.UNSENDABLE)
        except Exception as error:
            answer = failure_of(error)
        finally:
            ms = (time.perf_counter() - begun) * 1000
            await self._connections.give_back(client, sound)
        # A backend that answers too much is alive: only silence and broken connections count against it.
        self.breaker.ended(sound or (isinstance(answer, Failure) and answer.reason == CandidateError.OVERSIZE))
        return Dispatched(answer, ms)

    async def _exchange(self, client: httpx.AsyncHTTPTransport, request: httpx.Request) -> Answer:
        response = await client.handle_async_request(request)
        try:
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > self._max_body:
                    return Failure(CandidateError.OVERSIZE, f"more than {self._max_body} bytes")
            return Response(response.status_code, tuple(response.headers.raw), bytes(body))
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Closes the idle connections."""
        await self._connections.close()


def failure_of(error: Exception) -> Failure:
    """An exception of the HTTP client as one of the closed reasons; the detail holds no payload."""
    detail = type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Failure(CandidateError.REFUSED, detail)
    if isinstance(error, httpx.TimeoutException):
        return Failure(CandidateError.TIMEOUT, detail)
    if isinstance(error, httpx.RemoteProtocolError):
        text = str(error)
        if "disconnected" in text or "peer closed" in text or "peer unexpectedly closed" in text:
            return Failure(CandidateError.RESET, "the connection ended before the answer did")
        return Failure(CandidateError.PROTOCOL, detail)
    if isinstance(error, httpx.NetworkError):
        return Failure(CandidateError.RESET, detail)
    if isinstance(error, OSError):
        refused = error.errno in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)
        return Failure(CandidateError.REFUSED if refused else CandidateError.RESET, detail)
    return Failure(CandidateError.PROTOCOL, detail)
