"""HTTP/1 as it stands on the wire, read without any library: what the transparency tests compare must not share the proxy's parser."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

Fields = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Head:
    """A start line with its fields, in order, with their case and their duplicates."""

    line: bytes
    fields: Fields

    def values(self, name: bytes) -> list[bytes]:
        return [value for field, value in self.fields if field.strip().lower() == name]


@dataclass(frozen=True)
class Body:
    """A body without its framing. `whole` says whether the framing's end was reached; `extensions` are chunks' own."""

    content: bytes = b""
    trailers: Fields = ()
    extensions: tuple[bytes, ...] = ()
    whole: bool = True


@dataclass(frozen=True)
class Answer:
    """An answer as a client got it, with the informational ones before it."""

    interim: tuple[Head, ...]
    head: Head
    body: Body
    framing: str

    @property
    def status(self) -> int:
        return int(self.head.line.split(b" ")[1])


class Incoming:
    """Bytes as they come, with their end. `ended` is "" while more may come, else "closed" or "reset"."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.data = b""
        self.seen = b""
        """Every byte so far, also those that were taken."""
        self.ended = ""
        self._news = asyncio.Condition()

    async def pump(self) -> None:
        """Reads until the end of the connection."""
        try:
            while piece := await self._reader.read(65536):
                async with self._news:
                    self.data += piece
                    self.seen += piece
                    self._news.notify_all()
            ended = "closed"
        except OSError:
            ended = "reset"
        async with self._news:
            self.ended = ended
            self._news.notify_all()

    async def more(self, than: int) -> bool:
        """Waits until more than `than` bytes wait; False when the connection ended before."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.data) > than or self.ended)
        return len(self.data) > than

    async def saw(self, marker: bytes) -> bool:
        """Waits until `marker` has come; False when the connection ended before."""
        async with self._news:
            await self._news.wait_for(lambda: marker in self.seen or self.ended)
        return marker in self.seen

    def take(self, size: int) -> bytes:
        piece, self.data = self.data[:size], self.data[size:]
        return piece

    async def line(self) -> bytes | None:
        """The next line without its end; None when the connection ended before."""
        while b"\n" not in self.data:
            if not await self.more(len(self.data)):
                return None
        line = self.take(self.data.index(b"\n") + 1)
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    async def head(self) -> Head | None:
        """The next head; empty lines before it are skipped."""
        line: bytes | None = b""
        while line == b"":
            line = await self.line()
        fields: list[tuple[bytes, bytes]] = []
        while line is not None and (field := await self.line()) is not None:
            if field == b"":
                return Head(line, tuple(fields))
            name, _, value = field.partition(b":")
            fields.append((name, value.strip(b" \t")))
        return None

    async def sized(self, size: int) -> Body:
        while len(self.data) < size:
            if not await self.more(len(self.data)):
                return Body(self.take(size), whole=False)
        return Body(self.take(size))

    async def until_end(self) -> Body:
        while await self.more(len(self.data)):
            pass
        return Body(self.take(len(self.data)), whole=self.ended == "closed")

    async def chunked(self) -> Body:
        content, extensions = b"", []
        while (line := await self.line()) is not None:
            digits, semicolon, extension = line.partition(b";")
            try:
                size = int(digits.strip(), 16)
            except ValueError:
                return Body(content, extensions=tuple(extensions), whole=False)
            if semicolon:
                extensions.append(extension)
            if size == 0:
                return await self._trailers(content, tuple(extensions))
            piece = await self.sized(size + 2)
            content += piece.content[:size]
            if not piece.whole or not piece.content.endswith(b"\r\n"):
                break
        return Body(content, extensions=tuple(extensions), whole=False)

    async def _trailers(self, content: bytes, extensions: tuple[bytes, ...]) -> Body:
        trailers: list[tuple[bytes, bytes]] = []
        while line := await self.line():
            name, _, value = line.partition(b":")
            trailers.append((name, value.strip(b" \t")))
        return Body(content, tuple(trailers), extensions, whole=line == b"")


def length_of(head: Head) -> int | None:
    """The Content-Length as a lenient client reads it."""
    found = head.values(b"content-length")
    digits = found[0].split(b",")[0].strip() if found else b""
    return int(digits) if digits.isdigit() else None


async def read_request_body(head: Head, incoming: Incoming) -> Body:
    """The body that belongs to a request's head."""
    if any(value.lower().endswith(b"chunked") for value in head.values(b"transfer-encoding")):
        return await incoming.chunked()
    return await incoming.sized(length_of(head) or 0)


async def read_answer(method: bytes, incoming: Incoming) -> Answer | None:
    """The final answer to a request; None when the connection ended without a complete head."""
    interim = []
    while (head := await incoming.head()) is not None:
        status = head.line.split(b" ")[1] if head.line.count(b" ") else b""
        if status[:1] == b"1" and status != b"101":
            interim.append(head)
            continue
        if status == b"101":
            return Answer(tuple(interim), head, await incoming.until_end(), "tunnel")
        if method == b"HEAD" or status in (b"204", b"304"):
            return Answer(tuple(interim), head, Body(), "none")
        codings = b",".join(head.values(b"transfer-encoding")).lower().removeprefix(b"identity")
        if codings.endswith(b"chunked"):
            return Answer(tuple(interim), head, await incoming.chunked(), "chunked")
        length = length_of(head)
        if length is not None and not codings:
            return Answer(tuple(interim), head, await incoming.sized(length), "length")
        return Answer(tuple(interim), head, await incoming.until_end(), "close")
    return None
