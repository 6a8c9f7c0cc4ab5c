"""What `paritygate doctor` says of the memory that a worker of the proxy may have before it stops copying."""

from __future__ import annotations

from cli.check import Check
from proxy.memory_ceiling import cgroup_limit, limit_in_force
from settings.model import Settings

MIB = 1024 * 1024
LEAST = 150 * MIB
"""A worker has some 80 MiB before it has served anybody."""


def memory_check(settings: Settings) -> Check:
    """The finding about proxy.max_memory and the cgroup's limit."""
    found = limit_in_force(settings)
    if found is None:
        return Check("memory", True, "no ceiling for workers: neither proxy.max_memory nor a cgroup's limit is set")
    limit, source = found
    workers, own = settings.proxy.workers, settings.proxy.max_memory is not None
    text = f"{limit // MIB} MiB for each worker ({source})"
    if limit < LEAST:
        remedy = f'set proxy.max_memory = "{LEAST // MIB}MiB" or more' if own else "raise that limit"
        if not own and workers > 1:
            remedy += ", or have fewer workers"
        why = f"below {LEAST // MIB} MiB a worker hardly copies anything, it needs about 80 MiB by itself"
        return Check("memory", None, f"{text}: {why}; {remedy}")
    whole = cgroup_limit()
    if own and whole is not None and limit * workers > whole:
        return Check(
            "memory",
            None,
            f"{text}: {workers} of them are more than the cgroup's limit of {whole // MIB} MiB, and the kernel ends one before it "
            f'stops copying; set proxy.max_memory to "{whole // (workers + 1) // MIB}MiB", or leave it out',
        )
    return Check("memory", True, text)
