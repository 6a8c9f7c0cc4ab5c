"""What a worker has under way: the figures that are gauges, not counters. They travel from worker to parent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """One worker at one moment. `place` is its number, `boot` the name of its openings."""

    place: int
    boot: str
    draining: bool = False
    open: int = 0
    """Client requests under way."""
    clients: int = 0
    accept_failures: int = 0
    """A counter: accepts that failed for want of descriptors or memory."""
    copies_bytes: int = 0
    handoff_waiting: int = 0
    handoff_connected: bool = False
    open_files: int = 0
    """Descriptors in use; 0 where the kernel does not count them (before Linux 6.2)."""
    copying: int = 0
    """What memory lets be copied, as proxy.copy_budget.Copying: 0 everything, 1 no bodies, 2 nothing."""
    certificate_expires: int = 0
    """When the certificate that new clients get ends, in Unix seconds; 0 without TLS."""
