"""What is copied, and what must not be: routes that are off, requests without their end, more bodies than memory allows."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from gate import decision as signed
from gate.facts import State
from proxy import admin
from proxy.copy_budget import CopyBudget
from proxy.tee import Tee
from traffic import codec

ROUTE = "GET /items/{id}"


def test_a_route_that_is_off_is_served_and_not_copied_until_it_is_back(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            off = signed.sign(replace(s.decision(ROUTE, 0), state=State.OFF, mac=""), s.key)
            assert (await s.admin("POST", "/decisions", content=signed.encode(off))).status_code == 200
            assert (await s.ask("/items/1")).status == 200
            assert (await s.at_rest(1)).skipped == {"excluded": 1}
            back = signed.sign(replace(s.decision(ROUTE, 0), state=State.SHADOW, mac=""), s.key)
            assert (await s.admin("POST", "/decisions", content=signed.encode(back))).status_code == 200
            await s.ask("/items/1")
            assert (await s.at_rest(2)).pending == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("finishes", [True, False])
def test_a_request_that_is_answered_before_its_end_is_copied_once_it_is_complete(stage: Any, wait: Any, finishes: bool) -> None:
    """[B7] The answer is not held back; a request that never gets complete is served and not copied."""

    async def scenario() -> None:
        async with stage(route=[{"match": "POST /items/{id}", "mirror": "writes"}]) as s:
            answered = asyncio.Event()

            async def early(asked: Any, reader: Any, writer: asyncio.StreamWriter) -> bool:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
                await answered.wait()
                return False

            early.reads_itself = True  # type: ignore[attr-defined]
            s.primary.scripts[b"/items/1"] = early
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"POST /items/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
            assert s.ledger().open == 1
            if finishes:
                writer.write(b"0\r\n\r\n")
                await wait(lambda: [e.request.body for e in s.shadow.exchanges] == [b"hello"])
            else:
                writer.close()
            ledger = await s.at_rest(1)
            assert (ledger.served_primary, ledger.skipped) == (1, {} if finishes else {"incomplete": 1})
            answered.set()
            writer.close()

    asyncio.run(scenario())


def test_tees_share_one_budget_and_give_back_what_they_took() -> None:
    budget = CopyBudget(10)
    first, second = Tee(100, True, budget), Tee(100, True, budget)
    assert (first(b"123456"), second(b"123"), budget.used) == (b"123456", b"123", 9)
    assert second(b"45") == b"45"
    assert (second.starved, second.over, second.body(), budget.used) == (True, False, b"", 6)
    assert second(b"6") == b"6"
    first.drop()
    first.drop()
    assert budget.used == 0
    assert not first.starved


@pytest.mark.parametrize("chunked", [True, False], ids=["streamed", "held"])
def test_bodies_over_the_budget_pass_uncopied_and_all_memory_comes_back(stage: Any, monkeypatch: Any, chunked: bool) -> None:
    """[B2] [F-21] What is kept for copies is bounded over all requests together; clients notice nothing."""
    made: list[CopyBudget] = []

    def small() -> CopyBudget:
        made.append(CopyBudget(1000))
        return made[-1]

    monkeypatch.setattr("proxy.live_path.CopyBudget", small)

    async def scenario() -> None:
        async with stage(route=[{"match": "POST /items/{id}", "mirror": "writes"}]) as s:
            for i, size in enumerate((900, 1001, 900)):
                body = b"x" * size
                framed = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body) if chunked else body
                framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
                head = b"POST /items/%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n\r\n" % (i, framing)
                assert (await s.ask(raw=head + framed)).status == 200
                assert s.primary.asked[-1].body == body
            ledger = await s.at_rest(3)
            assert (ledger.pending, ledger.skipped) == (2, {"queue_full": 1})
            assert made[0].used == 0

    asyncio.run(scenario())


def test_an_answer_over_the_budget_passes_uncopied_while_others_are_open(stage: Any, wait: Any, monkeypatch: Any) -> None:
    budget = CopyBudget(1000)
    monkeypatch.setattr("proxy.live_path.CopyBudget", lambda: budget)

    async def scenario() -> None:
        async with stage() as s:
            s.primary.says(b"/items/1", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + b"x" * 998)  # stays open
            s.primary.says(b"/items/2", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + b"y" * 10)
            _, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
            await wait(lambda: budget.used == 998)
            assert (await s.ask("/items/2")).body == b"y" * 10
            await wait(lambda: s.ledger().skipped == {"queue_full": 1})
            writer.close()
            await s.at_rest(2)
            assert budget.used == 0

    asyncio.run(scenario())


def test_the_figures_are_gathered_outside_the_live_paths_loop(stage: Any, monkeypatch: Any) -> None:
    threads: list[int] = []

    def noting(real: Any) -> Any:
        def gathered(*arguments: Any) -> Any:
            threads.append(threading.get_ident())
            return real(*arguments)

        return gathered

    for name in ("metrics_text", "status_document"):
        monkeypatch.setattr(admin, name, noting(getattr(admin, name)))

    async def scenario() -> None:
        async with stage() as s:
            await s.ask("/items/1")
            await s.at_rest(1)
            for path in ("/metrics", "/status"):
                assert (await s.admin("GET", path)).status_code == 200
            assert len(threads) == 2
            assert threading.get_ident() not in threads
            next(s.settings.state_dir.glob("openings-*.bin")).unlink()
            for path in ("/metrics", "/status"):
                assert (await s.admin("GET", path)).status_code == 503
            assert (await s.ask("/items/1")).status == 200

    asyncio.run(scenario())


def test_an_exchange_that_no_frame_can_hold_is_unsendable_and_the_rest_is_sent(stage: Any, wait: Any, monkeypatch: Any) -> None:
    """It was served, is never counted as handed over, and what comes after it does not suffer."""

    async def scenario() -> None:
        async with stage() as s:
            monkeypatch.setattr(codec, "MAX_FRAME", 20_000)
            s.primary.says(b"/large", b"HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n" + b"x" * 30_000)
            for target in ("/a", "/large", "/b"):
                assert (await s.ask(target)).status == 200
            ledger = await s.at_rest(3)
            assert (ledger.served_primary, ledger.skipped["unsendable"], ledger.pending) == (3, 1, 2)
            await wait(lambda: [e.request.target for e in s.shadow.exchanges] == [b"/a", b"/b"])

    asyncio.run(scenario())


def test_a_full_hand_off_keeps_nothing_of_a_read_and_still_tries_a_write(stage: Any, wait: Any, monkeypatch: Any) -> None:
    budget = CopyBudget()
    monkeypatch.setattr("proxy.live_path.CopyBudget", lambda: budget)

    async def scenario() -> None:
        route = [{"match": "POST /items/{id}", "mirror": "writes"}]
        async with stage(shadow="absent", mirror={"queue": 1}, route=route) as s:
            assert (await s.ask("/items/0")).status == 200
            open_answer = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + b"x" * 900
            s.primary.says(b"/items/1", open_answer)
            for method, kept in ((b"GET", 0), (b"POST", 900)):
                reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
                writer.write(method + b" /items/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
                await reader.readuntil(b"x" * 900)
                assert budget.used == kept
                writer.close()
            await s.at_rest(3)

    asyncio.run(scenario())
