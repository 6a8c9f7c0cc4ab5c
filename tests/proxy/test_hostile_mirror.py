"""With the real shadow behind the proxy: no request makes either of them call a third party, and a copy never runs in a circle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rules.load import EMPTY
from settings.routes import load_route_table
from shadow.serve import serve
from store.database import open_store
from store.tasks import spawn

KEY = b"k" * 32


@asynccontextmanager
async def shadowed(s: Any) -> AsyncIterator[Any]:
    """The shadow of a stage that was started without one; yields its store."""
    store = open_store(s.settings.store_url)
    await store.upgrade()
    ready = asyncio.Event()
    task = spawn(serve(s.settings, KEY, EMPTY, store, ready.set, load_route_table(s.settings)), "shadow")
    waiting = spawn(ready.wait(), "ready")
    try:
        await asyncio.wait({task, waiting}, timeout=15, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield store
    finally:
        waiting.cancel()
        task.cancel()
        await asyncio.wait({task}, timeout=30)
        await store.close()


async def judged(store: Any, seen: int) -> Any:
    """The ledger in the store once it knows the end of `seen` requests."""
    async with asyncio.timeout(20):
        while True:
            ledgers = (await store.ledgers()).values()
            if sum(ledger.seen for ledger in ledgers) >= seen and not sum(ledger.pending + ledger.open for ledger in ledgers):
                return ledgers
            await asyncio.sleep(0.05)


def requests_that_name(evil: str) -> list[bytes]:
    """Targets, Hosts and claims that lead to `evil` wherever somebody joins URLs."""
    targets = [
        *(
            f"http://{evil}/x",
            f"http://{evil}",
            f"HTTP://{evil}/x",
            f"https://{evil}/x",
            f"http://u:p@{evil}/x",
            f"//{evil}/x",
            f"///{evil}/x",
        ),
        *(
            f"/\\{evil}/x",
            f"/\\/{evil}/x",
            f"/%2f{evil}/x",
            f"/@{evil}/x",
            f"/x@{evil}/",
            f"/go/@{evil}",
            f"/go//{evil}/x",
            f"/go/http://{evil}/x",
        ),
        *(
            f"/go/x?url=http://{evil}/",
            f"/go/{evil}",
            f"/.{evil}/",
            f"/;@{evil}/",
            f"/x?@{evil}/",
            f"@{evil}/x",
            f":80@{evil}/x",
            f"{evil}",
        ),
        *(
            f"http:{evil}/x",
            f"http:/{evil}/x",
            f"http:\\\\{evil}\\x",
            f"/x%0d%0aHost:%20{evil}",
            f"/go/%0d%0aHost:{evil}",
            f"/go/..//{evil}/x",
            "*",
        ),
    ]
    made = [f"GET {target} HTTP/1.1\r\nHost: shop.test\r\n" for target in targets]
    made += [f"CONNECT {target} HTTP/1.1\r\nHost: {evil}\r\n" for target in (evil, f"http://{evil}/", f"u@{evil}", "/x")]
    claims = [
        "Host",
        "X-Forwarded-Host",
        "X-Forwarded-Server",
        "Forwarded",
        "X-Host",
        "X-Original-URL",
        "X-Forwarded-For",
        "Referer",
        "Origin",
        "Location",
    ]
    for name in claims:
        host = "" if name == "Host" else "Host: shop.test\r\n"
        made += [
            f"GET /go/x HTTP/1.1\r\n{host}{name}: {value}\r\n"
            for value in (evil, f"http://{evil}/", f"u@{evil}", f"host={evil}")
        ]
    return [each.encode() + b"Connection: close\r\n\r\n" for each in made]


def test_no_request_makes_proxy_or_shadow_call_anybody_else(stage: Any) -> None:
    """[R-SEC-2] [T3] More than 60 attempts, on the live leg and on the mirror's: a listener they name is never called."""
    routes = [
        {"match": "GET /go/{rest:path}", "candidate_path": "/{rest}"},
        {"match": "GET /go/{rest}", "candidate_path": "/to/{rest}"},
    ]

    async def scenario() -> None:
        hits: list[int] = []
        canary = await asyncio.start_server(lambda _reader, writer: (hits.append(1), writer.close()), "127.0.0.1", 0)
        evil = f"127.0.0.1:{canary.sockets[0].getsockname()[1]}"
        async with stage(shadow="absent", route=routes) as s, shadowed(s) as store:
            attempts = requests_that_name(evil)
            assert len(attempts) > 60
            for raw in attempts:
                await s.ask(raw=raw)
            ledger = await s.at_rest(len(attempts))
            assert ledger.served_primary > 40
            ledgers = await judged(store, len(attempts))
            copied = sum(each.mirrored for each in ledgers)
            assert copied > 30
            assert len([asked for asked in s.candidate.asked if asked.values(b"x-paritygate-shadow")]) >= copied
            assert hits == []
        canary.close()

    asyncio.run(scenario())


async def forwarder() -> tuple[asyncio.Server, list[int]]:
    """A port that leads to another one, which is told later."""
    leads_to: list[int] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", leads_to[0])
        await asyncio.gather(pump(reader, forth), pump(back, writer))

    return await asyncio.start_server(connect, "127.0.0.1", 0), leads_to


def test_a_candidate_that_leads_back_to_the_proxy_costs_the_primary_one_more_request_each(stage: Any) -> None:
    """[T6] [T7] Nobody can see the circle at the start; the marker ends it at the first round, for writes as well."""
    routes = [{"match": "GET /items/{id}"}, {"match": "POST /items/{id}", "mirror": "writes"}]

    async def scenario() -> None:
        server, leads_to = await forwarder()
        url = f"http://localhost:{server.sockets[0].getsockname()[1]}"
        async with stage(shadow="absent", candidate={"url": url}, route=routes) as s, shadowed(s) as store:
            leads_to.append(s.port)
            for number in range(5):
                assert (await s.ask(f"/items/{number}")).status == 200
                assert (await s.ask(f"/items/{number}", method="POST", body=b"once")).status == 200
            ledgers = await judged(store, 20)
            for method in (b"GET", b"POST"):
                for number in range(5):
                    asked = [a for a in s.primary.asked if (a.method, a.target) == (method, b"/items/%d" % number)]
                    assert len(asked) <= 2
            total = await s.at_rest(20)
            assert total.skipped == {"loop": 10}
            assert sum(each.mirrored for each in ledgers) == 10
        server.close()

    asyncio.run(scenario())
