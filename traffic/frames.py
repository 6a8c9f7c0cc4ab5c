"""Cuts a stream of bytes into what stands behind 4-byte, big-endian lengths. Does no IO."""

from __future__ import annotations

from collections.abc import Iterator


class TooLong(ValueError):
    """A length over the limit was announced; the stream is unusable."""


class FrameCutter:
    """Payloads of at most `most` bytes; feed it what a socket gave, in any pieces."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The payloads completed by `data`, their lengths taken off. Raises TooLong."""
        self._buffer += data
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if length > self._most:
                raise TooLong(f"a frame of {length} bytes is announced, the limit is {self._most}")
            if len(self._buffer) < 4 + length:
                return
            payload = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            yield payload
