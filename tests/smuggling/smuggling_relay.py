"""A wire between the proxy and a backend that keeps a tape of what passes: what the proxy said, and what it was answered."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

from smuggling_payload import ID
from smuggling_reading import Ambiguous, Reading, requests_in

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nseen\n"
_ANSWER = re.compile(rb"HTTP/1\.[01] ([2-9][0-9][0-9]|101)")


@dataclass
class Tape:
    """One backend connection. `over` is set when it is closed."""

    sent: bytearray = field(default_factory=bytearray)
    got: bytearray = field(default_factory=bytearray)
    over: bool = False

    @property
    def id(self) -> bytes:
        """The payload this belongs to; empty when nothing on it says so."""
        found = ID.search(self.sent)
        return found.group() if found else b""

    def readings(self) -> list[Reading]:
        return requests_in(bytes(self.sent))

    def statuses(self) -> list[int]:
        return [int(status) for status in _ANSWER.findall(self.got)]


class Relay:
    """Listens for the proxy and passes everything on to `port`."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self.tapes: list[Tape] = []
        self.of_payload: dict[bytes, list[Tape]] = {}
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def forget(self) -> None:
        """Throws the tapes away."""
        self.tapes.clear()
        self.of_payload.clear()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=5)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tape = Tape()
        self.tapes.append(tape)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._behind)
        except OSError:
            writer.close()
            return
        loop = asyncio.get_running_loop()
        pumps = [
            loop.create_task(self._pump(reader, forth, tape.sent, tape)),
            loop.create_task(self._pump(back, writer, tape.got)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if not pumps[0].done():  # the backend has closed: what it said is on the tape, the proxy hears of it
                await asyncio.wait(pumps[:1], timeout=0.01)
        except asyncio.CancelledError:
            pass
        finally:
            tape.over = True
            for pump in pumps:
                pump.cancel()
            forth.close()
            writer.close()
            self._tasks.discard(task)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep: bytearray, tape: Tape | None = None
    ) -> None:
        known = False
        try:
            while data := await reader.read(65536):
                keep += data
                if tape is not None and not known and tape.id:
                    self.of_payload.setdefault(tape.id, []).append(tape)
                    known = True
                writer.write(data)
                await writer.drain()
        except OSError:
            pass


async def raw_origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A backend that keeps its connections and answers whatever is one whole request by the right reading."""
    stream = b""
    try:
        while data := await reader.read(65536):
            stream += data
            try:
                whole = [reading for reading in requests_in(stream) if reading.complete]
            except Ambiguous:
                continue  # half of a head, until the rest comes
            for reading in whole:
                stream = stream[reading.size :]
                writer.write(_OK.removesuffix(b"seen\n") if reading.method == b"HEAD" else _OK)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
