"""A steady load: requests at fixed moments over some connections, each timed from the moment it was due (nothing is omitted)."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latencies:
    """What a run gave: times in milliseconds, sorted, and how many requests had no complete 200."""

    times: list[float]
    failed: int

    def at(self, share: float) -> float:
        """The time that `share` of the requests did not exceed, in milliseconds."""
        return self.times[min(len(self.times) - 1, int(share * len(self.times)))] if self.times else float("nan")


async def steady_load(port: int, target: str, rate: float, seconds: float, connections: int = 16) -> Latencies:
    """Asks `rate` times a second for `seconds`, on `connections` keep-alive connections in turn."""
    loop = asyncio.get_running_loop()
    request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    numbers = itertools.count()
    begin = loop.time() + 0.1
    times: list[float] = []
    failed = 0

    async def client() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        try:
            while (due := begin + next(numbers) / rate) < begin + seconds:
                await asyncio.sleep(due - loop.time())
                try:
                    async with asyncio.timeout(10):
                        writer.write(request)
                        head = await reader.readuntil(b"\r\n\r\n")
                        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                        await reader.readexactly(length)
                    failed += not head.startswith(b"HTTP/1.1 200 ")
                    times.append((loop.time() - due) * 1000)
                except (OSError, EOFError, IndexError, TimeoutError):
                    failed += 1
                    writer.close()
                    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        finally:
            writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return Latencies(sorted(times), failed)
