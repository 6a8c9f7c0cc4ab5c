"""Keeps `Builds` up to date with what is said of the candidate beside its answers: the version URL, and `paritygate deployed`."""

from __future__ import annotations

import asyncio

import structlog

from shadow.builds import Builds
from shadow.faults import Outage
from shadow.version_url import VersionUrl
from store.database import Store
from store.declared_builds import read_declared

log = structlog.get_logger("paritygate.shadow")

EVERY_S = 2.0
DEADLINE_S = 2.0


class StatedBuilds:
    """Asks every EVERY_S seconds. What cannot be had leaves the build as it is: an outage starts no new evidence."""

    def __init__(self, builds: Builds, store: Store, version_url: str | None, every_s: float = EVERY_S) -> None:
        self._builds, self._store, self._every_s = builds, store, every_s
        self._url = VersionUrl(version_url) if version_url is not None else None
        self._link = 0
        self._store_outage = Outage("declared builds cannot be read; the build known last goes on")
        self._url_outage = Outage("the version URL names no build; the build known last goes on")

    async def look(self) -> None:
        """Asks both once, for DEADLINE_S at the most. Never raises."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_at_url(), name="version URL")
            group.create_task(self._look_at_store(), name="declared build")

    async def run(self) -> None:
        """Asks until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(self._every_s)
                await self.look()
        finally:
            if self._url is not None:
                await self._url.close()

    async def _look_at_url(self) -> None:
        if self._url is None:
            return
        try:
            build = await self._url.ask()
            self._url_outage.worked()
        except Exception as error:
            self._url_outage.failed(error)
            return
        if self._builds.observe(build):
            log.info("the version URL names a build", build=build)

    async def _look_at_store(self) -> None:
        try:
            async with asyncio.timeout(DEADLINE_S):
                declared, self._link = await read_declared(self._store, self._link)
            self._store_outage.worked()
        except Exception as error:
            self._store_outage.failed(error)
            return
        if declared is not None and self._builds.declare(declared.build):
            log.info("a build was declared", build=declared.build)
