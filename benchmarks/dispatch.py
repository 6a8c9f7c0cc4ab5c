"""What it costs to send a copy and to read its answer: the shadow's dispatch beside plain httpx, side by side in one run.

Run as `python -m benchmarks.dispatch` (about a minute). A backend of its own process gives a fixed answer over loopback; each round
sends with one, 16 and 64 exchanges in flight, first one way and then the other, and the medians of CPU time per exchange and of
their ratio are printed. CPU time is this process's own: on a shared machine requests per second mean little.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import httpx

from shadow.backend_transport import BackendTransport
from shadow.breaker import Breaker
from shadow.dispatch import Ceilings, Dispatch
from traffic.message import Headers, Request, Response

ROUNDS = 7
IN_FLIGHT = (1, 16, 64)
SIZES = {"1 KiB": 1024, "20 KiB": 20 * 1024}
EXCHANGES = 300
BAR = 4.0
TARGET = b"/api/items/?page=2&q=a%20b"
HEADERS: Headers = (
    (b"Host", b"shop.example"),
    (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"),
    (b"Accept", b"application/json"),
    (b"Accept-Encoding", b"gzip, deflate, br"),
    (b"Accept-Language", b"en"),
    (b"Cookie", b"theme=dark; sessionid=6b1c2f0e9a"),
    (b"X-Forwarded-For", b"203.0.113.9"),
    (b"X-Forwarded-Proto", b"https"),
)
Once = Callable[[], Awaitable[None]]


class Fixed(asyncio.Protocol):
    """Gives the same answer to every request without a body, as cheaply as asyncio can."""

    answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *asked, self._rest = (self._rest + data).split(b"\r\n\r\n")
        self._transport.write(self.answer * len(asked))  # type: ignore[attr-defined]


async def serve(size: int) -> None:
    """The backend's own process: prints its port and serves until it is ended."""
    body = b"x" * size
    Fixed.answer = (
        b"HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 21:00:00 GMT\r\nServer: uvicorn\r\nContent-Type: application/json\r\n"
        b"Vary: Accept, Cookie\r\nAllow: GET, HEAD, OPTIONS\r\nX-Frame-Options: DENY\r\nX-Request-Id: 0123456789abcdef\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (size, body)
    )
    server = await asyncio.get_running_loop().create_server(Fixed, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def cost(once: Once, in_flight: int) -> float:
    """CPU seconds of this process per exchange."""
    left = EXCHANGES

    async def client() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await once()

    begun = time.process_time()
    await asyncio.gather(*(client() for _ in range(in_flight)))
    return (time.process_time() - begun) / EXCHANGES


def dispatch(url: str) -> tuple[Once, Callable[[], Awaitable[None]]]:
    """All that the shadow does between an exchange and its answer: copy, ceilings, breaker, transport."""
    clock = time.monotonic
    way = Dispatch(url, b"k" * 32, 5.0, 1 << 20, Ceilings(64), Breaker(clock), clock, lambda: secrets.token_hex(8))
    request = Request("GET", TARGET, HEADERS)

    async def once() -> None:
        made = await way.send(request, TARGET)
        if not isinstance(made.answer, Response):
            raise SystemExit(f"no answer: {made}")

    return once, way.close


def over(client: httpx.AsyncClient, url: str) -> tuple[Once, Callable[[], Awaitable[None]]]:
    """The same request by an httpx client."""
    whole, headers = url + TARGET.decode(), list(HEADERS)

    async def once() -> None:
        answer = await client.get(whole, headers=headers)
        if answer.status_code != 200:
            raise SystemExit(f"no answer: {answer}")

    return once, client.aclose


async def compare(name: str, url: str) -> bool:
    """Prints one line for each number in flight; whether the bar is reached at 16."""
    ways = {
        "plain": over(httpx.AsyncClient(trust_env=False), url),
        "client": over(httpx.AsyncClient(transport=BackendTransport(httpx.URL(url), 5.0, 1 << 20)), url),
        "dispatch": dispatch(url),
    }
    reached = True
    for in_flight in IN_FLIGHT:
        found: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(ROUNDS + 1):
            for way, (once, _) in ways.items():
                spent = await cost(once, in_flight)
                if number:  # the first round makes connections and fills caches
                    found[way].append(spent)
        ratios = [plain / ours for plain, ours in zip(found["plain"], found["dispatch"], strict=True)]
        plain, client, ours = (statistics.median(found[way]) * 1e6 for way in ways)
        ratio = statistics.median(ratios)
        asked = f"at least {BAR:g} x" if in_flight == 16 else ""
        print(f"{name:>7} {in_flight:>9} {plain:>14,.0f} us {client:>16,.0f} us {ours:>9,.0f} us {ratio:>8.1f} x   {asked}")
        reached = reached and (in_flight != 16 or ratio >= BAR)
    for _, close in ways.values():
        await close()
    return reached


def main() -> None:
    """Prints the table; exits 1 where the bar is not reached."""
    if len(sys.argv) == 3 and sys.argv[1] == "serve":
        asyncio.run(serve(int(sys.argv[2])))
        return
    print(f"CPU time per exchange of the sending process; Python {sys.version.split()[0]}, httpx {httpx.__version__}")
    print(f"{'answer':>7} {'in flight':>9} {'plain AsyncClient':>17} {'client on ours':>19} {'dispatch':>12} {'ratio':>10}")
    reached = True
    for name, size in SIZES.items():
        command = [sys.executable, "-m", "benchmarks.dispatch", "serve", str(size)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.getcwd()}) as backend:
            try:
                assert backend.stdout is not None
                url = f"http://127.0.0.1:{int(backend.stdout.readline())}"
                reached = asyncio.run(compare(name, url)) and reached
            finally:
                backend.kill()
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
