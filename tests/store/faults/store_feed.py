"""A Recorder with a real store, fed while something is wrong with that store; what it said, and that in the end nothing is missing."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog.testing

from differ.facts import Atom
from gate.shares import USUAL
from shadow.held import Held
from shadow.recorder import Recorder
from store.database import Store, open_store
from store.records import DifferenceText, Ended, Example, OpeningCounts
from store.tasks import spawn
from traffic.message import Request, Response
from traffic.outcome import Ending

SETTLED_S = 60.0
"""Seconds on a machine of its own; this only ends a test that would never end."""
DIFFERENCES = (DifferenceText(Atom("GET /a", "200/200", "body", "$.price", "value"), "1", "2"),)


async def _no_openings(boots: set[str]) -> Sequence[OpeningCounts]:
    return ()


class Feed:
    """Gives ends, each with a unit of its own; one in ten is a mismatch with an example."""

    def __init__(self, store: Store, logs: list[Any]) -> None:
        self.store, self.logs = store, logs
        self.held = Held()
        self.given = 0
        self.recorder = Recorder(store, self.held, _no_openings, secrets.token_hex(8), 5, lambda: 1e6)

    def put(self, count: int) -> None:
        """So many ends."""
        for _ in range(count):
            self.given += 1
            name = f"u{self.given}"
            ended = Ended("boot", "GET /a", 1e6, Ending.COMPARED, "match", epoch="e", client=name, unit=name, primary_ms=1.0)
            if self.given % 10 == 0:
                example = Example(
                    f"x{name}", "GET /a", 1e6, "primary", name, Request("GET", b"/a"), Response(200), Response(200), DIFFERENCES
                )
                ended = Ended(
                    "boot", "GET /a", 1e6, Ending.COMPARED, "mismatch", epoch="e", client=name, unit=name, primary_ms=1.0,
                    differences=DIFFERENCES, example=example,
                )  # fmt: skip
            self.held.received(ended.boot, ended.route)
            self.recorder.put(ended)

    async def steadily(self, seconds: float) -> None:
        """Ends, for so long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            self.put(5)
            await asyncio.sleep(0.01)

    @property
    def said(self) -> list[str]:
        """What was told about the store, in order."""
        return [entry["error"] for entry in self.logs if "error" in entry]

    async def saying(self, words: str) -> str:
        """Waits until it says so, and returns the whole sentence."""
        async with asyncio.timeout(SETTLED_S):
            while not any(words in sentence for sentence in self.said):
                await asyncio.sleep(0.01)
        return next(sentence for sentence in self.said if words in sentence)

    async def settled(self) -> None:
        """Waits until nothing waits any more."""
        async with asyncio.timeout(SETTLED_S):
            while self.recorder.waiting:
                await asyncio.sleep(0.01)

    async def nothing_is_missing(self, before: int = 0) -> None:
        """Everything that was given is stored, each once, in every table, and nothing is wrong with the store.

        `before` were given to a store that is gone.
        """
        await self.settled()
        assert self.held.total == 0
        ledger = (await self.store.ledgers())["GET /a"]
        given = self.given - before
        assert (sum(ledger.verdicts.values()), ledger.lost) == (given, {})
        (row,) = await self.store.route_rows()
        assert sum(row.evidence.verdicts.values()) == given
        if given <= USUAL.max_open:
            assert row.evidence.open_units + row.evidence.n == given
        else:  # of more of one window the store keeps so many, exactly once they are folded
            await self.store.close_units(1e12)
            assert (await self.store.evidence("GET /a")).n == USUAL.max_open
        (cluster,) = await self.store.clusters()
        assert cluster.count == self.given // 10 - before // 10
        assert await self.store.check() == []


@asynccontextmanager
async def fed(url: str, upgrade: bool = True) -> AsyncIterator[Feed]:
    """A feed whose recorder runs. It and its store are closed in the end."""
    store = open_store(url)
    with structlog.testing.capture_logs() as logs:
        try:
            if upgrade:
                await store.upgrade()
            feed = Feed(store, logs)
            run = spawn(feed.recorder.run(), "recorder")
            try:
                yield feed
            finally:
                await feed.recorder.close(5.0)
                await run
        finally:
            await store.close()
