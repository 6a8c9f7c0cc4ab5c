"""Whatever happens to the mirror, clients get the primary's answer byte for byte and the ledger stays exact."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cli.demo_stage import READY_DEADLINE, Stage, answers, free_ports, until
from cli.overview import current_ledgers
from cli.run import parts_of
from cli.supervise import Supervisor
from demo import traffic as demo_traffic
from settings.keyfile import make_key
from settings.load import load_settings
from settings.model import Settings
from store.database import open_store
from traffic.ledger import Ledger

REQUESTS = 120
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nX-Twice: a\r\nServer: old\r\nX-Twice: b\r\ncontent-TYPE: application/json\r\nContent-Length: 12\r\n\r\n"
    b'{"a": [1.0]}',
    b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nContent-Type: text/html\r\n\r\nnope",
    b"HTTP/1.1 204 No Content\r\nX-Empty: \r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\nContent-Type: application/json\r\n\r\nnot-gzip!",
    b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n",
)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def primary(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers request number n with the n-th of the answers."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            number = int(head.split(b" ")[1].rpartition(b"/")[2])
            writer.write(ANSWERS[number % len(ANSWERS)])
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def hanging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass
    finally:
        writer.close()


def sending(content: bytes) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(content)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return handle


CANDIDATES: dict[str, Handler | None] = {
    "killed": None,
    "hanging": hanging,
    "garbage": sending(b"\x00\xffthis is no HTTP\r\n\r\n" * 50),
    "cut": sending(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this"),
    "huge": sending(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + b"x" * 20_000_000),
    "wrong": sending(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{]"),
}


async def ask(port: int, number: int) -> tuple[bytes, list[bytes], bytes]:
    """Status line, header lines and body of one request, as they were on the wire; the body without its chunk framing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(10):
            writer.write(b"GET /answers/%d HTTP/1.1\r\nHost: shop.example\r\n\r\n" % number)
            head = await reader.readuntil(b"\r\n\r\n")
            status, *lines = head[:-4].split(b"\r\n")
            fields = {line.partition(b":")[0].lower(): line.partition(b":")[2].strip() for line in lines}
            body = b""
            if fields.get(b"transfer-encoding") == b"chunked":
                while size := int(await reader.readline(), 16):
                    body += (await reader.readexactly(size + 2))[:-2]
            elif b" 204 " not in status:
                body = await reader.readexactly(int(fields[b"content-length"]))
            return status, lines, body
    finally:
        writer.close()


@asynccontextmanager
async def shadowed(folder: Path, candidate: Handler | None) -> AsyncIterator[tuple[Settings, int]]:
    """Proxy and shadow before a raw primary and the given candidate; yields the settings and the primary's port."""
    proxy, admin, gone = free_ports(3)
    servers = [await asyncio.start_server(primary, "127.0.0.1", 0)]
    if candidate is not None:
        servers.append(await asyncio.start_server(candidate, "127.0.0.1", 0))
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    config = folder / "paritygate.toml"
    config.write_text(
        f'[primary]\nurl = "http://127.0.0.1:{ports[0]}"\n[candidate]\nurl = "http://127.0.0.1:{ports[1] if candidate else gone}"\n'
        f'[proxy]\nlisten = "127.0.0.1:{proxy}"\nadmin = "127.0.0.1:{admin}"\n[mirror]\ntimeout = "500ms"\n[rules]\nfiles = []\n',
        encoding="utf-8",
    )
    make_key(folder / "paritygate.key")
    settings = load_settings(config)
    parts = [part for part in parts_of(settings, dict(os.environ), logs=folder) if part.name != "dashboard"]
    supervisor = Supervisor(parts, lambda text: None)
    supervisor.start()
    try:
        await until("the proxy did not get ready", lambda: answers(f"http://{settings.proxy.admin}/readyz"), READY_DEADLINE)
        yield settings, ports[0]
    finally:
        await supervisor.stop()
        for server in servers:
            server.close()


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_clients_get_the_primarys_answer_byte_for_byte(candidate: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shadowed(tmp_path, CANDIDATES[candidate]) as (settings, port):
            through = int(settings.proxy.listen.rpartition(":")[2])
            expected = [await ask(port, number) for number in range(len(ANSWERS))]
            for start in range(0, REQUESTS, 12):
                got = await asyncio.gather(*(ask(through, number) for number in range(start, start + 12)))
                assert got == [expected[number % len(ANSWERS)] for number in range(start, start + 12)]

            store = open_store(settings.store_url)
            await store.upgrade()  # the shadow may still be starting
            ledgers: dict[str, Ledger] = {}

            async def resting() -> bool:
                ledgers.clear()
                ledgers.update(await current_ledgers(store, settings))
                total = sum(ledgers.values(), Ledger())
                return total.seen == REQUESTS and total.open == 0 and total.pending == 0

            await until("the mirror did not come to rest", resting, 60)
            await store.close()
            total = sum(ledgers.values(), Ledger())
            assert [text for ledger in ledgers.values() for text in ledger.violations()] == []
            assert total.served_primary == REQUESTS
            assert total.verdicts.get("match", 0) == 0
            if candidate != "wrong":
                assert sum(total.candidate_error.values()) > 0

    asyncio.run(scenario())


def test_killing_the_shadow_in_the_middle_hurts_nobody_and_every_loss_is_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, lambda text: None, dashboard=False) as stage:
            killed: list[int] = []

            def progress(done: int, _: int) -> None:
                pid = stage.supervisor.pid("shadow")
                if done >= 500 and not killed and pid is not None:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

            report = await demo_traffic.run(stage.url, requests=1200, seed=11, rate=150.0, progress=progress)
            ledgers = await stage.rest()

            total = sum(ledgers.values(), Ledger())
            assert killed
            assert stage.supervisor.starts("shadow") == 2
            assert report.failed == 0
            assert [text for ledger in ledgers.values() for text in ledger.violations()] == []
            assert total.seen == report.requests == total.served_primary
            assert set(total.lost) <= {"worker_died"}
            assert total.compared > 600

    asyncio.run(scenario())
