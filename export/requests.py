"""The part of a stored request that is worth repeating, and the names of its secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from store.records import Example
from traffic import redact_shape
from traffic.message import Request

TOKEN = re.compile(redact_shape.TOKEN)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# Set by the way a request came, not by the client; the recorded body is decoded.
_OF_THE_WAY = frozenset(
    {
        *(
            "connection",
            "keep-alive",
            "proxy-connection",
            "proxy-authorization",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
        ),
        *("content-length", "content-encoding", "accept-encoding", "expect", "forwarded", "via", "x-real-ip", "x-request-id"),
        *("traceparent", "tracestate"),
    }
)


def header_pairs(request: Request) -> list[tuple[str, str]]:
    """The headers to send again; those of one hop, of tracing and of proxies are left out, and what no client may send."""
    pairs = []
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1").strip()
        lowered = name.lower()
        if lowered in _OF_THE_WAY or lowered.startswith(("x-forwarded-", "x-paritygate-")):
            continue
        if _NAME.fullmatch(name) and _VALUE.fullmatch(value):
            pairs.append((name, value))
    return pairs


def secret_names(examples: Iterable[Example]) -> dict[str, str]:
    """`{token: PARITYGATE_AUTH_<n>}` for every redacted value in the requests, numbered in the order of the examples."""
    names: dict[str, str] = {}
    for example in examples:
        texts = [value for _, value in header_pairs(example.request)]
        texts += [example.request.target.decode("latin-1"), example.request.body.decode("latin-1")]
        for text in texts:
            for token in TOKEN.findall(text):
                names.setdefault(token, f"PARITYGATE_AUTH_{len(names) + 1}")
    return names
