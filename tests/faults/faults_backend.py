"""A raw HTTP/1.1 backend on loopback whose behaviour is one word that can be changed at any moment: a primary or a faulty candidate.

Words: `ok` `refuse` `delay:S` `hang` `blackhole` `slowhdr` `drip` `rst` `rst-mid` `eof-mid` `garbage` `status:N` `wrong` `huge:MB`
`odd` `flaky:P`, and the bodies of `faults_bodies`. The last segment of a request's path is its id, and the answer echoes it.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from dataclasses import dataclass

from faults_bodies import HOSTILE, ODD

from tests.ports import free_port

MIB = b"x" * 1024 * 1024
MARKER = b"x-paritygate-shadow"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its method, the id in its path, whether it came as a copy, and its body."""

    method: str
    id: str
    copy: bool
    body: bytes


def plain(identifier: str, status: int = 200, extra: str = "") -> bytes:
    """The answer of a healthy backend."""
    body = f'{{"id": "{identifier}"{extra}}}'.encode()
    head = f"HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Backend:
    """`lives` and `copies` count how often each id was asked for, `connections` are open now, `accepted` were ever made."""

    def __init__(self, mode: str = "ok", seed: int = 1) -> None:
        self.mode = mode
        self.port = free_port()  # its own also while it listens not
        self.lives: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()
        self.methods: Counter[str] = Counter()
        self.accepted = 0
        self._random = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def connections(self) -> int:
        return len(self._writers)

    async def start(self) -> None:
        """Listens, on the same port as before if there was one."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=4096)

    def stop(self) -> None:
        """Dies: nobody listens any more, every connection is reset."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            reset(writer)

    async def behave(self, mode: str) -> None:
        """Behaves like `mode` from now on; connections of the old behaviour are cut unless it was `ok`."""
        if mode in HOSTILE:
            await asyncio.to_thread(HOSTILE[mode])  # made once, which takes a while
        before, self.mode = self.mode, mode
        if mode == "refuse":
            self.stop()
            return
        await self.start()
        if before != "ok":
            for writer in list(self._writers):
                reset(writer)

    def forget(self) -> None:
        """Counts from zero."""
        self.lives.clear()
        self.copies.clear()
        self.methods.clear()
        self.accepted = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.accepted += 1
        try:
            while self.mode == "blackhole":
                await asyncio.sleep(0.1)
            while await self._answer(await self._read(reader), writer):
                pass
            if self.mode == "hang":
                await reader.read()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # whoever asked is gone, or the test is over
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Asked:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *lines = head[:-4].split(b"\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (text.partition(b":") for text in lines)}
        method, target, _ = line.decode("latin-1").split(" ")
        body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
        asked = Asked(method, target.partition("?")[0].rpartition("/")[2], MARKER in fields, body)
        (self.copies if asked.copy else self.lives)[asked.id] += 1
        self.methods[f"{method} {'copy' if asked.copy else 'live'}"] += 1
        return asked

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        word, _, figure = self.mode.partition(":")
        answer = plain(asked.id)
        if word == "flaky":
            word = (
                "ok" if self._random.random() >= float(figure) else self._random.choice(("rst", "eof-mid", "status", "garbage"))
            )
            figure = "500"
        if word == "ok":
            writer.write(answer)
        elif word == "delay":
            await asyncio.sleep(float(figure))
            writer.write(answer)
        elif word == "status":
            writer.write(plain(asked.id, int(figure)))
        elif word == "wrong":
            writer.write(plain(asked.id, extra=', "wrong": true'))
        elif word == "odd":
            writer.write(ODD[int(asked.id[-1]) % len(ODD)])
        elif word in HOSTILE:
            writer.write(HOSTILE[word]())
        elif word == "huge":
            await self._huge(int(figure), writer)
        elif word in ("slowhdr", "drip"):
            await self._slowly(answer if word == "slowhdr" else answer[answer.index(b"\r\n\r\n") + 4 :], answer, word, writer)
        elif word == "hang":
            return False  # `_serve` waits until the other side gives up
        elif word == "garbage":
            writer.write(b"\x00\xff this is no HTTP \r\n\r\n" * 20)
            return False
        elif word == "rst":
            reset(writer)
            return False
        elif word in ("rst-mid", "eof-mid"):
            writer.write(answer[:-5])
            await writer.drain()
            if word == "rst-mid":
                await asyncio.sleep(0.01)  # the first bytes shall have been read
                reset(writer)
            return False
        await writer.drain()
        return True

    async def _huge(self, mebibytes: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % (mebibytes * len(MIB)))
        for _ in range(mebibytes):
            writer.write(MIB)
            await writer.drain()

    async def _slowly(self, rest: bytes, answer: bytes, word: str, writer: asyncio.StreamWriter) -> None:
        if word == "drip":
            writer.write(answer[: -len(rest)])
        for place in range(len(rest)):
            writer.write(rest[place : place + 1])
            await writer.drain()
            await asyncio.sleep(0.2)


def reset(writer: asyncio.StreamWriter) -> None:
    """Closes with RST instead of FIN."""
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
