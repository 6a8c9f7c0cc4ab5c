"""TLS towards a backend: verified, against an own authority too, and bounded in time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from shadow_backends import always, answer, backend, listening
from shadow_dispatch import asking

from tests.certificates import make_pair


@pytest.mark.parametrize(
    ("address", "trusted", "works"), [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("127.0.0.2", True, False)]
)
def test_backend_behind_tls_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, trusted: bool, works: bool
) -> None:
    """An own authority is named by SSL_CERT_FILE; a certificate of somebody else's, or for another address, is refused."""
    pair = make_pair(tmp_path, address=address)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pair.certificate))
    else:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    async def scenario() -> None:
        async with backend(always(answer(200, b"secure")), pair.server()) as server:
            transport, ask = asking(server.url)
            if works:
                for _ in range(3):
                    assert await (await ask()).aread() == b"secure"
                assert server.connections == 1
            else:
                with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    await ask()
                assert server.seen == []
            await transport.aclose()

    asyncio.run(scenario())


def test_backend_that_speaks_no_tls_is_refused_within_the_deadline() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario() -> None:
        for act, error in ((garbage, httpx.ConnectError), (silent, httpx.ConnectTimeout)):
            async with listening(act) as url:
                transport, ask = asking(url.replace("http:", "https:"), deadline_s=0.5)
                with pytest.raises(error):
                    await ask()
                await transport.aclose()

    asyncio.run(scenario())
