"""The law of the room: every exchange that was taken in ends exactly once, whatever happens to it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from shadow_backends import Seen, answer, backend, document
from shadow_stage import KEY, Proxy, configured, ok
from shadow_store import ListStore

from rules.load import EMPTY
from shadow.serve import Shadow
from traffic.ledger import build_ledger
from traffic.outcome import ENDING_REASONS, Ending
from traffic.route import Route, RouteTable

FATES = ("match", "differs", "noise", "garbage", "close", "half", "hang", "large", "unsendable", "write", "slow")
CLIENTS = ("c0", "c1", "c2")


async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
    fate = seen.target.rpartition(b"=")[2].decode()
    if fate == "hang":
        await asyncio.sleep(60)
    elif fate == "close":
        writer.close()
    elif fate == "half":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        writer.close()
    elif fate == "garbage":
        writer.write(b"\x00\x01garbage\r\n\r\n")
    elif fate == "large":
        writer.write(answer(200, b"x" * 5000))
    else:
        await asyncio.sleep(0.02 if fate == "slow" else 0)
        writer.write(document({"a": 2 if fate == "differs" else 1}))


async def play(folder: Path, steps: Sequence[tuple[str, str]], down: bool, stop_early: bool) -> None:
    async with backend(candidate) as first, backend(candidate) as second:
        limits = {"timeout": "150ms", "max_body": 4000, "max_in_flight": 2}
        configuration = configured(folder, first.url, second.url, mirror=limits)
        store = ListStore()
        store.down = down
        shadow = Shadow(configuration, KEY, EMPTY, store, RouteTable([Route("GET", "/a")]))  # type: ignore[arg-type]
        await shadow.start()
        proxy = Proxy.made(configuration)
        await proxy.connect()
        for fate, client in steps:
            target = b"/a\x80" if fate == "unsendable" else b"/a?fate=" + fate.encode()
            method = "DELETE" if fate == "write" else "GET"
            proxy.send(proxy.exchange(ok({"a": 1}), target, f"{method} /a", client, method=method))
        async with asyncio.timeout(20):
            while shadow.received < len(steps):
                await asyncio.sleep(0.005)
            if not stop_early:
                while shadow.under_way:
                    await asyncio.sleep(0.005)
        store.down = False
        await shadow.stop()
        await proxy.die()
        ended = store.ended
        assert sum(item.count for item in ended) == len(steps)
        assert shadow.held == 0
        assert all(item.reason in ENDING_REASONS[item.ending] for item in ended)
        for route in {item.route for item in ended}:
            rows = [(str(item.ending), str(item.reason), item.count) for item in ended if item.route == route]
            slots = proxy.openings.counts().routes.get(route, {})
            assert build_ledger(slots, rows).violations() == []
            assert build_ledger(slots, rows).pending == 0
        if not stop_early and not down:
            assert not any(item.ending is Ending.LOST for item in ended)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(FATES), st.sampled_from(CLIENTS)), min_size=1, max_size=15),
    st.booleans(),
    st.booleans(),
)
def test_every_exchange_ends_exactly_once(steps: list[tuple[str, str]], down: bool, stop_early: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), steps, down, stop_early))
