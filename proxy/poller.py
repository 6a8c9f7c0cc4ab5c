"""Reads the stored decisions, off the live path. A store that is slow, wrong or gone changes nothing: what was decided stays."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from proxy.decision_book import DecisionBook

if TYPE_CHECKING:
    from store.database import Store

EVERY_S = 0.5
DEADLINE_S = 2.0

_log = structlog.get_logger("paritygate.proxy")


class Poller:
    """Offers every stored decision to the book, which takes the newer signed ones."""

    def __init__(self, store: Store, book: DecisionBook) -> None:
        self._store = store
        self._book = book
        self.trouble: str | None = None
        """Why the store cannot be read at the moment, None while it can."""

    async def run(self) -> None:
        """Polls for ever."""
        while True:
            await self.poll()
            await asyncio.sleep(EVERY_S)

    async def poll(self) -> None:
        """Reads once; whatever goes wrong is noted and nothing else."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                decisions = await self._store.decisions()
            self._book.offer_all(decisions)
        except TimeoutError:
            self._note(f"no answer within {DEADLINE_S:g} s")
        except Exception as error:  # StoreError, and whatever a database driver can think of
            self._note(str(error) or type(error).__name__)
        else:
            self._note(None)

    async def close(self) -> None:
        """Gives the store's connections back."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._store.close()
        except Exception as error:
            _log.info("the store could not be closed", error=type(error).__name__)

    def _note(self, trouble: str | None) -> None:
        if (trouble is None) != (self.trouble is None):
            if trouble is None:
                _log.info("the store answers again")
            else:
                _log.warning("the store cannot be read; the last decisions stay in force", reason=trouble)
        self.trouble = trouble
