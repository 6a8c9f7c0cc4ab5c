"""Every request is answered by the primary and counted once, whatever becomes of the shadow."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shadow.copy_request import marker_value
from traffic.message import Side

KEY = b"k" * 32


@pytest.mark.parametrize("shadow", ["absent", "hangs", "reads"])
def test_clients_notice_nothing_of_the_shadow_and_the_ledger_holds(stage: Any, shadow: str) -> None:
    async def scenario() -> None:
        async with stage(shadow=shadow, mirror={"queue": 40}) as s:

            async def client(number: int) -> None:
                for i in range(10):
                    answer = await s.ask(f"/items/{number}-{i}")
                    assert answer.body == f"primary /items/{number}-{i} ".encode()

            await asyncio.gather(*(client(n) for n in range(10)))
            ledger = await s.at_rest(100)
            assert ledger.served_primary == 100
            assert ledger.pending + ledger.skipped.get("queue_full", 0) == 100
            if shadow == "absent":
                assert ledger.skipped == {"queue_full": 60}

    asyncio.run(scenario())


def test_a_shadow_that_dies_and_comes_back_gets_no_exchange_twice(stage: Any, wait: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            for i in range(30):
                if i == 10:
                    await wait(lambda: len(s.shadow.exchanges) == 10)
                    await s.shadow.stop()
                if i == 20:
                    await s.shadow.start()
                assert (await s.ask(f"/items/{i}")).status == 200
            await wait(lambda: len(s.shadow.hellos) == 2)
            ledger = await s.at_rest(30)
            assert ledger.served_primary == ledger.pending == 30
            sent = s.shadow.hellos[1].sent["GET /items/{id}"]
            await wait(lambda: len(s.shadow.exchanges) == 30 - (sent - 10))
            seqs = [exchange.seq for exchange in s.shadow.exchanges]
            assert len(set(seqs)) == len(seqs)
            assert s.shadow.hellos[0].sent == {}
            assert s.shadow.hellos[0].boot == s.shadow.hellos[1].boot

    asyncio.run(scenario())


def test_exchanges_arrive_as_they_were(stage: Any, wait: Any) -> None:
    async def scenario() -> None:
        async with stage(route=[{"match": "POST /items/{id}", "mirror": "writes"}]) as s:
            s.primary.says(b"/items/7", b"HTTP/1.1 201 Created\r\nX-B: 2\r\nx-b: 1\r\nContent-Length: 3\r\n\r\n\x00\xff!")
            headers = "X-Two: 1\r\nx-two: 2\r\nExpect-CT: z\r\n"
            await s.ask("/items/7?q=%20a&q=b", method="POST", headers=headers, body=b'{"n": 1}')
            exchange = await wait(lambda: s.shadow.exchanges and s.shadow.exchanges[0])
            assert (exchange.route, exchange.live_side, exchange.seq) == ("POST /items/{id}", Side.PRIMARY, 1)
            assert (exchange.request.method, exchange.request.target) == ("POST", b"/items/7?q=%20a&q=b")
            assert exchange.request.body == b'{"n": 1}'
            sent = [(n, v) for n, v in exchange.request.headers if not n.startswith(b"X-Forwarded")]
            assert sent == [
                (b"Host", b"shop.test"),
                (b"Connection", b"close"),
                (b"X-Two", b"1"),
                (b"x-two", b"2"),
                (b"Expect-CT", b"z"),
                (b"Content-Length", b"8"),
            ]
            assert exchange.live.status == 201
            assert exchange.live.headers == ((b"X-B", b"2"), (b"x-b", b"1"), (b"Content-Length", b"3"))
            assert exchange.live.body == b"\x00\xff!"
            assert 0 <= exchange.live_ms < 5000
            assert exchange.client == s.shadow.exchanges[0].client != ""

    asyncio.run(scenario())


def test_a_streamed_request_body_is_copied_too(stage: Any, wait: Any) -> None:
    async def scenario() -> None:
        async with stage(route=[{"match": "POST /items/{id}", "mirror": "writes"}]) as s:
            head = b"POST /items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            await s.ask(raw=head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
            exchange = await wait(lambda: s.shadow.exchanges and s.shadow.exchanges[0])
            assert exchange.request.body == b"abcde"
            assert s.primary.asked[0].body == b"abcde"

    asyncio.run(scenario())


REASONS: list[tuple[str, dict[str, Any], dict[str, Any], bytes]] = [
    ("unsafe_method", {}, {"method": "POST", "body": b"x"}, b""),
    ("unsafe_method", {}, {"method": "OPTIONS"}, b""),
    ("excluded", {"route": [{"match": "GET /r", "mirror": "off"}]}, {}, b""),
    ("too_large", {"mirror": {"max_body": 10}}, {}, b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890"),
    (
        "too_large",
        {"mirror": {"max_body": 10}},
        {},
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n",
    ),
    (
        "too_large",
        {"mirror": {"max_body": 10}, "route": [{"match": "POST /r", "mirror": "writes"}]},
        {"method": "POST", "body": b"x" * 11},
        b"",
    ),
    ("live_refused", {}, {}, b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"),
    ("live_refused", {}, {}, b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
    (
        "streaming",
        {},
        {},
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nContent-Length: 2\r\n\r\n\n\n",
    ),
    ("loop", {}, {"headers": f"X-Paritygate-Shadow: {marker_value(KEY).decode()}\r\n"}, b""),
]


@pytest.mark.parametrize(("reason", "sections", "request_", "answer"), REASONS)
def test_what_is_not_mirrored_is_served_and_counted(
    stage: Any, reason: str, sections: dict[str, Any], request_: dict[str, Any], answer: bytes
) -> None:
    async def scenario() -> None:
        async with stage(**sections) as s:
            if answer:
                s.primary.says(b"/r", answer)
            got = await s.ask("/r", **request_)
            assert got.raw == answer or not answer
            ledger = await s.at_rest(1)
            assert ledger.skipped == {reason: 1}
            assert ledger.served_primary == 1
            assert s.shadow.exchanges == []

    asyncio.run(scenario())


def test_sampling_takes_about_its_share(stage: Any) -> None:
    async def scenario() -> None:
        async with stage(mirror={"sample": 0.5}) as s:
            await asyncio.gather(*(s.ask("/items/1") for _ in range(60)))
            ledger = await s.at_rest(60)
            assert 10 < ledger.pending < 50
            assert ledger.skipped["sampled_out"] == 60 - ledger.pending

    asyncio.run(scenario())


def test_an_invented_marker_is_removed_and_changes_nothing(stage: Any, wait: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            headers = "X-Paritygate-Shadow: v1;1;00000000000000000000000000000000\r\nX-Paritygate-Side: candidate\r\nx_paritygate_x: 1\r\n"
            assert (await s.ask("/items/1", headers=headers)).body.startswith(b"primary")
            await wait(lambda: s.shadow.exchanges)
            names = {n.lower().replace(b"_", b"-") for n, _ in s.primary.asked[0].headers}
            assert not any(n.startswith(b"x-paritygate") for n in names)

    asyncio.run(scenario())


def test_a_real_marker_is_removed_as_well(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.ask("/items/1", headers=f"x-paritygate-shadow: {marker_value(KEY, hop=3).decode()}\r\n")
            assert not s.primary.asked[0].values(b"x-paritygate-shadow")

    asyncio.run(scenario())


def test_unknown_and_ambiguous_paths_are_mirrored_under_one_label(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            for target in ("/nowhere", "/items//1", "/items/%2e%2e/1", "/items/a;b", "/items/1%2f2"):
                await s.ask(target)
            ledger = await s.at_rest(5)
            assert ledger.pending == 5
            # %2e%2e stays as it is sent: it is one raw segment, as Django's resolver and Starlette's see it
            assert set(s.ledgers()) <= {"GET __unrouted__", "GET /items/{id}", "GET /items/{id}/1"}
            assert [asked.target for asked in s.primary.asked][1] == b"/items//1"

    asyncio.run(scenario())
