"""The fast lane of the hand-off: memory that one proxy worker writes and one connection's shadow reads.

Frames lie one after the other, each in one piece; one that does not fit before the end begins at the start again, and four zero bytes
(or fewer bytes than that) say so. Positions count every byte since the ring was made, so they only grow. Nothing in the memory
synchronises anything: the shadow reads up to where a Filled says, and the proxy writes over what a Taken has given back.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
from collections.abc import Sequence

from traffic.codec import CodecError

RING_BYTES = 4 * 1024 * 1024
LARGEST = 256 * 1024
"""A frame that is larger goes over the socket."""
_WRAPPED = bytes(4)


class Ring:
    """`head` is where the next frame goes at the earliest, `told` how far the shadow may read, `taken` how far it has read."""

    def __init__(self, size: int = RING_BYTES) -> None:
        """Raises OSError, and AttributeError where there are no such files. `size` is in bytes."""
        self.descriptor = os.memfd_create("paritygate-ring", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.descriptor, size)
            # A file that shrank under its mapping would kill whoever reads it.
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
            self._memory = mmap.mmap(self.descriptor, size)
        except BaseException:
            os.close(self.descriptor)
            raise
        self._size = size
        self.head = self.told = self.taken = 0

    def put(self, pieces: Sequence[bytes], size: int) -> int:
        """Copies a frame of `size` bytes in; the position behind it, or 0 when there is no room for it now."""
        at = self.head % self._size
        left = self._size - at
        skip = left if size > left else 0
        head = self.head + skip + size
        if size > LARGEST or head - self.taken > self._size:
            return 0
        memory = self._memory
        if skip:
            if skip >= 4:
                memory[at : at + 4] = _WRAPPED
            at = 0
        for piece in pieces:
            end = at + len(piece)
            memory[at:end] = piece
            at = end
        self.head = head
        return head

    def copy(self, end: int, size: int) -> bytes:
        """The frame of `size` bytes that ends at the position `end`."""
        at = (end - size) % self._size
        return self._memory[at : at + size]

    def give_back(self, until: int) -> None:
        """The shadow has read up to `until`. Raises CodecError when it cannot have."""
        if not self.taken <= until <= self.told:
            raise CodecError(f"the ring was read from {self.taken} to {self.told} at the most, not to {until}")
        self.taken = until

    def send_with(self, peer: socket.socket, data: bytes) -> int:
        """Sends the descriptor with `data`; how many bytes of it were sent. Raises OSError. The descriptor is closed in any case."""
        try:
            return socket.send_fds(peer, [data], [self.descriptor])
        finally:
            os.close(self.descriptor)
            self.descriptor = -1

    def close(self) -> None:
        """Gives the memory up; it lives on as long as the shadow has it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        self._memory.close()


def new_ring() -> Ring | None:
    """A ring for a new connection; None where there can be none: then everything goes over the socket."""
    try:
        return Ring()
    except (OSError, AttributeError):
        return None
