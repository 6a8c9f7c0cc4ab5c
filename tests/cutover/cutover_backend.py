"""A real HTTP/1.1 backend on loopback that echoes who asked for what, and can be given a defect while clients ask."""

from __future__ import annotations

import asyncio
import hashlib
import time

from tests.ports import free_port

COPY = b"x-paritygate-shadow"
BUILD = b"x-build"


def body_of(path: str, user: str, wrong: bool = False) -> bytes:
    """What a backend answers; a defect shows as one more field."""
    return f'{{"path": "{path}", "user": "{user}"{", " if wrong else ""}{DEFECT if wrong else ""}}}'.encode()


DEFECT = '"price": "0"'


def drawn(path: str, share: float) -> bool:
    """Whether a request is among the `share` that a defect meets: always the same ones, also when asked again."""
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") < share * 2**64


class Backend:
    """`defects` says for each first segment of a path which share of its answers is wrong. `build` names it in a header."""

    def __init__(self, build: str = "") -> None:
        self.port = free_port()
        self.build = build
        self.defects: dict[str, float] = {}
        self.refused: set[str] = set()
        """First segments whose requests get a 401."""
        self.lives = 0
        self.first_wrong_at: dict[str, float] = {}
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # whoever asked is gone, or the test is over
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        line, *lines = head[:-4].split(b"\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (text.partition(b":") for text in lines)}
        path = line.split(b" ")[1].decode("latin-1")
        segment = path.split("/")[1]
        if COPY not in fields:
            self.lives += 1
        user = fields.get(b"cookie", b"").decode("latin-1").partition("sessionid=")[2]
        wrong = drawn(path, self.defects.get(segment, 0.0))
        if wrong:
            self.first_wrong_at.setdefault(segment, time.time())
        status = "401 Unauthorized" if segment in self.refused else "200 OK"
        body = body_of(path, user, wrong)
        named = f"X-Build: {self.build}\r\n" if self.build else ""
        return (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{named}Content-Length: {len(body)}\r\n\r\n".encode() + body
        )
