"""TLS towards a backend: verified against an own certificate authority, refused without it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.certificates import Pair, make_pair


async def secure_backend(pair: Pair) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecure")
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0, ssl=pair.server())


def test_a_backend_behind_tls_is_verified(stage: Any, folder: Path, monkeypatch: Any) -> None:
    pair = make_pair(folder)

    async def scenario() -> None:
        server = await secure_backend(pair)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with stage(primary={"url": url}) as s:
            answer = await s.ask("/items/1")
            assert answer.status == 502  # nobody vouches for it
        for file in list((folder / ".paritygate").glob("openings-*")):
            file.unlink()
        monkeypatch.setenv("SSL_CERT_FILE", str(pair.certificate))
        async with stage(primary={"url": url}) as s:
            assert (await s.ask("/items/1")).body == b"secure"
            assert (await s.at_rest(1)).served_primary == 1
        server.close()

    asyncio.run(scenario())
