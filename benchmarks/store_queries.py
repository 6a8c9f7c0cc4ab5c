"""What the queries of the dashboard take after a month of traffic and after a hundred times as much, side by side in one run.

Run as `python -m benchmarks.store_queries [--only sqlite]` (about four minutes). Two stores hold 200 routes, a month of charts as the
roll-ups leave them, clusters with examples, and the open units of one hour; all that differs is how many requests were counted: 10^6 and
10^8. Each query is asked of one store and then of the other, in turn; the medians and their ratio are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from benchmarks.store_writes import places, vacuum
from benchmarks.stored_traffic import BEGUN, Traffic
from store.database import Store, open_store
from store.records import Batch, Ended
from traffic.outcome import Ending

DAYS, HOUR, DAY = 30, 3_600.0, 86_400.0
ROUNDS = 41
AMOUNTS = (1_000_000, 100_000_000)


async def fill(store: Store, requests: int) -> None:
    """A month that ended at BEGUN, and the hour that began then. Matches of one minute, route and latency are written as one row."""
    await store.upgrade()
    traffic = Traffic(matches=0.0)
    await store.write(Batch(ended=tuple(traffic.ends(3_000))), 5)  # clusters and examples
    routes = traffic.routes
    minutes = [BEGUN - DAYS * DAY + number * HOUR for number in range(DAYS * 24)] + [BEGUN - 60.0 * n for n in range(180)]
    each = max(1, requests // (len(minutes) * len(routes)))
    for number, at in enumerate(minutes):
        rows = [
            Ended("bench", route, at, Ending.COMPARED, "match", traffic.epoch, count=each, primary_ms=ms, candidate_ms=1.1 * ms)
            for route, ms in zip(routes, traffic.times(len(routes)), strict=True)
        ]
        await store.write(Batch(ended=tuple(rows)), 5)
        if number % 100 == 0:
            await store.prune(BEGUN - 60 * DAY, BEGUN)
    await store.prune(BEGUN - 60 * DAY, BEGUN)
    open_ = [replace(end, primary_ms=None, candidate_ms=None) for end in Traffic(matches=1.0).ends(requests // DAYS // 24)]
    for start in range(0, len(open_), 5_000):
        await store.write(Batch(ended=tuple(open_[start : start + 5_000])), 5)
    await vacuum(store)


def queries(traffic: Traffic, cluster: str) -> dict[str, Callable[[Store], Awaitable[Any]]]:
    """What the pages ask."""
    route = traffic.routes[0]
    return {
        "parity table": lambda store: store.route_rows(),
        "ledger": lambda store: store.ledgers(),
        "evidence of a route": lambda store: store.evidence(route),
        "chart of an hour": lambda store: store.tallies(route, BEGUN - HOUR),
        "chart of a day": lambda store: store.tallies(route, BEGUN - DAY),
        "chart of a week": lambda store: store.tallies(route, BEGUN - 7 * DAY),
        "clusters": lambda store: store.clusters(),
        "clusters of a route": lambda store: store.clusters(route),
        "a cluster's examples": lambda store: store.examples(cluster),
        "use of rules": lambda store: store.rule_usage(),
        "decisions": lambda store: store.decisions(),
    }


async def measure(urls: tuple[str, str]) -> None:
    """Prints a line for each query."""
    stores = [open_store(url) for url in urls]
    try:
        for store, requests in zip(stores, AMOUNTS, strict=True):
            await fill(store, requests)
        cluster = (await stores[0].clusters())[0].id
        print(f"{'':22} {AMOUNTS[0]:>14,} {AMOUNTS[1]:>14,}")
        for name, ask in queries(Traffic(), cluster).items():
            taken: tuple[list[float], list[float]] = ([], [])
            for turn in range(2 * ROUNDS):
                which = (turn + turn // 2) % 2  # 0 1 1 0 ...: neither is always the second
                begun = time.perf_counter()
                await ask(stores[which])
                taken[which].append(time.perf_counter() - begun)
            small, large = (statistics.median(times) * 1000 for times in taken)
            print(f"{name:22} {small:11.2f} ms {large:11.2f} ms   x {large / small:.2f}", flush=True)
    finally:
        for store in stores:
            await store.close()


def main() -> None:
    """Prints a table for each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    for kind in (options.only,) if options.only else ("sqlite", "postgresql"):
        print(kind)
        with ExitStack() as stack:
            urls = (stack.enter_context(places(kind)), stack.enter_context(places(kind)))
            asyncio.run(measure(urls))


if __name__ == "__main__":
    main()
