"""A raw HTTP/2 client for tests: it may send what no decent client would, and notes everything that it is told."""

from __future__ import annotations

import asyncio
import ssl
import sys
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import pytest
from hyperframe.frame import Frame

from tests.certificates import Pair

DEADLINE = 20.0
NEEDS_H2 = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="the newest mitmproxy for 3.11 has an h2 that lets requests be smuggled"
)


def over_http2(pair: Pair, **more: Any) -> dict[str, Any]:
    """The sections of a configuration that offers HTTP/2 behind this certificate, with what else they have."""
    return {"proxy": {**pair.section, "http2": True, **more.pop("proxy", {})}, **more}


class _Connection(h2.connection.H2Connection):
    """h2 lets a client hear nothing any more behind a GOAWAY, or of streams that it does not know; this one listens on."""

    def _receive_frame(self, frame: Any) -> Any:
        try:
            return super()._receive_frame(frame)
        except h2.exceptions.ProtocolError:
            return []

    def _receive_goaway_frame(self, frame: Any) -> Any:
        event = h2.events.ConnectionTerminated()
        event.error_code, event.last_stream_id = frame.error_code, frame.last_stream_id
        return [], [event]


@dataclass
class Told:
    """What the proxy said on one stream."""

    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    informational: list[list[tuple[bytes, bytes]]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(dict(self.headers).get(b":status", b"0"))

    def values(self, name: bytes) -> list[bytes]:
        return [value for other, value in self.headers if other == name]


class Http2Client:
    """One connection. `takes` False: no window is given back, so that answers stand still after the first 64 KiB."""

    def __init__(self, port: int, context: ssl.SSLContext, takes: bool = True) -> None:
        self.port, self.context, self.takes = port, context, takes
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=True,
        )
        self.h2 = _Connection(config)
        self.told: dict[int, Told] = {}
        self.goaways: list[tuple[int, int]] = []
        self.closed = False
        self.settings: dict[int, int] = {}
        self._untaken: dict[int, int] = {}
        self.uploaded = 0
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Http2Client:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context)
        assert self.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        self.h2.initiate_connection()
        self.flush()
        self._task = asyncio.get_running_loop().create_task(self._read())
        await self.until(lambda: bool(self.settings))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.writer.transport.abort()

    async def _read(self) -> None:
        try:
            while data := await self.reader.read(65536):
                for event in self.h2.receive_data(data):
                    self._note(event)
                self.flush()
                self._moved.set()
        except OSError:
            pass
        self.closed = True
        self._moved.set()

    def _note(self, event: Any) -> None:
        told = self.told.setdefault(getattr(event, "stream_id", None) or 0, Told())
        if isinstance(event, h2.events.ResponseReceived):
            told.headers = [(bytes(n), bytes(v)) for n, v in event.headers or ()]
        elif isinstance(event, h2.events.InformationalResponseReceived):
            told.informational.append([(bytes(n), bytes(v)) for n, v in event.headers or ()])
        elif isinstance(event, h2.events.DataReceived):
            told.body += event.data or b""
            stream_id, size = event.stream_id or 0, event.flow_controlled_length or 0
            self._untaken[stream_id] = self._untaken.get(stream_id, 0) + size
            if self.takes:
                self.take(stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            told.trailers = [(bytes(n), bytes(v)) for n, v in event.headers or ()]
        elif isinstance(event, h2.events.StreamEnded):
            told.ended = True
        elif isinstance(event, h2.events.StreamReset):
            told.reset = int(event.error_code)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append((int(event.error_code), event.last_stream_id or 0))
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            self.settings.update({code: changed.new_value for code, changed in event.changed_settings.items()})

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if data and not self.writer.is_closing():
            self.writer.write(data)

    def take(self, stream_id: int) -> None:
        """Gives the window back for what came on this stream."""
        self.h2.acknowledge_received_data(self._untaken.pop(stream_id, 0), stream_id)

    def raw(self, *frames: Frame) -> None:
        """Sends frames past the state machine."""
        self.writer.write(b"".join(frame.serialize() for frame in frames))

    def ask(
        self,
        path: str = "/",
        method: str = "GET",
        headers: list[tuple[bytes, bytes]] | None = None,
        body: bytes | None = None,
        end: bool = True,
        pseudo: list[tuple[bytes, bytes]] | None = None,
    ) -> int:
        """Begins a request; the stream's number. A body is sent at once, as far as windows allow."""
        stream_id = self.h2.get_next_available_stream_id()
        if pseudo is None:
            pseudo = [
                (b":method", method.encode()),
                (b":scheme", b"https"),
                (b":authority", b"shop.test"),
                (b":path", path.encode()),
            ]
        self.told[stream_id] = Told()
        self.h2.send_headers(stream_id, pseudo + (headers or []), end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(stream_id, body, end_stream=end)
        self.flush()
        return stream_id

    async def upload(self, stream_id: int, piece: bytes, count: int, end: bool = True) -> None:
        """Sends `piece` so often, as the windows open."""
        for _ in range(count):
            start = 0
            while start < len(piece):
                window = min(self.h2.local_flow_control_window(stream_id), self.h2.max_outbound_frame_size)
                if window <= 0:
                    await self.until(lambda: self.h2.local_flow_control_window(stream_id) > 0)
                    continue
                self.h2.send_data(stream_id, piece[start : start + window])
                start += window
                self.uploaded += window
                self.flush()
                await self.writer.drain()
        if end:
            self.h2.end_stream(stream_id)
            self.flush()

    async def until(self, condition: Any, deadline: float = DEADLINE) -> None:
        async with asyncio.timeout(deadline):
            while not condition():
                assert not self.closed or condition(), "the proxy has closed the connection"
                self._moved.clear()
                await self._moved.wait()

    async def answer(self, stream_id: int) -> Told:
        """What was said on this stream, once it has ended."""
        told = self.told[stream_id]
        await self.until(lambda: told.ended or told.reset is not None)
        return told

    async def get(self, path: str = "/", **more: Any) -> Told:
        return await self.answer(self.ask(path, **more))

    async def ended(self) -> None:
        """Waits until the proxy has closed the connection."""
        async with asyncio.timeout(DEADLINE):
            while not self.closed:
                self._moved.clear()
                await self._moved.wait()
