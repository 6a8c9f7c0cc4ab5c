"""Loopback ports for somebody else to bind later: a process that is about to start, a backend that comes back, nobody at all.

`from tests.ports import free_port` works in every folder of tests/. Port 0 will do where the test keeps the socket that it has bound.
A port that was found by binding port 0 and closing is not kept: the kernel gives it to the next outgoing connection, anybody's. So
these lie below the range that the kernel takes such ports from, and no two processes of tests draw from the same ones.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

FIRST, END = 10_100, 32_000  # browsers refuse 10080
BLOCK = 500


def _blocks() -> Iterator[range]:
    """Blocks of ports that are this process's alone until it ends, one after the other; whoever starts next starts elsewhere.

    The name of a Unix socket without a file is a lock that all processes on this network's ports see, two workers of one run as well
    as two runs, and that ends with the process, however that ends.
    """
    count = (END - FIRST) // BLOCK
    for turn in range(count):
        block = (os.getpid() * 7 + turn) % count
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0paritygate-tests-ports-{block}")
        except OSError:
            lock.close()
            continue
        _locks.append(lock)
        first = FIRST + block * BLOCK
        yield range(first, first + BLOCK)


def _is_free(port: int) -> bool:
    """Whether nobody has the port on any address, and no connection of before lingers on it."""
    with socket.socket() as probe:  # without SO_REUSEADDR
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def _ports() -> Iterator[int]:
    """Each port once; over again from the first when no block is left."""
    known = []
    for block in _blocks():
        known += block
        yield from block
    while known:
        yield from known


_locks: list[socket.socket] = []
_numbers = _ports()


def free_port() -> int:
    """A port below the ephemeral ones that nobody listens on and nobody else is given. Raises RuntimeError when there is none."""
    for _ in range(END - FIRST):
        port = next(_numbers, None)
        if port is None:
            break
        if _is_free(port):
            return port
    raise RuntimeError(f"no free port from {FIRST} to {END}: too many test processes hold their blocks, or everything is bound")


def free_ports(count: int) -> list[int]:
    """`count` different ones."""
    return [free_port() for _ in range(count)]
