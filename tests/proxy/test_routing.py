"""Decisions take effect within a second and under traffic; whoever is in doubt is served by the primary."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from gate import decision as signed
from gate.facts import Decision, State
from proxy.decision_book import DecisionBook
from store.database import open_store
from traffic.message import Side
from traffic.route import Route, RouteTable

KEY = b"k" * 32


def forget(folder: Path, pattern: str) -> None:
    for file in folder.glob(pattern):
        file.unlink()


async def side(s: Any, target: str = "/items/1", **more: Any) -> str:
    answer = await s.ask(target, **more)
    assert answer.status == 200
    return str(answer.body.split(b" ")[0].decode())


def test_a_decision_moves_a_route_and_a_roll_back_brings_it_home(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            assert await side(s) == "primary"
            assert (await s.decide("GET /items/{id}", 10_000)).status_code == 200
            assert await side(s) == "candidate"
            assert await side(s, "/items/1", method="POST") == "primary"
            assert (await s.decide("GET /items/{id}", 0, state=State.ROLLED_BACK)).json()["applied"] is True
            assert await side(s) == "primary"
            ledger = await s.at_rest(4)
            assert (ledger.served_candidate, ledger.served_primary) == (1, 3)

    asyncio.run(scenario())


def test_decisions_under_traffic_fail_no_request(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            sides: Counter[str] = Counter()
            done = False

            async def client() -> None:
                reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
                while not done:
                    writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
                    head = await reader.readuntil(b"\r\n\r\n")
                    assert head.startswith(b"HTTP/1.1 200")
                    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
                    sides[(await reader.readexactly(length)).split(b" ")[0].decode()] += 1
                writer.close()

            clients = [asyncio.get_running_loop().create_task(client()) for _ in range(4)]
            for weight in (10_000, 0, 10_000, 0):
                before = sides.copy()
                assert (await s.decide("GET /items/{id}", weight)).status_code == 200
                wanted = "candidate" if weight else "primary"
                async with asyncio.timeout(5):
                    while sides[wanted] < before[wanted] + 10:
                        await asyncio.sleep(0.01)
            done = True
            await asyncio.gather(*clients)
            ledger = await s.at_rest(sum(sides.values()))
            assert ledger.served_primary == sides["primary"]
            assert ledger.served_candidate == sides["candidate"]

    asyncio.run(scenario())


def test_a_stored_decision_is_read_within_a_second_and_outlives_the_store(stage: Any, folder: Path) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.decide("GET /items/{id}", 10_000, seq=5)
            store = open_store(s.settings.store_url)
            await store.upgrade()  # an empty store: what is in force stays
            await asyncio.sleep(1.2)
            assert await side(s) == "candidate"
            assert (await s.admin("GET", "/readyz")).json()["store"] == "ok"
            await store.close()
            forget(folder, "paritygate.db*")
            await asyncio.sleep(0.7)
            assert await side(s) == "candidate"
            assert (await s.admin("GET", "/readyz")).status_code == 200

    asyncio.run(scenario())


def test_a_decision_survives_a_restart(stage: Any, folder: Path) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.decide("GET /items/{id}", 10_000)
            await s.decide("GET /old", 0)
        forget(folder, ".paritygate/openings-*")
        async with stage() as s:
            assert await side(s) == "candidate"

    asyncio.run(scenario())


def test_a_decision_that_is_forged_stale_or_nonsense_changes_nothing(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            assert (await s.decide("GET /items/{id}", 10_000, key=b"x" * 32)).status_code == 403
            assert await side(s) == "primary"
            assert (await s.decide("GET /items/{id}", 0, seq=9)).status_code == 200
            assert (await s.decide("GET /items/{id}", 10_000, seq=8)).status_code == 409
            assert (await s.admin("POST", "/decisions", content=b'{"route": 1}')).status_code == 400
            assert (await s.admin("POST", "/decisions", content=b"x" * 20_000)).status_code == 413
            assert await side(s) == "primary"

    asyncio.run(scenario())


def test_posting_a_decision_that_is_in_force_is_no_error(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            text = signed.encode(s.decision("GET /items/{id}", 10_000))
            for _ in range(2):
                assert (await s.admin("POST", "/decisions", content=text)).status_code == 200
            listed = (await s.admin("GET", "/decisions")).json()["decisions"]
            assert [(d["route"], d["weight_bp"], d["seq"]) for d in listed] == [("GET /items/{id}", 10_000, 1)]

    asyncio.run(scenario())


def test_a_canary_keeps_each_client_on_its_side(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.decide("GET /items/{id}", 5_000, state=State.CANARY, lease=time.time() + 60)
            sides = {}
            for client in range(24):
                headers = f"Authorization: Bearer {client}\r\n"
                seen = {await side(s, f"/items/{i}", headers=headers) for i in range(3)}
                assert len(seen) == 1
                sides[client] = seen.pop()
            assert set(sides.values()) == {"primary", "candidate"}

    asyncio.run(scenario())


def test_a_canary_without_a_lease_serves_nobody(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.decide("GET /items/{id}", 9_999, state=State.CANARY, lease=time.time() - 1)
            assert {await side(s, headers=f"Authorization: Bearer {i}\r\n") for i in range(8)} == {"primary"}

    asyncio.run(scenario())


def test_the_candidate_is_asked_by_its_own_path_and_the_copy_names_the_clients(stage: Any, wait: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.decide("GET /old", 10_000)
            assert (await s.ask("/old?a=1&a=%20")).body.startswith(b"candidate /new?a=1&a=%20")
            exchange = await wait(lambda: s.shadow.exchanges and s.shadow.exchanges[0])
            assert (exchange.live_side, exchange.route, exchange.request.target) == (
                Side.CANDIDATE,
                "GET /old",
                b"/old?a=1&a=%20",
            )
            assert s.candidate.asked[0].values(b"host") == [b"shop.test"]

    asyncio.run(scenario())


def test_an_ambiguous_path_is_always_the_primarys(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.decide("GET /items/{id}", 10_000)
            await s.decide("GET __unrouted__", 10_000)
            for target in ("/items//1", "/items/./1", "/items/1;x", "/items/a%2Fb", "//items/1", "/items/../items/1", "/other"):
                assert await side(s, target) == "primary", target

    asyncio.run(scenario())


def test_an_alarm_takes_the_route_back_and_survives_a_restart(stage: Any, wait: Any, folder: Path) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.decide("GET /items/{id}", 10_000, seq=3)
            assert await side(s) == "candidate"
            s.shadow.alarm("GET /items/{id}")
            async with asyncio.timeout(6):
                while await side(s) != "primary":
                    await asyncio.sleep(0.01)
            assert (await s.admin("GET", "/decisions")).json()["alarms"] == {"GET /items/{id}": 3}
        forget(folder, ".paritygate/openings-*")
        async with stage() as s:
            assert await side(s) == "primary"
            await s.decide("GET /items/{id}", 10_000, seq=4)
            assert await side(s) == "candidate"

    asyncio.run(scenario())


def test_a_candidate_that_is_down_costs_no_read(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.decide("GET /items/{id}", 10_000)
            await s.decide("POST /items/{id}", 10_000)
            assert await side(s) == "candidate"
            await s.candidate.stop()
            assert await side(s) == "primary"
            assert await side(s, headers="X-A: 1\r\n") == "primary"
            assert (await s.ask("/items/1", method="POST", body=b"x")).status == 502
            ledger = await s.at_rest(4)
            assert (ledger.served_candidate, ledger.served_primary, ledger.refused) == (1, 2, {"upstream_unreachable": 1})

    asyncio.run(scenario())


def test_a_candidate_that_resets_costs_no_read_and_no_write_is_repeated(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:

            async def reset(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                writer.transport.abort()
                return False

            s.candidate.scripts[b"/items/1"] = reset
            await s.decide("GET /items/{id}", 10_000)
            await s.decide("POST /items/{id}", 10_000)
            assert await side(s) == "primary"
            assert (await s.ask("/items/1", method="POST", body=b"x")).status == 502
            assert [asked.method for asked in s.candidate.asked] == [b"GET", b"POST"]
            assert [asked.method for asked in s.primary.asked] == [b"GET"]

    asyncio.run(scenario())


def test_a_damaged_decisions_file_means_the_primary(folder: Path) -> None:
    path = folder / "decisions.json"
    match = RouteTable([Route("GET", "/a")]).match("GET", b"/a")
    for text in (b"", b"{", b"[]", b'{"decisions": ["x"], "alarms": {}}', b'{"decisions": 3, "alarms": {}}', b"\xff"):
        path.write_bytes(text)
        book = DecisionBook(path, KEY, time.time)
        book.load()
        assert book.side(match, "u1") is Side.PRIMARY


def test_a_stored_decision_that_another_key_signed_is_named_and_not_enforced(folder: Path) -> None:
    match = RouteTable([Route("GET", "/a")]).match("GET", b"/a")
    decision = Decision("GET /a", 7, State.CUTOVER, "", 10_000, "salt", 1.0, None, "ada", "")
    book = DecisionBook(folder / "decisions.json", KEY, time.time)

    assert book.offer_all([signed.sign(decision, b"another key")]) == 0
    assert (book.unsigned, book.side(match, "u1")) == ({"GET /a": 7}, Side.PRIMARY)

    assert book.offer_all([signed.sign(replace(decision, seq=8), KEY)]) == 1
    assert (book.unsigned, book.side(match, "u1")) == ({}, Side.CANDIDATE)
