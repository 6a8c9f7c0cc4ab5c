"""TLS towards clients: what passes over it is what passes without it, and nothing of TLS is served that nobody asked for."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import warnings
from asyncio import sslproto
from typing import Any

import pytest

from proxy import connections, listener
from proxy.client_tls import READ_BYTES
from tests.certificates import Pair


@pytest.fixture(params=["plain path", "layers"])
def both_paths(request: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(connections, "PLAIN", request.param == "plain path")


async def connect(s: Any, pair: Pair, context: ssl.SSLContext | None = None) -> tuple[Any, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", s.port, ssl=context or pair.client())


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")), 0)
    return head + await reader.readexactly(length)


@pytest.mark.usefixtures("both_paths")
def test_requests_follow_each_other_on_one_connection_and_the_backend_is_told_of_tls(stage: Any, pair: Pair, wait: Any) -> None:
    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            reader, writer = await connect(s, pair)
            for i in range(3):
                writer.write(b"GET /items/%d HTTP/1.1\r\nHost: a\r\n\r\n" % i)
                assert (await read_answer(reader)).endswith(b"primary /items/%d " % i)
            assert [asked.values(b"x-forwarded-proto") for asked in s.primary.asked] == [[b"https"]] * 3
            assert s.primary.connections == 1
            await wait(lambda: len(s.shadow.exchanges) == 3)
            assert (b"X-Forwarded-Proto", b"https") in s.shadow.exchanges[0].request.headers
            writer.close()
            assert (await s.at_rest(3)).served_primary == 3

    asyncio.run(scenario())


def test_answers_are_byte_for_byte_what_they_are_without_tls(stage: Any, pair: Pair) -> None:
    """[R-TRA-1] Chunks, trailers, informational answers, bodies that end with the connection, and nothing cut from the end."""
    answers = {
        b"/chunked": b"HTTP/1.1 200 OK\r\nX-b: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n",
        b"/hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"/until-end": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"e" * 100_000,
        b"/none": b"HTTP/1.1 204 No Content\r\n\r\n",
        b"/post": b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
    }

    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            for path, raw in answers.items():
                s.primary.says(path, raw)
                reader, writer = await connect(s, pair)
                writer.write(b"POST %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc" % path)
                assert await reader.read(-1) == raw
                writer.close()
            assert [asked.body for asked in s.primary.asked] == [b"abc"] * len(answers)
            assert (await s.at_rest(len(answers))).served_primary == len(answers)

    asyncio.run(scenario())


def test_an_upgraded_connection_passes_as_bytes(stage: Any, pair: Pair) -> None:
    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:

            async def echo(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                while data := await reader.read(65536):
                    writer.write(data)
                return False

            s.primary.scripts[b"/ws"] = echo
            reader, writer = await connect(s, pair)
            writer.write(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
            for size in (5, 200_000):
                writer.write(b"\x00" * size)
                assert await reader.readexactly(size) == b"\x00" * size
            writer.close()
            assert (await s.at_rest(1)).skipped == {"upgraded": 1}

    asyncio.run(scenario())


def test_a_slow_client_gets_all_of_an_answer_behind_which_its_connection_ends(stage: Any, pair: Pair) -> None:
    """What waits for it when the connection is closed is sent all the same, and the end is TLS's own, not a cut."""

    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            body = hashlib.sha256(b"x").digest() * 100_000
            s.primary.says(b"/big", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            reader, writer = await connect(s, pair)
            writer.write(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(1.5)
            got = await reader.read(-1)
            assert hashlib.sha256(got).digest() == hashlib.sha256(body).digest()
            writer.close()
            assert (await s.at_rest(1)).served_primary == 1

    asyncio.run(scenario())


def test_an_answer_that_its_client_does_not_take_waits_at_its_backend(stage: Any, pair: Pair) -> None:
    """[B2] [F-21]"""

    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            sent = 0

            async def big(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                nonlocal sent
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (400 * 65536))
                for _ in range(400):
                    writer.write(b"x" * 65536)
                    await writer.drain()
                    sent += 65536
                return True

            s.primary.scripts[b"/big"] = big
            reader, writer = await connect(s, pair)
            reader._transport.pause_reading()  # type: ignore[union-attr]
            writer.write(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            last = -1
            while sent != last:
                last = sent
                await asyncio.sleep(0.3)
            assert sent < 16 * 1024 * 1024
            reader._transport.resume_reading()  # type: ignore[union-attr]
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(400 * 65536) == b"x" * (400 * 65536)
            writer.close()

    asyncio.run(scenario())


def test_tls_older_than_1_2_is_not_spoken(stage: Any, pair: Pair) -> None:
    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = pair.client()
                context.minimum_version = context.maximum_version = version
                _, writer = await connect(s, pair, context)
                writer.close()
            old = pair.client()
            old.set_ciphers("DEFAULT:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await connect(s, pair, old)
            assert s.ledger().seen == 0

    asyncio.run(scenario())


def test_http2_is_not_offered_unless_it_was_asked_for(stage: Any, pair: Pair) -> None:
    """[T18]"""

    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            _, writer = await connect(s, pair, pair.client("h2", "http/1.1"))
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
            writer.close()

    asyncio.run(scenario())


def test_http_without_tls_is_not_answered_on_the_tls_port_and_counted(stage: Any, pair: Pair, wait: Any) -> None:
    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
            try:
                assert b"HTTP/" not in await asyncio.wait_for(reader.read(-1), 5)
            except ConnectionError:
                pass
            writer.close()
            assert (await s.at_rest(1)).refused == {"malformed": 1}
            _, writer = await connect(s, pair)  # a scan, or a health check: no request
            writer.transport.abort()
            _, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.close()
            await wait(lambda: True)
            assert s.ledger().seen == 1
            assert s.primary.asked == []

    asyncio.run(scenario())


def test_a_handshake_holds_up_nobody_and_ends_in_time(stage: Any, pair: Pair, monkeypatch: Any) -> None:
    """[T18] [F-24] Silent connections, and such as say half of a hello."""
    monkeypatch.setattr(listener, "HANDSHAKE_S", 0.6)

    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            silent = [await asyncio.open_connection("127.0.0.1", s.port) for _ in range(20)]
            for _, writer in silent[:10]:
                writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
            reader, writer = await connect(s, pair)
            writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await read_answer(reader)).endswith(b"primary /items/1 ")
            writer.close()
            for reader, writer in silent:
                try:
                    assert await asyncio.wait_for(reader.read(-1), 5) == b""
                except ConnectionError:
                    pass
                writer.close()
            assert (await s.at_rest(1)).served_primary == 1

    asyncio.run(scenario())


def test_a_client_too_many_is_told_so_over_tls(stage: Any, pair: Pair, monkeypatch: Any) -> None:
    """[F-22] [F-23] Connections in their handshake count as clients, for they take descriptors as well."""
    monkeypatch.setattr("proxy.listener.room_for_clients", lambda: 8)

    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            silent = [await asyncio.open_connection("127.0.0.1", s.port) for _ in range(8)]
            reader, writer = await connect(s, pair)
            writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await asyncio.wait_for(reader.read(-1), 5)).startswith(b"HTTP/1.1 503")
            writer.close()
            for _, other in silent:
                other.close()
            assert (await s.at_rest(1)).refused == {"overload": 1}

    asyncio.run(scenario())


def test_beyond_a_few_too_many_nobody_takes_a_handshakes_time(stage: Any, pair: Pair, monkeypatch: Any, wait: Any) -> None:
    """[T18] [F-23] Silent connections without end take no more descriptors than there are for clients."""
    monkeypatch.setattr("proxy.listener.room_for_clients", lambda: 8)
    monkeypatch.setattr("proxy.listener.TURNED_AWAY_S", 30.0)

    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            silent = [await asyncio.open_connection("127.0.0.1", s.port) for _ in range(8 + listener.WAITED_FOR)]
            more = [await asyncio.open_connection("127.0.0.1", s.port) for _ in range(20)]
            for reader, writer in more:
                try:
                    assert await asyncio.wait_for(reader.read(-1), 10) == b""
                except ConnectionError:
                    pass
                writer.close()
            for _, writer in silent:
                writer.close()
            assert (await s.at_rest(20)).refused == {"overload": 20}

    asyncio.run(scenario())


def test_a_clients_hello_on_the_plain_port_is_refused_at_once_without_a_certificate(stage: Any) -> None:
    """[T23] mitmproxy would answer it with a certificate of its own authority."""

    async def scenario() -> None:
        async with stage() as s:
            context = ssl.create_default_context()
            hello = ssl.MemoryBIO()
            made = context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="shop.test")
            with pytest.raises(ssl.SSLWantReadError):
                made.do_handshake()
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(hello.read())
            said = await asyncio.wait_for(reader.read(-1), 6)
            writer.close()
            assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert (await s.at_rest(1)).refused == {"malformed": 1}
            with pytest.raises(ssl.SSLError):
                await asyncio.open_connection("127.0.0.1", s.port, ssl=context, server_hostname="shop.test")

    asyncio.run(scenario())


def test_asyncio_reads_tls_in_pieces_of_the_size_we_set(stage: Any, pair: Pair) -> None:
    """[F-22] Its own buffer of 256 KiB for each connection would be 2.3 GB for 9,000 clients."""
    before = sslproto.SSLProtocol.max_size

    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            assert sslproto.SSLProtocol.max_size == READ_BYTES
            _, writer = await connect(s, pair)
            assert len(writer.transport._ssl_protocol._ssl_buffer) == READ_BYTES  # type: ignore[attr-defined]
            writer.close()

    try:
        asyncio.run(scenario())
    finally:
        sslproto.SSLProtocol.max_size = before
