"""Bytes that nobody thought of: each connection ends in bounded time, every request is counted, and the proxy lives."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from smuggling_payload import Payload, table
from smuggling_stage import Play, origin, playing

PIECES = table(
    r"GET / HTTP/1.1\r\n|POST /a HTTP/1.1\r\n|HEAD /b?c HTTP/1.0\r\n|PUT * HTTP/1.1\r\n|OPTIONS * HTTP/1.1\r\n",
    r"GET http://a/b HTTP/1.1\r\n|CONNECT a:1 HTTP/1.1\r\n|PRI * HTTP/2.0\r\n|Host: a\r\n|Host: b\r\n",
    r"Content-Length: 3\r\n|Content-Length: 0\r\n|Content-Length: 99\r\n|Transfer-Encoding: chunked\r\n",
    r"Transfer-Encoding: x\r\n|Connection: close\r\n|Connection: keep-alive\r\n|Upgrade: h2c\r\n",
    r"Upgrade: websocket\r\nConnection: Upgrade\r\n|Expect: 100-continue\r\n|TE: trailers\r\n|Trailer: X\r\n",
    r"X: y\r\n|\r\n|\r\n\r\n|\n|\r|3\r\nabc\r\n|0\r\n\r\n|0\r\n|abc|5;a=b\r\nabcde\r\n|ffffffff\r\n| |\t|\x00|:|\xff",
    r"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n|X: ",
)
RAW = st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=14).map(b"".join)
HONEST = Payload(b"", "honest", b"GET /alive HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")


def fuzz(folder: Path, rounds: int, together: int) -> None:
    loop = asyncio.new_event_loop()

    async def all_bytes(play: Play, raws: list[bytes]) -> None:
        before = await play.at_rest()
        play.relay.forget()
        await play.play(Payload(b"%d" % number, repr(raw), raw) for number, raw in enumerate(raws))
        ledger = await play.at_rest()
        assert play.hung == []
        assert ledger.seen == ledger.served_primary + sum(ledger.refused.values())
        whole = sum(
            reading.complete for tape in play.relay.tapes for reading in tape.readings()
        )  # raises where it is ambiguous
        assert ledger.served_primary - before.served_primary <= whole <= ledger.seen - before.seen
        await play.play([HONEST])
        assert play.answers[b""].startswith(b"HTTP/1.1 200")

    async def begin() -> tuple[Any, Any, Play]:
        behind = origin("raw", folder)
        port, _ = await behind.__aenter__()
        front = playing(folder, port)
        return behind, front, await front.__aenter__()

    behind, front, play = loop.run_until_complete(begin())
    play.together = together
    try:

        @given(st.lists(RAW, min_size=together, max_size=together))
        @examples(max_examples=rounds, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def each(raws: list[bytes]) -> None:
            loop.run_until_complete(all_bytes(play, raws))

        each()
    finally:
        loop.run_until_complete(front.__aexit__(None, None, None))
        loop.run_until_complete(behind.__aexit__(None, None, None))
        loop.close()


def test_any_bytes_are_counted_and_hurt_nobody(folder: Path) -> None:
    """[R-SEC-1] [T1] [B13] Pieces of requests in any order, and bytes that are none."""
    fuzz(folder, rounds=4, together=40)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("plain", [True, False])
def test_a_hundred_thousand_connections_of_any_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch, plain: bool) -> None:
    """[R-SEC-1] [T1] The same for long, on the plain path and without it."""
    monkeypatch.setattr("proxy.connections.PLAIN", plain)
    fuzz(folder, rounds=250, together=200)
