"""The facts that travel: requests, responses, failures and finished exchanges.

Headers are raw lists of byte pairs end to end: order, case and duplicates are kept, because a client can see them.
Bodies are the raw bytes of the message body, content coding included, transfer coding removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Headers = tuple[tuple[bytes, bytes], ...]


class Side(StrEnum):
    """Which backend: the trusted one or the one under test."""

    PRIMARY = "primary"
    CANDIDATE = "candidate"

    @property
    def other(self) -> Side:
        """The side that gets the copy when this one is live, and the other way round."""
        return Side.CANDIDATE if self is Side.PRIMARY else Side.PRIMARY


def header_values(headers: Headers, name: bytes) -> list[bytes]:
    """All values of the header `name` (given in lower case), in order."""
    return [value for key, value in headers if key.lower() == name]


def first_header(headers: Headers, name: bytes) -> bytes | None:
    """The first value of the header `name` (given in lower case), or None."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the client sent it. `target` is the raw origin-form, query included."""

    method: str
    target: bytes
    headers: Headers = ()
    body: bytes = b""

    @property
    def path(self) -> bytes:
        """The raw, undecoded path before `?`."""
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        """The raw query string after the first `?`, without it."""
        return self.target.partition(b"?")[2]


@dataclass(frozen=True, slots=True)
class Response:
    """One complete answer, or its beginning when `truncated`."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """No complete answer. `reason` is one of `CandidateError`'s names; `detail` is for people and holds no payload."""

    reason: str
    detail: str = ""


Answer = Response | Failure


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request with its live answer, as the proxy hands it to the shadow.

    `boot` and `seq` identify it: one proxy process, one number. `client` keys the lane and the evidence unit.
    `started` is Unix time in seconds, `live_ms` the time from the request's end to the last byte of the answer.
    """

    boot: str
    seq: int
    route: str
    client: str
    live_side: Side
    started: float
    live_ms: float
    request: Request
    live: Response

    @property
    def id(self) -> str:
        """A name that is unique over all proxies and restarts."""
        return f"{self.boot}-{self.seq}"
