"""A backend may close an idle connection at the very moment it is used again. No client shall notice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

IDLE_S = 0.03
"""After so long the backend of these tests closes an idle connection."""


class Impatient:
    """A backend that closes each connection as soon as it was idle for IDLE_S, even if a request is just arriving."""

    def __init__(self) -> None:
        self.port = 0
        self.asked = 0
        self.closed = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Impatient:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        patience = 10.0  # only a connection that was used is idle
        try:
            while True:
                async with asyncio.timeout(patience):
                    head = await reader.readuntil(b"\r\n\r\n")
                patience = IDLE_S
                self.asked += 1
                body = b"" if head.startswith(b"HEAD") else b"ok"
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            self.closed += 1
        finally:
            writer.transport.abort()


async def _race(port: int, rounds: int, method: bytes, offset_s: float) -> list[bytes]:
    """Asks again and again on one connection, each time when the backend is about to close its own. What was no 200."""
    wrong = []
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for i in range(rounds):
        writer.write(method + b" /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        answered = loop.time()
        if not head.startswith(b"HTTP/1.1 200 "):
            wrong.append(head)
            break
        if method != b"HEAD":
            await reader.readexactly(2)
        until = answered + IDLE_S + offset_s + (i % 9 - 4) * 0.0005
        await asyncio.sleep(max(0.0, until - loop.time() - 0.002))
        while loop.time() < until:
            await asyncio.sleep(0)
    writer.close()
    return wrong


async def _races(stage: Any, clients: int, rounds: int) -> None:
    async with Impatient() as backend, stage(primary={"url": f"http://127.0.0.1:{backend.port}"}) as s:
        methods = [b"GET", b"HEAD", b"OPTIONS"]
        found = await asyncio.gather(*(_race(s.port, rounds, methods[i % 3], (i % 5 - 2) * 0.001) for i in range(clients)))
        assert [head for wrong in found for head in wrong] == []
        ledger = await s.at_rest(clients * rounds)
        assert ledger.served_primary == clients * rounds
        assert backend.closed > clients, "no connection was closed: this shows nothing"


def test_a_safe_request_survives_the_end_of_an_idle_connection(stage: Any) -> None:
    """[T19] [F-27] [R-TRA-1] 0 of 120 answers are a 502."""
    asyncio.run(_races(stage, clients=6, rounds=20))


@pytest.mark.soak
def test_a_thousand_safe_requests_survive_the_end_of_idle_connections(stage: Any) -> None:
    """[T19] [F-27] 0 of 2,000 answers are a 502."""
    asyncio.run(_races(stage, clients=8, rounds=250))


def test_an_unsafe_request_is_never_sent_twice(stage: Any) -> None:
    """[T19] [T7] A POST whose connection ends without an answer is a 502: nobody knows whether it was done."""

    async def scenario() -> None:
        async with stage() as s:
            hits = 0

            async def once(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                nonlocal hits
                hits += 1
                if hits == 2:
                    return False
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                return True

            s.primary.scripts[b"/items/1"] = once
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            for i, status in enumerate((b"200", b"502")):
                writer.write(b"POST /items/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
                assert (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1] == status, i
                if status == b"200":
                    await reader.readexactly(2)
            writer.close()
            await s.at_rest(2)
            assert hits == 2

    asyncio.run(scenario())


def test_a_backend_connection_is_used_again(stage: Any) -> None:
    """Fifty requests of one client are one connection to the backend, in every framing."""

    async def scenario() -> None:
        async with stage() as s:
            s.primary.says(b"/chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
            s.primary.says(b"/none", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            for _ in range(10):
                for target, end in ((b"/items/1", b"/items/1 "), (b"/chunks", b"0\r\n\r\n"), (b"/none", b"\r\n\r\n")):
                    writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
                    await reader.readuntil(end)
            writer.close()
            assert (await s.at_rest(30)).served_primary == 30
            assert s.primary.connections == 1

    asyncio.run(scenario())
