"""The stage of the transparency tests: proxies that outlive one test, between raw clients and a raw backend."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from proxy import connections
from tests.proxy.conftest import folder as folder
from tests.proxy.conftest import stage as stage
from tests.proxy.conftest import staged
from tests.proxy.conftest import wait as wait
from tests.transparency.exchange import Exchange
from tests.transparency.raw_backend import RawBackend
from tests.transparency.raw_client import Seen, play


class Theatre:
    """One raw backend with a proxy before it, on an event loop that runs while a case is played."""

    def __init__(self, plain: bool) -> None:
        self._runner = asyncio.Runner()
        self._open = AsyncExitStack()
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._plain = plain
        self.backend = RawBackend()
        self._runner.run(self._start())

    async def _start(self) -> None:
        await self.backend.start()
        before, connections.PLAIN = connections.PLAIN, self._plain
        url = f"http://127.0.0.1:{self.backend.port}"
        self.stage: Any = await self._open.enter_async_context(staged(self._folder, primary={"url": url}))
        self._before = before

    def close(self) -> None:
        connections.PLAIN = self._before
        self._runner.run(self._open.aclose())
        self._runner.run(self.backend.stop())
        self._runner.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def direct(self, exchange: Exchange) -> Seen:
        return self._runner.run(play(exchange, self.backend.port, self.backend))

    def proxied(self, exchange: Exchange) -> Seen:
        return self._runner.run(play(exchange, self.stage.port, self.backend))


@pytest.fixture(scope="module")
def theatre(request: pytest.FixtureRequest) -> Iterator[Theatre]:
    """Common exchanges may take the plain path, or everything goes through mitmproxy's layers."""
    made = Theatre(request.param == "plain path")
    yield made
    made.close()
