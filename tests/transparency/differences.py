"""Two runs of a case side by side: what differs for the client, and what differs for the backend."""

from __future__ import annotations

from itertools import zip_longest

from tests.transparency.raw_backend import Received
from tests.transparency.raw_client import Seen
from tests.transparency.wire import Answer, Fields

HANG, DESYNC, STALL, TRUNCHIDE = "HANG", "DESYNC", "STALL", "TRUNCHIDE"
NEVER = frozenset({HANG, DESYNC, STALL, TRUNCHIDE})
"""What no reason can excuse."""
STAMPS = ((b"X-Forwarded-For", b"127.0.0.1"), (b"X-Forwarded-Proto", b"http"))
"""What the proxy adds to every request; taken off before the comparison, and only here at the end."""


def differences(direct: Seen, proxied: Seen) -> frozenset[str]:
    """The names of everything that is not the same."""
    found = set()
    if proxied.hung and not direct.hung:
        found.add(HANG)
    if proxied.stalled and not direct.stalled:
        found.add(STALL)
    if proxied.end == "out of step" != direct.end:
        found.add(DESYNC)
    elif _end(proxied) != _end(direct) and not proxied.hung:
        found.add(f"connection {_end(direct)} -> {_end(proxied)}")
    for ours, theirs in zip_longest(proxied.answers, direct.answers):
        found |= _of_answers(theirs, ours)
    for got, wanted in zip_longest(proxied.received, direct.received):
        found |= _of_requests(wanted, got)
    return frozenset(found)


def _end(seen: Seen) -> str:
    """How the connection ended. After a body that its framing shows to be cut, a reset says no more than an orderly end."""
    last = seen.answers[-1] if seen.answers else None
    cut = last is None or (not last.body.whole and last.framing not in ("close", "tunnel"))
    if cut and seen.end == "out of step":
        return "closed"
    # What is sent into a connection that was just closed is answered with a reset. An answer that a reset cuts is not whole.
    return "closed" if seen.end == "reset" and (cut or (last is not None and last.body.whole)) else seen.end


def _of_answers(direct: Answer | None, proxied: Answer | None) -> set[str]:
    if direct is None or proxied is None:
        return set() if direct is proxied else {"answer" if direct is None else "no answer"}
    found = set()
    if direct.interim != proxied.interim:
        found.add("informational answers")
    if direct.head.line != proxied.head.line:
        found.add("status line")
    if direct.head.fields != proxied.head.fields:
        found.add("header fields")
    if direct.body.content != proxied.body.content:
        found.add("body")
    if direct.body.trailers != proxied.body.trailers:
        found.add("trailers")
    if direct.body.extensions != proxied.body.extensions:
        found.add("chunk extensions")
    if direct.framing != proxied.framing:
        found.add("framing")
    if proxied.body.whole and not direct.body.whole:
        found.add(TRUNCHIDE)
    elif direct.body.whole and not proxied.body.whole:
        found.add("cut")
    return found


def _of_requests(direct: Received | None, proxied: Received | None) -> set[str]:
    if direct is None or proxied is None:
        return {"backend: asked" if direct is None else "backend: not asked"}
    found = set()
    if direct.head.line != proxied.head.line:
        found.add("backend: request line")
    if direct.head.fields != without_stamps(proxied.head.fields):
        found.add("backend: header fields")
    if direct.body.content != proxied.body.content or direct.body.whole != proxied.body.whole:
        found.add("backend: body")
    if direct.body.trailers != proxied.body.trailers:
        found.add("backend: trailers")
    if direct.body.extensions != proxied.body.extensions:
        found.add("backend: chunk extensions")
    return found


def without_stamps(fields: Fields) -> Fields:
    return fields[: -len(STAMPS)] if fields[-len(STAMPS) :] == STAMPS else fields
