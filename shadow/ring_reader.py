"""The shadow's end of a proxy's ring (proxy/ring.py): maps it and cuts it into frames, trusting neither its size nor its content."""

from __future__ import annotations

import fcntl
import mmap
import os
import stat
from collections.abc import Iterator, Sequence

from traffic.codec import CodecError

SMALLEST, LARGEST = 4096, 64 * 1024 * 1024


class RingReader:
    """Reads one ring, whose mapping it owns. `position` is how far it has read, as Filled and Taken count."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._size = len(memory)
        self.position = 0

    def frames(self, until: int) -> Iterator[bytes]:
        """Copies of the frames up to the position `until`, their first lengths taken off. Raises CodecError."""
        if not 0 < until - self.position <= self._size:
            raise CodecError(f"a ring of {self._size} bytes was read to {self.position} and cannot be filled to {until}")
        while left := until - self.position:
            at = self.position % self._size
            to_end = self._size - at
            if left < 4 <= to_end:
                raise CodecError("a ring is filled to the middle of a frame")
            length = int.from_bytes(self._memory[at : at + 4], "big") if to_end >= 4 else 0
            if length == 0:
                if left <= to_end:
                    raise CodecError("a frame of no bytes in a ring")
                self.position += to_end
                continue
            if 4 + length > min(left, to_end):
                raise CodecError(f"a frame of {length} bytes in a ring goes over its end")
            payload = self._memory[at + 4 : at + 4 + length]
            self.position += 4 + length
            yield payload

    def close(self) -> None:
        """Gives the memory up."""
        self._memory.close()


def map_ring(descriptors: Sequence[int]) -> RingReader | None:
    """The ring behind the first of `descriptors`, read-only; None without one, or for anything that is no ring. Closes them all."""
    try:
        return _mapped(descriptors[0]) if descriptors else None
    except (OSError, ValueError):
        return None
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _mapped(descriptor: int) -> RingReader | None:
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or not SMALLEST <= about.st_size <= LARGEST:
        return None
    if not fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
        return None  # it could shrink later, and reading it would then end this process
    return RingReader(mmap.mmap(descriptor, about.st_size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ))
