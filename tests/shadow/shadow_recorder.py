"""A recorder in memory for tests."""

from __future__ import annotations

from collections.abc import Sequence

from shadow_store import ListStore

import shadow.recorder
from shadow.held import Held
from shadow.recorder import Recorder
from store.records import Ended, OpeningCounts
from traffic.outcome import Ending


def end(number: int = 0, client: str = "") -> Ended:
    return Ended("boot", "GET /a", float(number), Ending.COMPARED, "match", client=client)


async def nothing(boots: set[str]) -> Sequence[OpeningCounts]:
    return ()


def made(store: ListStore, openings: shadow.recorder.Openings = nothing) -> tuple[Recorder, Held]:
    held = Held()
    return Recorder(store, held, openings, "writer", 5, lambda: 1000.0), held  # type: ignore[arg-type]


def put(recorder: Recorder, held: Held, item: Ended) -> None:
    held.received(item.boot, item.route)
    recorder.put(item)
