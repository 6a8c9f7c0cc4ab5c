"""What one comparison may cost. Work is counted in visited nodes, never in seconds: the same bodies always end the same."""

from __future__ import annotations


class LimitHit(Exception):
    """A bound was reached: no judgement is possible. The text says which."""


class Budget:
    """Visited nodes of one comparison; raises LimitHit beyond `nodes`. `spent` is what it has cost so far."""

    __slots__ = ("nodes", "spent")

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        self.spent = 0

    def spend(self, count: int = 1) -> None:
        """Counts `count` more nodes."""
        self.spent += count
        if self.spent > self.nodes:
            raise LimitHit(f"more than {self.nodes} nodes visited (limits.nodes)")
