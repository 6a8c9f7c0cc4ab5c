"""What a client sees when a backend, or the client itself, fails: short honest answers, each counted once."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from proxy import deadlines
from proxy.deadlines import Watch
from proxy.errors import ProxyError
from proxy.front import bind
from proxy.internals import LiveHttpLayer
from proxy.tee import Tee


def brandless(raw: bytes) -> bool:
    lower = raw.lower()
    return not any(word in lower for word in (b"mitm", b"python", b"errno", b"127.0.0.1", b"refused", b"server:"))


def test_a_primary_that_is_down_is_an_honest_502(stage: Any) -> None:
    """[T20] [F-11] Short, and without the name of any software or address."""

    async def scenario() -> None:
        async with stage() as s:
            await s.primary.stop()
            answer = await s.ask("/items/1")
            assert answer.status == 502
            assert answer.body == b"502 Bad Gateway\n"
            assert brandless(answer.raw)
            assert (await s.ask("/items/1", method="HEAD")).body == b""
            ledger = await s.at_rest(2)
            assert ledger.refused == {"upstream_unreachable": 2}
            assert ledger.skipped == {"live_error": 2}
            await s.primary.start()
            assert (await s.ask("/items/1")).status == 200

    asyncio.run(scenario())


def test_an_answer_that_is_no_http_is_a_502(stage: Any) -> None:
    """[B12] [T20] What clients could not read in one way, the proxy answers for."""

    async def scenario() -> None:
        async with stage() as s:
            for i, raw in enumerate(
                (b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n")
            ):
                s.primary.says(b"/g%d" % i, raw, keep=False)
                answer = await s.ask(f"/g{i}")
                assert answer.status == 502
                assert brandless(answer.raw)
            assert (await s.at_rest(3)).refused == {"upstream_unreachable": 3}

    asyncio.run(scenario())


def test_a_connection_the_backend_has_just_closed_costs_no_read(stage: Any) -> None:
    """[T19] [F-27] The keep-alive race: the backend closes an idle connection while the next request is on its way."""

    async def scenario() -> None:
        async with stage() as s:
            hits = 0

            async def once(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                nonlocal hits
                hits += 1
                if hits % 2 == 0:
                    return False  # takes the second request of a connection and closes without a word
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                return True

            s.primary.scripts[b"/items/1"] = once
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            for _ in range(10):
                writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
            writer.close()
            ledger = await s.at_rest(10)
            assert ledger.served_primary == 10

    asyncio.run(scenario())


def test_a_backend_connection_that_was_idle_for_long_is_not_used_again(stage: Any, monkeypatch: Any) -> None:
    """[T19] Servers close idle connections; one that is about to be closed is not used."""

    async def scenario() -> None:
        async with stage() as s:
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            for _ in range(3):
                writer.write(b"POST /items/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
                await asyncio.sleep(0.05)
            writer.close()
            assert s.primary.connections == 3

    monkeypatch.setattr("proxy.internals.REUSE_WITHIN_S", 0.01)
    asyncio.run(scenario())


def test_a_client_that_leaves_is_counted_once_and_the_backend_is_let_go(stage: Any, wait: Any) -> None:
    """[B10] The end of the client's sending side is passed on; the backend then gives up or answers, as it would directly."""

    async def scenario() -> None:
        async with stage() as s:
            left = asyncio.Event()

            async def slow(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
                await reader.read(1)
                left.set()
                return False

            s.primary.scripts[b"/slow"] = slow
            for _ in range(3):
                left.clear()
                _, writer = await asyncio.open_connection("127.0.0.1", s.port)
                writer.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
                await wait(lambda: s.primary.asked and s.ledger().open == 1)
                writer.transport.abort()
                async with asyncio.timeout(5):
                    await left.wait()
                await wait(lambda: s.ledger().open == 0)
                s.primary.asked.clear()
            ledger = await s.at_rest(3)
            assert ledger.refused == {"client_gone": 3}
            assert ledger.skipped == {"client_gone": 3}

    asyncio.run(scenario())


def test_a_client_that_leaves_in_the_middle_of_its_body_or_of_its_answer(stage: Any, wait: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:

            async def endless(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()

            s.primary.scripts[b"/endless"] = endless
            _, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"POST /items/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            await wait(lambda: s.ledgers().get("POST /items/{id}"))
            writer.close()
            await s.at_rest(1)
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readexactly(1000)
            writer.transport.abort()
            assert (await s.at_rest(2)).refused == {"client_gone": 2}

    asyncio.run(scenario())


MALFORMED = [
    b"GARBAGE\r\n\r\n",
    b"GET /a HTTP/9.9\r\nHost: a\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: 1\r\n" % i for i in range(300)) + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]


@pytest.mark.parametrize("raw", MALFORMED)
def test_a_malformed_request_is_refused_counted_and_never_passed_on(stage: Any, raw: bytes) -> None:
    """[B13] [T20] Also bytes that never become a request are counted."""

    async def scenario() -> None:
        async with stage() as s:
            answer = await s.ask(raw=raw)
            assert answer.status in (400, 431)
            assert brandless(answer.raw)
            ledger = await s.at_rest(1)
            assert ledger.refused == {"header_limit" if answer.status == 431 else "malformed": 1}
            assert s.shadow.exchanges == []
            assert [asked for asked in s.primary.asked if asked.method != b"POST"] == []

    asyncio.run(scenario())


def test_a_head_that_is_too_large_is_a_431(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            answer = await s.ask(raw=b"GET /a HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000)
            assert answer.status == 431
            assert (await s.at_rest(1)).refused == {"header_limit": 1}

    asyncio.run(scenario())


def test_a_request_never_chooses_the_backend(stage: Any) -> None:
    """[B11] [B14] [T3] Absolute-form, Host, X-Forwarded-Host and userinfo; Host passes as it is."""

    async def scenario() -> None:
        async with stage() as s, _trap() as (port, hits):
            evil = f"127.0.0.1:{port}".encode()
            for raw in (
                b"GET http://%s/items/1 HTTP/1.1\r\nHost: %s\r\n",
                b"GET /items/1 HTTP/1.1\r\nHost: %s\r\nX-Forwarded-Host: %s\r\n",
                b"GET http://x@%s/items/1 HTTP/1.1\r\nHost: %s\r\n",
            ):
                await s.ask(raw=raw % (evil, evil) + b"Connection: close\r\n\r\n")
            await s.ask(raw=b"GET /items/1 HTTP/1.1\r\nHost: mitm.it\r\nConnection: close\r\n\r\n")
            assert hits == []
            assert {asked.target for asked in s.primary.asked} == {b"/items/1"}
            assert s.primary.asked[-1].values(b"host") == [b"mitm.it"]

    asyncio.run(scenario())


def _trap() -> Any:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def trap() -> Any:
        hits: list[int] = []
        server = await asyncio.start_server(lambda r, w: hits.append(1), "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1], hits
        finally:
            server.close()

    return trap()


def test_deadlines_end_what_takes_too_long(stage: Any, monkeypatch: Any, wait: Any) -> None:
    """A backend that never answers is a 504, a head that never ends is cut; both are counted."""
    monkeypatch.setattr(deadlines, "ANSWER_S", 0.3)
    real = Watch.__init__

    def quick(self: Watch, hooks: Any, handlers: Any) -> None:
        real(self, hooks, handlers, head_s=0.3, connect_s=0.3, answer_s=0.3)

    monkeypatch.setattr(Watch, "__init__", quick)

    async def scenario() -> None:
        async with stage() as s:

            async def never(asked: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
                await reader.read(1)
                return False

            s.primary.scripts[b"/never"] = never
            answer = await s.ask("/never")
            assert answer.status == 504
            assert brandless(answer.raw)
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"GET /items/1 HTTP/1.1\r\nHo")
            async with asyncio.timeout(5):
                assert await reader.read(-1) == b""
            writer.close()
            ledger = await s.at_rest(2)
            assert ledger.refused == {"upstream_timeout": 1, "header_limit": 1}

    asyncio.run(scenario())


def test_an_address_in_use_is_named_with_its_remedy() -> None:
    with bind("127.0.0.1:0", "proxy.listen") as first:
        address = f"127.0.0.1:{first.getsockname()[1]}"
        with pytest.raises(ProxyError, match=f"{address}.*proxy.listen to a free port"):
            bind(address, "proxy.listen")
    with pytest.raises(ProxyError, match="no address of this machine"):
        bind("no.such.host.invalid:80", "proxy.admin")
    with pytest.raises(ProxyError, match=r"192\.0\.2\.1:0: cannot listen there"):
        bind("192.0.2.1:0", "proxy.listen")


def test_a_fault_inside_mitmproxy_ends_the_connection_instead_of_hanging_it(stage: Any, monkeypatch: Any) -> None:
    def broken(*_: Any) -> Any:
        raise NotImplementedError("a thing nobody thought of")
        yield

    async def scenario() -> None:
        async with stage() as s:
            monkeypatch.setattr("proxy.internals.LiveStream.state_wait_for_response_headers", broken)
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(5):
                assert await reader.read(-1) == b""
            writer.close()
            await s.at_rest(1)
            monkeypatch.undo()
            assert (await s.ask("/items/1")).status == 200

    asyncio.run(scenario())


def test_bodies_are_freed_without_the_cycle_collector(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            s.primary.says(b"/big", b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"x" * 900_000)
            await s.ask("/big")
            await s.at_rest(1)
            gc.collect()
            gc.disable()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
                for _ in range(5):
                    writer.write(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
                    await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(900_000)
                await s.at_rest(6)
                held = [tee for tee in gc.get_objects() if isinstance(tee, Tee) and tee.body()]
                assert held == []
                writer.close()
            finally:
                gc.enable()

    asyncio.run(scenario())


def test_more_clients_than_there_is_room_for_are_told_so_at_once(stage: Any, monkeypatch: Any, wait: Any) -> None:
    monkeypatch.setattr("proxy.listener.room_for_clients", lambda: 3)

    async def scenario() -> None:
        async with stage() as s:
            idle = [await asyncio.open_connection("127.0.0.1", s.port) for _ in range(3)]
            for reader, writer in idle:
                writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
                await reader.readuntil(b"/items/1 ")
            _, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.close()
            answer = await s.ask("/items/1")
            assert (answer.status, answer.values(b"retry-after")) == (503, [b"1"])
            for _, writer in idle:
                writer.close()
            await wait(lambda: s.ledger().refused.get("overload") == 2)

            async def served() -> bool:
                return (await s.ask("/items/1")).status == 200

            async with asyncio.timeout(5):
                while not await served():
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_a_long_lived_client_collects_no_dead_backend_connections(stage: Any) -> None:
    """A load balancer's connection lives for days; a backend may close after each answer, as gunicorn's sync workers do."""

    async def scenario() -> None:
        async with stage() as s:
            s.primary.says(b"/items/1", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", keep=False)
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            for _ in range(60):
                writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
                await reader.readuntil(b"\r\n\r\nok")
            layers = [found for found in gc.get_objects() if isinstance(found, LiveHttpLayer) and len(found.connections) > 1]
            assert [len(found.connections) for found in layers if len(found.connections) > 6] == []
            writer.close()
            assert (await s.at_rest(60)).served_primary == 60

    asyncio.run(scenario())
