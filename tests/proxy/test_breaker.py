"""A candidate that fails its live clients loses them at once, and nothing else takes a route from it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.breaker import CLIENTS, LAST, MOST_FAILED, Breaker

ROUTE = "GET /items/{id}"


def test_more_than_half_of_the_last_twenty_trip_it() -> None:
    breaker = Breaker()
    assert not any(breaker.note("r", 1, failed) for failed in [False, True] * LAST)
    assert breaker.note("r", 1, True)


def test_half_of_them_do_not_trip_it_before_there_are_twenty() -> None:
    breaker = Breaker()
    assert [breaker.note("r", 1, True) for _ in range(MOST_FAILED + 1)] == [False] * MOST_FAILED + [True]


def test_it_trips_once_per_decision_and_a_newer_one_starts_afresh() -> None:
    breaker = Breaker()
    assert sum(breaker.note("r", 1, True) for _ in range(100)) == 1
    assert [breaker.note("r", 2, True) for _ in range(MOST_FAILED + 1)].index(True) == MOST_FAILED


def test_late_failures_of_an_older_decision_say_nothing_about_the_newer_one() -> None:
    breaker = Breaker()
    assert not breaker.note("r", 2, False)
    assert not any(breaker.note("r", 1, True) for _ in range(100))


def test_routes_do_not_share_their_failures() -> None:
    breaker = Breaker()
    assert not any(breaker.note(f"r{i}", 1, True) for i in range(100))


async def fail(s: Any, count: int, **more: Any) -> None:
    for _ in range(count):
        try:
            await s.ask("/items/3", **more)
        except (ValueError, IndexError, OSError):  # half an answer
            pass


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
BROKEN = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"


@pytest.mark.parametrize("raw", [HALF, BROKEN, b""], ids=["half an answer", "500", "no answer"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_live_candidate_that_fails_its_clients_loses_the_route(stage: Any, raw: bytes, method: str) -> None:
    async def scenario() -> None:
        async with stage() as s:
            route = f"{method} /items/{{id}}"
            await s.decide(route, 10_000)
            s.candidate.says(b"/items/3", raw, keep=False)
            await fail(s, MOST_FAILED, method=method)
            assert (await s.admin("GET", "/decisions")).json()["alarms"] == {}
            await fail(s, 1, method=method)
            assert (await s.admin("GET", "/decisions")).json()["alarms"] == {route: 1}
            asked = len(s.candidate.asked)
            assert (await s.ask("/items/4", method=method)).body.startswith(b"primary")
            assert len(s.candidate.asked) == asked
            await s.decide(route, 10_000)
            assert (await s.ask("/items/4", method=method)).body.startswith(b"candidate")

    asyncio.run(scenario())


def test_a_candidate_that_is_down_loses_the_route_though_no_client_noticed(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.decide(ROUTE, 10_000)
            await s.candidate.stop()
            for _ in range(MOST_FAILED + 1):
                assert (await s.ask("/items/3")).status == 200
            assert (await s.admin("GET", "/decisions")).json()["alarms"] == {ROUTE: 1}

    asyncio.run(scenario())


def test_clients_that_leave_at_once_and_their_own_errors_take_no_route(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.decide(ROUTE, 10_000)

            async def silent(asked: Any, reader: Any, writer: Any) -> bool:
                await reader.read(-1)
                return False

            s.candidate.scripts[b"/items/5"] = silent
            s.candidate.says(b"/items/6", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            for i in range(LAST):
                _, writer = await asyncio.open_connection("127.0.0.1", s.port)
                writer.write(b"GET /items/5 HTTP/1.1\r\nHost: a\r\n\r\n")
                while len(s.candidate.asked) <= 2 * i:
                    await asyncio.sleep(0.01)
                writer.close()
                assert (await s.ask("/items/6")).status == 404
            await s.at_rest(2 * LAST)
            assert (await s.admin("GET", "/decisions")).json()["alarms"] == {}

    asyncio.run(scenario())


def test_clients_that_give_up_on_a_silent_candidate_count_as_failed(stage: Any, wait: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("proxy.live_path.PATIENCE_S", 0.0)

    async def scenario() -> None:
        async with stage() as s:
            await s.decide(ROUTE, 10_000)

            async def silent(asked: Any, reader: Any, writer: Any) -> bool:
                await reader.read(-1)
                return False

            s.candidate.scripts[b"/items/5"] = silent
            for i in range(MOST_FAILED + 1):
                _, writer = await asyncio.open_connection("127.0.0.1", s.port)
                writer.write(b"GET /items/5 HTTP/1.1\r\nHost: a\r\n\r\n")
                await wait(lambda i=i: len(s.candidate.asked) > i)
                writer.close()
            await s.at_rest(MOST_FAILED + 1)
            assert (await s.admin("GET", "/decisions")).json()["alarms"] == {ROUTE: 1}

    asyncio.run(scenario())


def test_one_client_that_no_backend_can_answer_takes_the_route_from_nobody() -> None:
    """[T21] Others ask now and then, and are answered; however often it comes."""
    breaker = Breaker()
    assert not breaker.note("r", 1, False, "good")
    assert not any(breaker.note("r", 1, True, "bad") for _ in range(1_000))
    assert not any(breaker.note("r", 1, number % 2 == 0, ("bad", "good")[number % 2]) for number in range(1_000))


def test_a_candidate_that_fails_several_clients_loses_all() -> None:
    breaker = Breaker()
    assert not any(breaker.note("r", 1, False, f"good{number}") for number in range(40))
    trips = [breaker.note("r", 1, True, f"bad{number % 3}") for number in range(MOST_FAILED + 1)]
    assert trips == [False] * MOST_FAILED + [True]


@pytest.mark.parametrize("clients", [1, 2])
def test_where_few_clients_ask_they_are_enough(clients: int) -> None:
    breaker = Breaker()
    trips = [breaker.note("r", 1, True, f"c{number % clients}") for number in range(MOST_FAILED + 1)]
    assert trips[-1]


def test_clients_of_long_ago_are_forgotten() -> None:
    breaker = Breaker()
    assert not any(breaker.note("r", 1, False, f"old{number}") for number in range(10 * CLIENTS))
    assert len(breaker._failed["r"].by_client) == CLIENTS
