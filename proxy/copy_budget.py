"""How many bytes of bodies may be kept for copies over all open requests at once. Beyond it the live answers go on, uncopied."""

from __future__ import annotations

from enum import IntEnum

MOST_BYTES = 256 * 1024 * 1024


class Copying(IntEnum):
    """What may still be copied, as memory allows."""

    ALL = 0
    NO_BODIES = 1
    """Nothing more is kept: a request or an answer with a body goes uncopied."""
    NOTHING = 2


class CopyBudget:
    """A counter that says no. Whoever takes gives back exactly what it took."""

    __slots__ = ("_limit", "_most", "copying", "used")

    def __init__(self, limit: int = MOST_BYTES) -> None:
        self._limit = self._most = limit
        self.used = 0
        self.copying = Copying.ALL

    def take(self, size: int) -> bool:
        """Whether `size` more bytes may be kept; they are counted then."""
        if self.used + size > self._limit:
            return False
        self.used += size
        return True

    def give(self, size: int) -> None:
        """`size` bytes that were taken are kept no longer."""
        self.used -= size

    def allow(self, copying: Copying) -> None:
        """From now on so much may be copied. What is kept already stays until it is given back."""
        self.copying = copying
        self._limit = self._most if copying is Copying.ALL else 0
