"""How many bytes of bodies may be kept for copies over all open requests at once. Beyond it the live answers go on, uncopied."""

from __future__ import annotations

MOST_BYTES = 256 * 1024 * 1024


class CopyBudget:
    """A counter that says no. Whoever takes gives back exactly what it took."""

    __slots__ = ("_limit", "used")

    def __init__(self, limit: int = MOST_BYTES) -> None:
        self._limit = limit
        self.used = 0

    def take(self, size: int) -> bool:
        """Whether `size` more bytes may be kept; they are counted then."""
        if self.used + size > self._limit:
            return False
        self.used += size
        return True

    def give(self, size: int) -> None:
        """`size` bytes that were taken are kept no longer."""
        self.used -= size
