"""httpbin behind gunicorn, asked the same without and with the proxy."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.transparency.httpbin_requests import asked
from tests.transparency.wire import Answer, Incoming, read_answer

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("httpbin") is None, reason="httpbin cannot be installed beside playwright on Python 3.11"
)

ASKED = dict(asked())
NEVER_EQUAL = {b"date", b"etag", b"last-modified"}
"""Fields that httpbin makes anew for each answer; their presence is compared, and the ETag that the request names."""
AT_ONCE = 6


@pytest.fixture(scope="module")
def httpbin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a running httpbin."""
    port = free_port()
    log = tmp_path_factory.mktemp("httpbin") / "log"
    # Processes, not threads: httpbin seeds the one random generator of its process.
    command = [sys.executable, "-P", "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "3", "httpbin:app"]
    with Path(log).open("wb") as output:
        child = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        asyncio.run(_up(port, child))
        yield port
    finally:
        child.terminate()
        child.wait(20)


async def _up(port: int, child: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(30):
        while True:
            assert child.poll() is None
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


async def _ask(port: int, raw: bytes) -> Answer | None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    incoming = Incoming(reader)
    pump = asyncio.get_running_loop().create_task(incoming.pump())
    try:
        async with asyncio.timeout(30):
            writer.write(raw)
            return await read_answer(raw.split(b" ", 1)[0], incoming)
    finally:
        pump.cancel()
        writer.close()


def _comparable(answer: Answer | None) -> Any:
    assert answer is not None
    fields = [(n, b"*" if n.lower() in NEVER_EQUAL and b"abc" not in v else v) for n, v in answer.head.fields]
    body = answer.body
    if body.content[:2] == b"\x1f\x8b":  # the time of its making stands in gzip's own head
        body = replace(body, content=body.content[:4] + body.content[8:])
    return answer.interim, answer.head.line, fields, body, answer.framing


def test_httpbin_answers_the_same_through_the_proxy(httpbin: int, stage: Any) -> None:
    """[R-TRA-2] [B3] Every endpoint, ordinary and odd: status line, fields in order and case, body and framing are the same. Only
    Date, the ETag and Last-Modified that httpbin invents for each answer, and the time in gzip's head cannot be compared."""

    async def scenario() -> None:
        differing = {}
        async with stage(primary={"url": f"http://127.0.0.1:{httpbin}"}) as s:
            turn = asyncio.Semaphore(AT_ONCE)

            async def both(name: str, raw: bytes) -> None:
                async with turn:
                    direct, proxied = _comparable(await _ask(httpbin, raw)), _comparable(await _ask(s.port, raw))
                    if direct != proxied:
                        differing[name] = (direct, proxied)

            await asyncio.gather(*(both(name, raw) for name, raw in ASKED.items()))
            await s.at_rest(len(ASKED))
        assert differing == {}

    assert len(ASKED) > 200
    asyncio.run(scenario())


def test_what_httpbin_sees_of_the_proxy(httpbin: int, stage: Any) -> None:
    """The proxy shows itself in X-Forwarded-* only, which httpbin prints when asked to."""

    async def scenario() -> None:
        async with stage(primary={"url": f"http://127.0.0.1:{httpbin}"}) as s:
            raw = b"GET /headers?show_env=1 HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
            direct, proxied = await _ask(httpbin, raw), await _ask(s.port, raw)
            assert direct is not None
            assert proxied is not None
            added = set(proxied.body.content.split(b"\n")) - set(direct.body.content.split(b"\n"))
            assert {line.strip().split(b":")[0] for line in added} <= {b'"X-Forwarded-For"', b'"X-Forwarded-Proto"', b'"Host"'}
            assert b"X-Forwarded-For" in proxied.body.content

    asyncio.run(scenario())
