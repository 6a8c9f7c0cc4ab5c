"""What one comparison may cost. Work is counted in visited nodes, never in seconds: the same bodies always end the same."""

from __future__ import annotations

NODE = 8
"""What a node costs that is walked by itself, in units of one that is compared as a part of its parent."""
FORM = 2
"""What a node costs of which a canonical form is made."""


class LimitHit(Exception):
    """A bound was reached: no judgement is possible. The text says which."""


class NodesSpent(LimitHit):
    """More nodes than may be visited. What was found before is still true."""


class Budget:
    """Visited nodes of one comparison; raises NodesSpent beyond `nodes`. `spent` is what it has cost so far."""

    __slots__ = ("nodes", "spent")

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        self.spent = 0

    def spend(self, count: int = 1) -> None:
        """Counts `count` more nodes."""
        self.spent += count
        if self.spent > self.nodes:
            raise NodesSpent(f"more than {self.nodes} nodes visited (limits.nodes)")
