"""How many clients a process has descriptors for."""

from __future__ import annotations

import resource

MOST_FILES = 65_536
OWN_FILES = 64


def clients_for(files: int) -> int:
    """How many clients so many descriptors are enough for: two each, and some for ourselves."""
    return max(8, (files - OWN_FILES) // 2)


def room_for_clients() -> int:
    """How many clients can be connected at once: each takes two file descriptors, and some are kept for ourselves.

    Raises the soft limit of this process as far as it may. Beyond it, clients are told 503 at once: without descriptors, accepting
    would spin and those that are connected could not be served either.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):
            pass  # the limit that there is then bounds the clients
    return clients_for(min(soft, MOST_FILES))
