"""How many times faster the differ is than DeepDiff on the same pairs, side by side in one run.

Run as `python -m benchmarks.differ_against_deepdiff`.

Prints ratios of CPU time, medians over interleaved rounds; single times on a shared machine mean little.
"""

from __future__ import annotations

import copy
import json
import random
import statistics
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import orjson
from deepdiff import DeepDiff

from differ.judge import judge
from rules.load import EMPTY
from traffic.message import Request, Response

OBJECTS = 35
ROUNDS = 7
HEADERS = ((b"content-type", b"application/json"),)
TODAY = date(2026, 1, 1)


def corpus(seed: int) -> list[dict[str, Any]]:
    """About 20 KiB of list entries as APIs send them."""
    rng = random.Random(seed)
    return [
        {
            "id": number,
            "name": f"product {rng.random():.12f}",
            "price": f"{rng.randrange(1, 99999) / 100:.2f}",
            "tags": [f"tag-{rng.randrange(50)}" for _ in range(6)],
            "owner": {"id": rng.randrange(999), "name": f"owner {rng.random():.12f}", "active": rng.random() < 0.5},
            "stock": {"north": rng.randrange(99), "south": rng.randrange(99), "note": "x" * 120},
            "updated_at": f"2026-01-{rng.randrange(1, 28):02d}T10:00:00Z",
        }
        for number in range(OBJECTS)
    ]


def pairs() -> dict[str, tuple[bytes, bytes]]:
    """Pairs of bodies by what differs between them."""
    first = corpus(1)
    leaf = copy.deepcopy(first)
    leaf[17]["owner"]["name"] = "someone else"
    spaced = json.dumps(first).encode()
    compact = orjson.dumps(first)
    return {"identical bytes": (compact, compact), "spacing only": (spaced, compact), "one leaf": (compact, orjson.dumps(leaf))}


def cpu(work: Callable[[], object], repeats: int) -> float:
    """CPU seconds of one call."""
    begun = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - begun) / repeats


def main() -> None:
    """Prints one line per pair."""
    request = Request("GET", b"/api/items/")
    for name, (a, b) in pairs().items():
        ratios_deepdiff, ratios_parse = [], []
        for _ in range(ROUNDS):
            ours = cpu(
                lambda a=a, b=b: judge(
                    request, "GET /api/items/", Response(200, HEADERS, a), Response(200, HEADERS, b), EMPTY, TODAY
                ),  # type: ignore[misc]
                60,
            )
            parse = cpu(lambda a=a, b=b: (orjson.loads(a), orjson.loads(b)), 60)  # type: ignore[misc]
            deep = cpu(lambda a=a, b=b: DeepDiff(orjson.loads(a), orjson.loads(b)), 2)  # type: ignore[misc]
            ratios_deepdiff.append(deep / ours)
            ratios_parse.append(ours / parse)
        print(
            f"{name:16} {len(a) / 1024:5.1f} KiB   {statistics.median(ratios_deepdiff):8.0f} x DeepDiff   "
            f"{statistics.median(ratios_parse):6.2f} x the cost of parsing both"
        )


if __name__ == "__main__":
    main()
