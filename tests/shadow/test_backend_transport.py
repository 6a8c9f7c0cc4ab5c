"""httpx over our own transport: which connection is used, when none is, where it goes, and that everything ends."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from shadow_backends import Act, Backend, Seen, always, answer, backend, hang, listening
from shadow_dispatch import Ask, asking
from shadow_stage import until

from shadow.backend_transport import KEEPALIVE_S, BackendTransport


def play(act: Act, script: Callable[[Backend, BackendTransport, Ask], Awaitable[None]], **limits: Any) -> None:
    async def scenario() -> None:
        async with backend(act) as server:
            transport, ask = asking(server.url, **limits)
            try:
                await script(server, transport, ask)
            finally:
                await transport.aclose()
            await until(lambda: not server.open)

    asyncio.run(scenario())


def test_connection_is_used_again_and_the_one_used_last_first() -> None:
    async def script(server: Backend, transport: BackendTransport, ask: Ask) -> None:
        await asyncio.gather(*(ask() for _ in range(8)))
        assert server.connections == 8
        for _ in range(20):
            await ask()
        assert server.connections == 8
        assert len({id(seen) for seen in server.seen}) == 28

    play(always(answer()), script)


def test_never_more_connections_than_exchanges_under_way() -> None:
    async def slow(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)
        writer.write(answer())

    async def script(server: Backend, transport: BackendTransport, ask: Ask) -> None:
        for _ in range(5):
            await asyncio.gather(*(ask() for _ in range(10)))
        assert server.most_open <= 10

    play(slow, script)


def test_connection_that_the_backend_closed_while_it_was_idle_is_not_used() -> None:
    async def script(server: Backend, transport: BackendTransport, ask: Ask) -> None:
        await ask()
        for writer in list(server.open):
            writer.close()
        await until(lambda: not server.open)
        assert (await ask()).status_code == 200
        assert server.connections == 2

    play(always(answer()), script)


def test_close_that_our_loop_has_not_seen_yet_is_seen_all_the_same() -> None:
    """The kernel has the end of the connection while the loop is busy with something else: the next request goes elsewhere."""

    def serve(listener: socket.socket, closed: threading.Event, seen: list[bytes]) -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            seen.append(connection.recv(10_000))
            connection.sendall(answer())
            if len(seen) == 1:
                time.sleep(0.05)
                connection.close()
                closed.set()
        connection.close()

    async def scenario() -> None:
        listener, closed, seen = socket.create_server(("127.0.0.1", 0)), threading.Event(), list[bytes]()
        thread = threading.Thread(target=serve, args=(listener, closed, seen), daemon=True)
        thread.start()
        transport, ask = asking(f"http://127.0.0.1:{listener.getsockname()[1]}")
        await ask()
        closed.wait(5)  # the loop stands still meanwhile
        time.sleep(0.05)  # noqa: ASYNC251
        assert (await ask()).status_code == 200
        await transport.aclose()
        await asyncio.to_thread(thread.join, 5)
        listener.close()
        assert len(seen) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("unasked", [b"X", answer(200, b'{"for": "nobody"}')])
def test_connection_on_which_something_came_unasked_is_not_used(unasked: bytes) -> None:
    """[T1] What comes between two exchanges must not be read as the answer to the second."""

    async def script(server: Backend, transport: BackendTransport, ask: Ask) -> None:
        await ask()
        (writer,) = server.open
        writer.write(unasked)
        await until(lambda: not server.open)
        assert await (await ask()).aread() == b"{}"
        assert server.connections == 2

    play(always(answer()), script)


def test_bytes_behind_an_answer_are_not_the_next_answer() -> None:
    """[T1] A backend that answers twice: the second one is for nobody."""

    async def script(server: Backend, transport: BackendTransport, ask: Ask) -> None:
        for _ in range(3):
            assert await (await ask()).aread() == b'{"right": true}'
        assert server.connections == 3

    play(always(answer(200, b'{"right": true}') + answer(200, b'{"wrong": true}')), script)


def test_head_that_is_answered_with_a_body_does_not_shift_the_answers() -> None:
    """[T1]"""

    async def act(seen: Seen, writer: asyncio.StreamWriter) -> None:
        head, _, body = answer(200, seen.target).partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(body)

    async def script(server: Backend, transport: BackendTransport, ask: Ask) -> None:
        for number in range(3):
            assert await (await ask(b"/head", "HEAD")).aread() == b""
            assert await (await ask(b"/%d" % number)).aread() == b"/%d" % number

    play(act, script)


def test_connection_that_was_idle_for_too_long_is_closed_and_none_is_left_behind() -> None:
    """[F-3] 0 connections leak."""

    async def script(server: Backend, transport: BackendTransport, ask: Ask) -> None:
        await asyncio.gather(*(ask() for _ in range(5)))
        assert len(server.open) == 5
        await until(lambda: not server.open, KEEPALIVE_S * 2 + 3)
        assert (await ask()).status_code == 200

    play(always(answer()), script)


def test_answer_that_came_before_the_whole_request_was_taken_ends_the_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(413))
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()

    connections = 0

    async def scenario() -> None:
        async with listening(serve) as url:
            transport, ask = asking(url)
            for _ in range(2):
                assert (await ask(method="POST", body=b"x" * 20_000_000)).status_code == 413
            await transport.aclose()
        assert connections == 2

    asyncio.run(scenario())


def test_cancelled_exchange_closes_its_connection() -> None:
    async def script(server: Backend, transport: BackendTransport, ask: Ask) -> None:
        task = asyncio.get_running_loop().create_task(ask())  # type: ignore[arg-type]
        await until(lambda: len(server.seen) == 1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await until(lambda: not server.open)

    play(hang, script)


def test_an_httpx_client_works_on_top() -> None:
    async def scenario() -> None:
        async with (
            backend(always(answer(200, b'{"a": 1}', [("X-A", "1")]))) as server,
            httpx.AsyncClient(transport=BackendTransport(httpx.URL(server.url), 3.0, 1000), base_url=server.url) as client,
        ):
            made = await client.post("/a?b=%20c", json={"x": 1})
            assert made.json() == {"a": 1}
            assert made.headers["x-a"] == "1"
            assert (server.seen[0].target, server.seen[0].body) == (b"/a?b=%20c", b'{"x":1}')

    asyncio.run(scenario())


TARGETS = [
    b"//%s/first",
    b"//%s",
    b"/@%s/",
    b"/\\%s/",
    b"/%%2f%%2f%s/",
    b"/?url=http://%s/",
    b"/#@%s/",
    b"/;@%s",
    b"/.%s/../",
    b"/x:y@%s",
]


@pytest.mark.parametrize("kind", ["target", "host"])
def test_nothing_in_a_request_chooses_where_it_goes(kind: str) -> None:
    """[T3] 30 targets and hosts that name another server: all of them go to the configured one."""

    async def scenario() -> None:
        async with backend(always(answer())) as server, backend(always(answer())) as canary:
            transport, ask = asking(server.url)
            there = canary.url.removeprefix("http://").encode()
            for target in TARGETS:
                if kind == "target":
                    await ask(target % there)
                else:
                    await ask(target % b"x", host=there)
                    await ask(target % b"x", host=b"shop.example@" + there)
            await transport.aclose()
            assert len(server.seen) == len(TARGETS) * (1 if kind == "target" else 2)
            assert canary.connections == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("target", [b"http://127.0.0.1/", b"", b"x", b"/a b", b"/\r\nX: y", b"/\x00", b"*"])
def test_target_that_is_no_path_is_not_sent(target: bytes) -> None:
    """[T3] Absolute targets least of all."""

    async def script(server: Backend, transport: BackendTransport, ask: Ask) -> None:
        with pytest.raises(httpx.LocalProtocolError):
            await ask(target)
        assert server.connections == 0

    play(always(answer()), script)


def names_to(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> list[str]:
    """`backend.test` has these addresses; gives the names that were looked up."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        if host != "backend.test":
            return real(host, port, *more, **options)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in hosts]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_every_address_of_a_name_is_tried_and_the_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with backend(always(answer())) as server:
            asked = names_to(monkeypatch, "127.0.0.9", "127.0.0.8", "127.0.0.1")
            transport, ask = asking(server.url.replace("127.0.0.1", "backend.test"))
            await asyncio.gather(*(ask() for _ in range(6)))
            await transport.aclose()
            assert server.connections == 6
            assert asked == ["backend.test"]

    asyncio.run(scenario())


