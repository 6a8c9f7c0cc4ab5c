"""The shadow is killed, stopped, and its store goes away: the ledger stays exact. Real process, real store."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shadow_backends import Seen, backend, document
from shadow_stage import Proxy, configured, ok, running, until

from store.database import Store, open_store
from store.errors import StoreError
from store.records import Batch
from traffic.ledger import Ledger

HERE = Path(__file__).parent


@asynccontextmanager
async def process(folder: Path, primary: str, candidate: str) -> AsyncIterator[asyncio.subprocess.Process]:
    path = os.pathsep.join([str(HERE.parent.parent), str(HERE), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    made = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "shadow_process.py"), str(folder), primary, candidate,
        stdout=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert made.stdout is not None
    assert await asyncio.wait_for(made.stdout.readline(), 60) == b"ready\n"
    try:
        yield made
    finally:
        if made.returncode is None:
            made.terminate()
        await asyncio.wait_for(made.wait(), 60)


async def total(store: Store) -> Ledger:
    ledger = Ledger()
    for item in (await store.ledgers()).values():
        ledger += item
    return ledger


async def at_rest(store: Store, seen: int) -> Ledger:
    """The total once all have been seen and have ended. What a proxy counts while its counts are read shows as open, for a moment."""
    async with asyncio.timeout(30):
        while True:
            ledger = await total(store)
            if ledger.seen == seen and ledger.open == 0 and ledger.pending == 0:
                return ledger
            await asyncio.sleep(0.05)


def test_killed_and_restarted_shadow_loses_exactly_what_it_held(tmp_path: Path) -> None:
    async def scenario() -> None:
        rng = random.Random(7)

        async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(rng.random() * 0.05)
            writer.write(document({}))

        async with backend(candidate) as first, backend(candidate) as second:
            settings = configured(tmp_path, first.url, second.url)
            store = open_store(settings.store_url)
            await store.upgrade()
            proxy = Proxy.made(settings)
            sent = 0
            for kill in range(3):
                async with process(tmp_path, first.url, second.url) as shadow:
                    await proxy.connect()
                    for number in range(120):
                        proxy.send(proxy.exchange(ok({}), client=f"c{number % 16}"))
                        sent += 1
                        if number % 40 == 39:
                            await asyncio.sleep(0.1)
                    await until(lambda least=60 * (kill + 1) - 30: len(second.seen) >= least, 20)  # type: ignore[misc]
                    shadow.send_signal(signal.SIGKILL)
                    await shadow.wait()
                await proxy.close()
            async with process(tmp_path, first.url, second.url):
                await proxy.connect()
                proxy.send(proxy.exchange(ok({})))
                ledger = await at_rest(store, sent + 1)
                assert ledger.violations() == []
                assert ledger.compared + ledger.lost["worker_died"] == sent + 1
                assert ledger.lost["worker_died"] > 0
                assert ledger.compared > 0
            await proxy.die()
            await store.close()

    asyncio.run(scenario())


def test_stopped_shadow_finishes_what_it_holds(tmp_path: Path) -> None:
    async def scenario() -> None:
        async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.02)
            writer.write(document({}))

        async with backend(candidate) as first, backend(candidate) as second:
            settings = configured(tmp_path, first.url, second.url)
            store = open_store(settings.store_url)
            await store.upgrade()
            proxy = Proxy.made(settings)
            async with process(tmp_path, first.url, second.url) as shadow:
                await proxy.connect()
                for number in range(100):
                    proxy.send(proxy.exchange(ok({}), client=f"c{number % 10}"))
                await until(lambda: len(second.seen) > 5)
                shadow.terminate()
                await asyncio.sleep(0.05)
                shadow.terminate()  # an impatient second signal does not cut the drain short
                assert await asyncio.wait_for(shadow.wait(), 30) == 0
            # SIGTERM came while most were queued: everything that was read has ended, the rest is lost with the next hello.
            before = sum((await store.ended_counts("boot1")).values())
            assert before > 5
            await proxy.close()
            async with process(tmp_path, first.url, second.url):
                await proxy.connect()
                ledger = await at_rest(store, 100)
                assert ledger.violations() == []
                assert ledger.compared == before
            await proxy.die()
            await store.close()

    asyncio.run(scenario())


class Interrupted:
    """The real store behind a line that can be cut."""

    def __init__(self, store: Store) -> None:
        self.store, self.cut = store, False

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    async def write(self, batch: Batch, keep_examples: int, token: tuple[str, int] | None = None) -> None:
        if self.cut:
            raise StoreError("cut")
        await self.store.write(batch, keep_examples, token)

    async def ended_counts(self, boot: str) -> dict[str, int]:
        if self.cut:
            raise StoreError("cut")
        return await self.store.ended_counts(boot)


def test_store_down_then_up_and_a_reconnecting_proxy_lose_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async def act(seen: Seen, writer: asyncio.StreamWriter) -> None:
            writer.write(document({}))

        async with backend(act) as first, backend(act) as second:
            settings = configured(tmp_path, first.url, second.url)
            store = open_store(settings.store_url)
            await store.upgrade()
            line = Interrupted(store)
            async with running(settings, line):
                proxy = Proxy.made(settings)
                await proxy.connect()
                line.cut = True
                for round_ in range(3):
                    for number in range(100):
                        proxy.send(proxy.exchange(ok({}), client=f"c{number % 10}"))
                    await until(lambda done=100 * (round_ + 1): len(second.seen) == done)  # type: ignore[misc]
                    await proxy.close()
                    await proxy.connect()
                assert await store.ended_counts("boot1") == {}
                line.cut = False
                ledger = await at_rest(store, 300)
                assert (ledger.violations(), ledger.compared, ledger.lost) == ([], 300, {})
                await proxy.die()
            await store.close()

    asyncio.run(scenario())


def test_dead_proxy_s_books_are_closed_after_its_last_exchange_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async def slow(seen: Seen, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.5)
            writer.write(document({}))

        async with backend(slow) as first, backend(slow) as second:
            settings = configured(tmp_path, first.url, second.url)
            store = open_store(settings.store_url)
            await store.upgrade()
            async with running(settings, store):
                proxy = Proxy.made(settings)
                await proxy.connect()
                for number in range(20):
                    proxy.send(proxy.exchange(ok({}), client=f"c{number % 4}"))
                proxy.openings.seen("GET /a")  # a request that was never answered
                await until(lambda: len(second.seen) >= 4)
                await proxy.die()
                await until(lambda: not proxy.openings.path.exists(), 20)
                ledger = await total(store)
                assert ledger.violations() == []
                assert (ledger.seen, ledger.open, ledger.pending) == (21, 0, 0)
                assert (ledger.compared, ledger.lost, ledger.refused) == (20, {}, {"proxy_died": 1})
            await store.close()

    asyncio.run(scenario())
