"""What `paritygate doctor` says of the store. It makes none: `paritygate up` does."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from sqlalchemy import make_url

from cli.check import Check
from cli.codes import Exit
from settings.model import Settings
from store.database import open_store
from store.errors import NoStore, StoreError, place_of

DEADLINE_S = 10.0


async def store_check(settings: Settings) -> Check:
    """The finding about store.url. A store of an older release is migrated."""
    store = open_store(settings.store_url)
    place = place_of(make_url(settings.store_url))
    try:
        async with asyncio.timeout(DEADLINE_S):
            await store.upgrade(make=False)
    except NoStore:
        fault = _unwritable(settings)
        if fault is not None:
            return Check("store", False, fault, Exit.UNREACHABLE)
        return Check(
            "store", None, f"{place}: there is no store yet; `paritygate up` makes one (so does `paritygate store upgrade`)"
        )
    except (StoreError, TimeoutError) as error:
        return Check("store", False, str(error) or f"{place}: no answer within {DEADLINE_S:g} s", Exit.UNREACHABLE)
    finally:
        await store.close()
    return Check("store", True, f"{place} is at this release's schema")


def _unwritable(settings: Settings) -> str | None:
    """Why `paritygate up` could not make a SQLite store there, if so."""
    url = make_url(settings.store_url)
    if not url.drivername.startswith("sqlite"):
        return None
    path = Path(str(url.database))
    if path.exists():
        return None if os.access(path, os.W_OK) else f"{path}: this user may not write there; make the file writable"
    if not path.parent.is_dir():
        return f"{path}: the folder {path.parent} does not exist; make it, or correct store.url"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"{path}: this user may not write to the folder {path.parent}; make it writable, or correct store.url"
    return None
