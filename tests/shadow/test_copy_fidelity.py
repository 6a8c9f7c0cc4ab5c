"""Through the real proxy and the real shadow: what the candidate gets is what the primary got, byte for byte."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from copies_catalogue import Case, cases
from shadow_backends import listening
from shadow_stage import KEY, until
from shadow_store import ListStore

from rules.load import EMPTY
from settings.model import Settings
from settings.routes import load_route_table
from shadow.copy_request import marker_value
from shadow.serve import Shadow
from store.tasks import spawn
from tests.one_process import serve
from tests.ports import free_ports

HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"}
MARKER = b"X-Paritygate-Shadow: " + marker_value(KEY)
CASE = re.compile(rb"\r\nX-Case: (\d+)\r\n")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"


class Recording:
    """A backend that keeps every request as it came: head lines, and the body with its framing undone."""

    def __init__(self) -> None:
        self.got: dict[int, tuple[list[bytes], bytes]] = {}
        self.twice = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lowered = head.lower()
            length = re.search(rb"\r\ncontent-length: *(\d+)\r\n", lowered)
            body = b""
            if b"\r\ntransfer-encoding:" in lowered:
                while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
                    body += (await reader.readexactly(size + 2))[:-2]
                await reader.readuntil(b"\r\n")
            elif length:
                body = await reader.readexactly(int(length[1]))
            found = CASE.search(head)
            assert found is not None
            self.twice += int(found[1]) in self.got
            self.got[int(found[1])] = (head[:-4].split(b"\r\n"), body)
            writer.write(ANSWER)
            await writer.drain()


def end_to_end(lines: list[bytes]) -> list[bytes]:
    """The head without the lines that belong to one hop."""
    return [line for line in lines if line.partition(b":")[0].lower() not in HOP]


def without_span(lines: list[bytes]) -> list[bytes]:
    return [re.sub(rb"(?i)^(traceparent: 00-[0-9a-f]{32}-)[0-9a-f]{16}-", rb"\1-", line) for line in lines]


async def sent(port: int, raw: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    finally:
        writer.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: the path of a Unix socket has at most 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="pg-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def mirrored(folder: Path, catalogue: list[Case]) -> tuple[Recording, Recording, ListStore]:
    """Sends the catalogue through a proxy that mirrors everything; what primary and candidate got, and the ends."""
    first, second, store = Recording(), Recording(), ListStore()
    port, admin = free_ports(2)
    async with listening(first.serve) as primary, listening(second.serve) as candidate:
        writes = [{"match": f"{method} /a", "mirror": "writes"} for method in ("POST", "PUT", "PATCH", "DELETE")]
        settings = Settings(
            primary={"url": primary},
            candidate={"url": candidate},
            proxy={"listen": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{admin}"},
            mirror={"methods": ["GET", "HEAD", "OPTIONS"]},
            gate={"profile": "demo"},
            route=writes,
        ).located(folder, None)
        shadow = Shadow(settings, KEY, EMPTY, store, load_route_table(settings, []))  # type: ignore[arg-type]
        await shadow.start()
        ready = asyncio.Event()
        proxy = spawn(serve(settings, KEY, ready.set), "proxy")
        try:
            await asyncio.wait_for(ready.wait(), 10)
            for at in range(0, len(catalogue), 20):
                batch = list(enumerate(catalogue))[at : at + 20]
                answers = await asyncio.gather(*(sent(port, case.raw(number)) for number, case in batch))
                for (_, case), answer in zip(batch, answers, strict=True):
                    assert answer.startswith(b"HTTP/1.1 200"), (case.name, answer)
            await until(lambda: shadow.received == len(catalogue) and not shadow.held)
        finally:
            proxy.cancel()
            await asyncio.wait([proxy], timeout=15)
            await shadow.stop()
    return first, second, store


def test_copy_is_byte_for_byte_what_the_primary_got(folder: Path) -> None:
    """[R-MIR-1] [R-MIR-2] [T4] 132 and more requests of all shapes; the copy differs in the marker and the span of its trace only."""
    catalogue = cases()
    assert len(catalogue) >= 132
    first, second, store = asyncio.run(mirrored(folder, catalogue))
    assert store.reasons() == {"compared:match": len(catalogue)}
    assert (first.twice, second.twice) == (0, 0)
    for number, case in enumerate(catalogue):
        ours, theirs = first.got[number], second.got[number]
        assert MARKER in theirs[0], case.name
        assert not any(b"paritygate" in line.lower() for line in ours[0]), case.name
        copied = end_to_end([line for line in theirs[0] if line != MARKER])
        assert without_span(copied) == without_span(end_to_end(ours[0])), case.name
        assert ours[1] == theirs[1], case.name
        assert not [line for line in theirs[0] if line.partition(b":")[0].lower() in HOP], case.name


def test_trace_of_the_copy_is_a_child_of_the_same_trace(folder: Path) -> None:
    """[R-MIR-2] So that traces of both legs hang together and the copy's is told from the live one's."""
    case = next(case for case in cases() if case.name == "trace context")
    first, second, _ = asyncio.run(mirrored(folder, [case]))
    (live,), (copied,) = ([line for line in side.got[0][0] if line.startswith(b"traceparent")] for side in (first, second))
    assert live == b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
    assert re.fullmatch(b"traceparent: 00-" + b"a" * 32 + b"-[0-9a-f]{16}-01", copied)
    assert copied != live
