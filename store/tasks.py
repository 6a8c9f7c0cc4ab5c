"""asyncio tasks that have a name and are kept: the event loop itself holds only weak references."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

_kept: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    """Starts `work` as a named task that cannot be garbage-collected while it runs."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _kept.add(task)
    task.add_done_callback(_kept.discard)
    return task
