"""One case of the catalogue: what a client sends, step by step, and what the backend says to each request."""

from __future__ import annotations

from dataclasses import dataclass

PROBE = b"/probe-of-the-connection"
"""The target of the request that shows whether a connection is still in step."""


@dataclass(frozen=True)
class Sees:
    """The client goes on only when it has received `marker`: a proxy that holds it back is caught here (STALL)."""

    marker: bytes


@dataclass(frozen=True)
class Pause:
    """Nothing is sent for `seconds`."""

    seconds: float


@dataclass(frozen=True)
class Drip:
    """`data`, one byte at a time."""

    data: bytes


@dataclass(frozen=True)
class Act:
    """Something that is no data."""

    name: str


HALF_CLOSE = Act("half-close")
"""The client says that it will send no more, and waits."""
GATE = Act("gate")
"""The backend goes on only when the client has passed a `Sees`."""
READ = Act("read")
"""The backend reads the request's body, if that was not done yet."""
CLOSE = Act("close")
"""The backend closes the connection in an orderly way (it reads what still comes, so that nothing is reset)."""
RESET = Act("reset")
"""The backend resets the connection."""

Step = bytes | Sees | Pause | Drip | Act


@dataclass(frozen=True)
class Exchange:
    """`asks` are the client's steps, `says` one tuple of the backend's steps for each request.

    The backend reads a request's whole body before its first step unless `early`. After the answers the client asks `PROBE` on the
    same connection, unless `probe` is False: then it waits for the connection's end. `methods` are those of the expected answers.
    """

    name: str
    asks: tuple[Step, ...]
    says: tuple[tuple[Step, ...], ...]
    methods: tuple[bytes, ...] = (b"GET",)
    early: bool = False
    probe: bool = True


def one(name: str, ask: bytes, *say: Step, early: bool = False, probe: bool = True) -> Exchange:
    """A case of one request."""
    return Exchange(name, (ask,), (say,), (ask.lstrip(b"\r\n").split(b" ", 1)[0],), early, probe)


def request(
    target: bytes = b"/x", method: bytes = b"GET", fields: bytes = b"", body: bytes | None = None, version: bytes = b"1.1"
) -> bytes:
    """A request; with a Content-Length where there is a body."""
    length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
    return b"%b %b HTTP/%b\r\nHost: shop.test\r\n%b%b\r\n%b" % (method, target, version, fields, length, body or b"")


def answer(body: bytes = b"hello", fields: bytes = b"", status: bytes = b"200 OK", version: bytes = b"1.1") -> bytes:
    """An answer with a Content-Length."""
    return b"HTTP/%b %b\r\n%bContent-Length: %d\r\n\r\n%b" % (version, status, fields, len(body), body)


def chunked(framed: bytes, fields: bytes = b"", status: bytes = b"200 OK") -> bytes:
    """An answer in chunks; `framed` is everything behind the head."""
    return b"HTTP/1.1 %b\r\n%bTransfer-Encoding: chunked\r\n\r\n%b" % (status, fields, framed)
