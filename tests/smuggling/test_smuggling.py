"""No request is read in two ways: by the proxy and a backend, or by two backends."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from smuggling_corpus import corpus, sample
from smuggling_payload import Payload
from smuggling_stage import SERVERS, Play, can_run, origin, playing
from smuggling_verdict import violations

from proxy.answers import own_answer
from traffic.ledger import Ledger

OWN = [own_answer(400), own_answer(431)]


def servers() -> list[Any]:
    """All backends; those that this interpreter cannot have are skipped with the reason."""
    why = "on 3.11 hypercorn cannot be installed beside what mitmproxy 11 pins"
    return ["raw", *(pytest.param(each, marks=pytest.mark.skipif(not can_run(each), reason=why)) for each in SERVERS)]


async def played(folder: Path, server: str, payloads: list[Payload], cuts: random.Random | None = None) -> tuple[Play, Ledger]:
    """All payloads through a proxy to `server`; fails on any difference between readings."""
    async with origin(server, folder) as (port, log), playing(folder, port) as play:
        play.cuts = cuts
        await play.play(payloads)
        ledger = await play.at_rest()
        found = violations(play, payloads, log, ledger)
        assert found == [], "\n".join(found[:30])
        return play, ledger


@pytest.mark.parametrize("server", servers())
def test_a_sample_of_every_family_is_read_once(folder: Path, server: str) -> None:
    """[R-SEC-1] [T1] [T2] [B11] What reaches a real server is what the proxy has counted, in method, path and body."""
    payloads = sample(30)
    _, ledger = asyncio.run(played(folder, server, payloads))
    assert ledger.served_primary >= 22  # the honest ones at least
    assert ledger.refused["malformed"] > len(payloads) / 3
    assert ledger.seen == ledger.served_primary + sum(ledger.refused.values())


def test_what_is_refused_is_counted_and_answered_in_our_own_words(folder: Path) -> None:
    """[B13] [T20] A request that never became one is 400 or 431, brandless, closed, and in the ledger."""

    async def scenario() -> None:
        payloads = sample(10)
        play, ledger = await played(folder, "raw", payloads)
        ours = 0
        for payload in payloads:
            answer = play.answers[payload.id]
            last = next((own for own in OWN if answer.endswith(own)), None)
            ours += last is not None
            if payload.id not in play.relay.of_payload:  # nothing of it went further
                assert answer in (b"", *OWN), payload.name
        assert ours == ledger.refused["malformed"] + ledger.refused.get("header_limit", 0)

    asyncio.run(scenario())


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
@pytest.mark.parametrize("server", servers())
def test_the_whole_corpus_is_read_once(folder: Path, server: str, cut: bool) -> None:
    """[R-SEC-1] [T1] [T2] More than 4,000 payloads, in one piece and in up to four."""
    payloads = corpus()
    assert len(payloads) > 4000
    asyncio.run(played(folder, server, payloads, random.Random(4) if cut else None))


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_the_whole_corpus_is_read_once_without_the_plain_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[R-SEC-1] Everything through mitmproxy's layers: the plain path hides nothing."""
    monkeypatch.setattr("proxy.connections.PLAIN", False)
    asyncio.run(played(folder, "raw", corpus(), random.Random(5)))
