"""A shadow in a process of its own, to be killed: `python shadow_process.py FOLDER PRIMARY CANDIDATE`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from shadow_stage import KEY, configured

from rules.load import EMPTY
from shadow.serve import serve
from store.database import open_store
from traffic.route import Route, RouteTable


async def main(folder: Path, primary: str, candidate: str) -> None:
    settings = configured(folder, primary, candidate, mirror={"max_in_flight": 4})
    store = open_store(settings.store_url)
    await store.upgrade()
    try:
        await serve(settings, KEY, EMPTY, store, lambda: print("ready", flush=True), RouteTable([Route("GET", "/a")]))  # noqa: T201
    finally:
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
