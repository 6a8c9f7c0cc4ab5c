"""Taking the front port, also from what a parent that was killed has left behind: its workers end by themselves, at once.

Two lock files per address tell who is alive: one is held by the parent, the other by everyone who has the port's socket.
Both go with their holders, however these end.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import socket
from pathlib import Path

from proxy.errors import AddressTaken
from proxy.front import bind
from settings.model import Settings

PATIENCE_S = 3.0
RETRY_S = 0.02


class Port:
    """The bound front socket and the lock that goes to the workers together with it."""

    def __init__(self, front: socket.socket, holders: int | None, parent: int | None) -> None:
        self.front = front
        self.holders = holders
        """A descriptor for the workers to inherit, None where there are no locks."""
        self._parent = parent

    def close(self) -> None:
        """Gives the port up, as far as this process is concerned."""
        self.front.close()
        for descriptor in (self.holders, self._parent):
            if descriptor is not None:
                os.close(descriptor)
        self.holders = self._parent = None


async def take_port(settings: Settings) -> Port:
    """Binds `proxy.listen`. Raises ProxyError; at once where another process has it, unless that is a worker whose parent is dead."""
    address = settings.proxy.listen
    name = re.sub(r"[^\w.]", "-", address)
    parent = _open(settings.state_dir / f"parent-{name}.lock")
    holders = _open(settings.state_dir / f"port-{name}.lock")
    try:
        alone = parent is not None and holders is not None and _take(parent)
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                front = bind(address, "proxy.listen")
                break
            except AddressTaken:
                orphans = alone and holders is not None and not _take(holders)
                if not orphans or asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(RETRY_S)
        while alone and holders is not None and not _take(holders):  # whoever left the port is about to leave the lock
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(RETRY_S)
    except BaseException:
        for descriptor in (parent, holders):
            if descriptor is not None:
                os.close(descriptor)
        raise
    return Port(front, holders, parent)


def _open(path: Path) -> int | None:
    """None where no lock can be had: then nobody is waited for."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
