"""The harness can fail: it sees each kind of difference where there is one."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from smuggling_corpus import sample
from smuggling_reading import Ambiguous, Reading, requests_in
from smuggling_stage import differences, origin, playing
from smuggling_verdict import seen_by_server, violations

from traffic.ledger import Ledger

READ = Reading(b"POST", b"/a%20b?c", ((b"Host", b"a"),), b"body", True, 0)


def entry(**changed: Any) -> dict[str, Any]:
    sha = hashlib.sha256(b"body").hexdigest()
    return {"id": "", "method": "POST", "path": b"/a b".hex(), "body": sha, "size": 4, "complete": True, **changed}


def test_without_a_proxy_in_between_servers_read_the_same_payloads_otherwise(folder: Path) -> None:
    async def scenario() -> list[str]:
        payloads = sample(10)
        async with origin("uvicorn-httptools", folder) as (port, log), playing(folder, port) as play:
            play.port, play.patience_s = play.relay.port, 1.0
            await play.play(payloads)
            return violations(play, payloads, log, Ledger(seen=10_000))

    kinds = {found.split()[0] for found in asyncio.run(scenario())}
    assert kinds >= {"FRAMING", "SPLIT"}


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({}, []),
        ({"method": "GET"}, ["METHOD"]),
        ({"path": b"/a".hex()}, ["PATH"]),
        ({"body": "0" * 64}, ["BODY"]),
        ({"complete": False, "body": "0" * 64}, []),  # an app that could not read to the end has not read in another way
    ],
)
def test_each_kind_of_difference_has_its_name(changed: dict[str, Any], kind: list[str]) -> None:
    assert [found.split()[0] for found in differences(entry(**changed), READ)] == kind


def test_a_request_nobody_sent_is_a_split_and_one_nobody_saw_is_starved() -> None:
    assert seen_by_server("x", [READ], [200], [entry()]) == []
    assert seen_by_server("x", [READ], [200], [entry(), entry()])[0].startswith("SPLIT")
    assert seen_by_server("x", [READ, READ], [200], [entry()])[0].startswith("STARVE")
    assert seen_by_server("x", [READ, READ], [200, 400], [entry()]) == []


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1\n\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\na\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXX0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /half",
    ],
)
def test_the_right_reading_takes_nothing_ambiguous(stream: bytes) -> None:
    with pytest.raises(Ambiguous):
        requests_in(stream)


def test_the_right_reading_reads() -> None:
    head = b"POST /a HTTP/1.1\r\nHost: a\r\n"
    stream = head + b"Content-Length: 3\r\n\r\nabc" + head + b"Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\nX: 1\r\n\r\n"
    assert [(reading.body, reading.complete) for reading in requests_in(stream)] == [(b"abc", True), (b"de", True)]
    assert [reading.complete for reading in requests_in(stream[:-9])] == [True, False]
