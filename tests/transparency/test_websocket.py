"""WebSocket through the proxy: frames, extensions and closes pass as they are, whatever the library on either end makes of them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mitmproxy.tcp import TCPMessage
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.typing import Subprotocol


class EchoServer:
    """Echoes; `close 4001 why` makes it close, `vanish` makes it drop the connection, and it notes how its clients left."""

    def __init__(self) -> None:
        self.left: list[tuple[int | None, str | None]] = []
        self.port = 0

    async def _talk(self, client: ServerConnection) -> None:
        try:
            async for message in client:
                words = message.split(" ", 2) if isinstance(message, str) else []
                if words[:1] == ["close"]:
                    await client.close(int(words[1]), words[2])
                elif words[:1] == ["vanish"]:
                    client.transport.abort()
                else:
                    await client.send(message)
        except ConnectionClosed:
            pass
        self.left.append((client.close_code, client.close_reason))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[EchoServer]:
        def choose(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
            return Subprotocol("two") if "two" in offered else None

        async with serve(self._talk, "127.0.0.1", 0, select_subprotocol=choose, max_size=1 << 25, ping_interval=None) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self


@asynccontextmanager
async def staged_echo(stage: Any) -> AsyncIterator[tuple[Any, EchoServer]]:
    async with EchoServer().running() as echo, stage(primary={"url": f"http://127.0.0.1:{echo.port}"}) as s:
        yield s, echo


def through(s: Any, **more: Any) -> Any:
    return connect(f"ws://127.0.0.1:{s.port}/ws", proxy=None, max_size=1 << 25, ping_interval=None, **more)


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_of_every_kind_come_back(stage: Any, wait: Any, compression: Any) -> None:
    """Text, binary, empty, fragmented and large messages, pings with content, with and without permessage-deflate."""

    async def scenario() -> None:
        async with staged_echo(stage) as (s, echo), through(s, compression=compression) as client:
            direct = await connect(f"ws://127.0.0.1:{echo.port}/ws", proxy=None, compression=compression)
            names = [extension.name for extension in client.protocol.extensions]
            assert names == [extension.name for extension in direct.protocol.extensions]
            await direct.close()
            for message in ("text", "ä€𝄞", "", b"", b"\x00\xff", bytes(range(256)) * 500, "x" * 3_000_000, b"y" * 8_000_000):
                await client.send(message)
                assert await client.recv() == message
            await client.send(["frag", "men", "", "ted"])
            assert await client.recv() == "fragmented"
            await (await client.ping(b"payload"))
            await client.close(4123, "enough")
            await s.at_rest(1)
            await wait(lambda: (4123, "enough") in echo.left, "the backend saw how it was left")
            assert s.ledger().skipped == {"upgraded": 1}

    asyncio.run(scenario())


def test_subprotocols_are_chosen_by_the_backend(stage: Any) -> None:
    async def scenario() -> None:
        async with staged_echo(stage) as (s, _):
            async with through(s, subprotocols=[Subprotocol("one"), Subprotocol("two")]) as client:
                assert client.subprotocol == "two"
            async with through(s) as client:
                assert client.subprotocol is None

    asyncio.run(scenario())


@pytest.mark.parametrize(("code", "reason"), [(1000, "done"), (1001, "going away"), (1011, "ä" * 40), (4999, "own")])
def test_a_close_of_the_backend_reaches_the_client(stage: Any, code: int, reason: str) -> None:
    async def scenario() -> None:
        async with staged_echo(stage) as (s, _), through(s) as client:
            await client.send(f"close {code} {reason}")
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)

    asyncio.run(scenario())


def test_a_backend_that_vanishes_is_no_orderly_close(stage: Any) -> None:
    async def scenario() -> None:
        async with staged_echo(stage) as (s, _), through(s) as client:
            await client.send("vanish")
            with pytest.raises(ConnectionClosedError):
                await client.recv()
            assert client.close_code == 1006

    asyncio.run(scenario())


def test_a_client_that_vanishes_is_gone_for_the_backend(stage: Any, wait: Any) -> None:
    async def scenario() -> None:
        async with staged_echo(stage) as (s, echo):
            client = await through(s)
            client.transport.abort()
            await wait(lambda: echo.left)
            assert echo.left[0][0] == 1006

    asyncio.run(scenario())


def test_a_handshake_that_the_backend_refuses_is_refused(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            s.primary.says(b"/ws", b"HTTP/1.1 403 Forbidden\r\nX-Why: no\r\nContent-Length: 2\r\n\r\nno")
            with pytest.raises(InvalidStatus) as refused:
                await through(s)
            assert (refused.value.response.status_code, refused.value.response.body) == (403, b"no")

    asyncio.run(scenario())


def test_many_frames_leave_nothing_behind(stage: Any) -> None:
    """What has passed is not kept: mitmproxy's own layer would keep every message."""

    async def scenario() -> None:
        async with staged_echo(stage) as (s, _), through(s, compression=None) as client:

            async def send() -> None:
                for _ in range(3000):
                    await client.send(b"x" * 2000)

            sending = asyncio.get_running_loop().create_task(send())
            for _ in range(3000):
                assert len(await client.recv()) == 2000
            await sending
            gc.collect()
            assert not [found for found in gc.get_objects() if type(found) is TCPMessage]

    asyncio.run(scenario())