def test_name_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        names_to(monkeypatch)
        transport, ask = asking("http://backend.test:80")
        with pytest.raises(httpx.ConnectError):
            await ask()
        await transport.aclose()

    asyncio.run(scenario())


def test_name_server_that_hangs_holds_nothing_up_but_its_own_exchanges(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    running: list[str] = []

    def look_up(*given: Any, **options: Any) -> Any:
        running.append(threading.current_thread().name)
        release.wait(20)
        raise socket.gaierror("no")

    async def scenario() -> None:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        transport, ask = asking("http://backend.test:80", deadline_s=0.2)
        begun = time.monotonic()
        made = await asyncio.gather(*(ask() for _ in range(10)), return_exceptions=True)
        assert all(isinstance(error, httpx.ConnectTimeout) for error in made)
        assert time.monotonic() - begun < 3
        assert len(running) == 1
        release.set()
        await transport.aclose()

    try:
        asyncio.run(scenario())
    finally:
        release.set()


def test_backlog_that_is_full_ends_at_the_deadline() -> None:
    """[F-3] Nobody accepts, and connections are no longer completed."""

    async def scenario() -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            transport, ask = asking(f"http://127.0.0.1:{listener.getsockname()[1]}", deadline_s=0.3)
            made = await asyncio.gather(*(ask() for _ in range(5)), return_exceptions=True)
            assert all(isinstance(error, httpx.TimeoutException) for error in made), made
            await transport.aclose()

    asyncio.run(scenario())
