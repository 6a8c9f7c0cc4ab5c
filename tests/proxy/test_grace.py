"""A cut-over that nobody renews is taken back after its grace, if there is a primary to take it back to."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gate.decision import sign
from gate.facts import Decision, State
from proxy.decision_book import DecisionBook
from proxy.grace import Grace, reachable
from proxy.routing import Backend
from tests.ports import free_port
from traffic.message import Side
from traffic.route import Route, RouteTable

KEY = b"k" * 32
DAY = 86_400.0
ROUTE = "GET /a"


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def cut_over(clock: Clock, state: State = State.CUTOVER, lease: float | None = DAY, seq: int = 3) -> Decision:
    until = None if lease is None else clock.now + lease
    return sign(Decision(ROUTE, seq, state, "e", 10_000, "s", clock.now, until, "ann", "go"), KEY)


def made(tmp_path: Path, clock: Clock, there: bool) -> tuple[DecisionBook, Grace]:
    async def answer() -> bool:
        return there

    book = DecisionBook(tmp_path / "decisions.json", KEY, clock)
    return book, Grace(book, clock, answer)


def side(book: DecisionBook) -> Side:
    return book.side(RouteTable([Route("GET", "/a")]).match("GET", b"/a"), "client")


def test_within_its_grace_a_cut_over_stays_whoever_is_silent(tmp_path: Path) -> None:
    clock = Clock()
    book, grace = made(tmp_path, clock, there=True)
    book.offer(cut_over(clock))
    clock.now += DAY - 1
    asyncio.run(grace.look())
    assert (side(book), book.alarms) == (Side.CANDIDATE, {})


def test_after_it_the_primary_serves_and_others_are_told(tmp_path: Path) -> None:
    """As with any alarm: it survives a restart, and a newer decision ends it."""
    clock = Clock()
    book, grace = made(tmp_path, clock, there=True)
    told = []
    book.on_alarm = lambda route, seq, reason: told.append((route, seq, reason))
    book.offer(cut_over(clock))
    clock.now += DAY
    asyncio.run(grace.look())
    asyncio.run(grace.look())
    assert (side(book), [what[:2] for what in told]) == (Side.PRIMARY, [(ROUTE, 3)])
    assert "nobody has renewed" in told[0][2]
    again = DecisionBook(tmp_path / "decisions.json", KEY, clock)
    again.load()
    assert side(again) is Side.PRIMARY
    assert again.offer(cut_over(clock, seq=4))
    assert side(again) is Side.CANDIDATE


def test_without_a_primary_the_candidate_goes_on(tmp_path: Path) -> None:
    clock = Clock()
    book, grace = made(tmp_path, clock, there=False)
    book.offer(cut_over(clock))
    clock.now += 10 * DAY
    asyncio.run(grace.look())
    assert (side(book), book.alarms) == (Side.CANDIDATE, {})


@pytest.mark.parametrize("renewed", [True, False])
def test_a_renewed_grace_begins_anew(tmp_path: Path, renewed: bool) -> None:
    clock = Clock()
    book, grace = made(tmp_path, clock, there=True)
    first = cut_over(clock)
    book.offer(first)
    clock.now += DAY / 2
    if renewed:
        assert book.offer(sign(replace(first, issued=clock.now, lease_until=clock.now + DAY), KEY))
    clock.now += DAY / 2 + 1
    asyncio.run(grace.look())
    assert side(book) is (Side.CANDIDATE if renewed else Side.PRIMARY)


@pytest.mark.parametrize(("state", "lease"), [(State.RETIRED, None), (State.CUTOVER, None)])
def test_what_has_no_grace_stays_for_ever(tmp_path: Path, state: State, lease: float | None) -> None:
    """A retired route has no primary; a decision of an earlier release knew no grace."""
    clock = Clock()
    book, grace = made(tmp_path, clock, there=True)
    book.offer(cut_over(clock, state, lease))
    clock.now += 1_000 * DAY
    asyncio.run(grace.look())
    assert side(book) is Side.CANDIDATE


def test_a_backend_that_listens_can_be_reached_and_another_cannot() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert asyncio.run(reachable(Backend("http", "127.0.0.1", server.getsockname()[1])))
    assert not asyncio.run(reachable(Backend("http", "127.0.0.1", free_port())))
