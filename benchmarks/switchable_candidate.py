"""A candidate that answers as it is told: `python -m benchmarks.switchable_candidate PORT CONTROL_PORT FOLDER`.

`GET /MODE` on the control port sets the mode: healthy, dead (nobody listens), slow (an answer after 5 s), hanging (never one) or
resetting (in mid-body). Healthy answers are the files of the folder.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from pathlib import Path

MODES = ("healthy", "dead", "slow", "hanging", "resetting")
SLOW_S = 5.0


class Candidate(asyncio.Protocol):
    """One connection."""

    mode = "healthy"
    files: dict[bytes, bytes]
    open: set[asyncio.Transport]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.open.add(transport)
        self._waiting = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self.open.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while (end := self._waiting.find(b"\r\n\r\n")) >= 0:
            target = self._waiting.split(b" ", 2)[1]
            self._waiting = self._waiting[end + 4 :]
            body = self.files.get(target.partition(b"?")[0], b"")
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            if self.mode == "healthy":
                self.transport.write(answer)
            elif self.mode == "slow":
                asyncio.get_running_loop().call_later(SLOW_S, self._answer, answer)
            elif self.mode == "resetting":
                self.transport.write(answer[: len(answer) // 2])
                raw = self.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.transport.abort()

    def _answer(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


async def serve(port: int, control_port: int, files: dict[bytes, bytes]) -> None:
    """Serves until it is killed."""
    loop = asyncio.get_running_loop()
    Candidate.files, Candidate.open = files, set()
    server = await loop.create_server(Candidate, "127.0.0.1", port, backlog=1024)

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal server
        mode = (await reader.readline()).split(b" ")[1].decode().lstrip("/")
        if mode in MODES:
            Candidate.mode = mode
            for transport in list(Candidate.open):
                transport.abort()
            if mode == "dead":
                server.close()
            elif not server.is_serving():
                server = await loop.create_server(Candidate, "127.0.0.1", port, backlog=1024)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(control, "127.0.0.1", control_port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    found = {f"/{path.name}".encode(): path.read_bytes() for path in Path(sys.argv[3]).iterdir()}
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), found))
