"""The answers the proxy gives itself when no backend did: short, plain, and without the name of any software or address."""

from __future__ import annotations

from http import HTTPStatus

from traffic.outcome import Refused

STATUS: dict[Refused, int] = {
    Refused.MALFORMED: 400,
    Refused.HEADER_LIMIT: 431,
    Refused.OVERLOAD: 503,
    Refused.UPSTREAM_UNREACHABLE: 502,
    Refused.UPSTREAM_TIMEOUT: 504,
    Refused.DRAINING: 503,
}
"""The status a client sees for each reason; a client that is gone sees none."""


def own_answer(status: int, head_only: bool = False) -> bytes:
    """A complete HTTP/1.1 answer that ends its connection; `head_only` for HEAD requests, which get no body."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    body = f"{status} {phrase}\n".encode("ascii")
    lines = [
        f"HTTP/1.1 {status} {phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        *(["Retry-After: 1"] if status == 503 else []),
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (b"" if head_only else body)
