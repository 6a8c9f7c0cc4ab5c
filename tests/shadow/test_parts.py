"""The pure parts: breaker, budget, noise places, held and lost counts, the copy's headers."""

from __future__ import annotations

from differ.facts import Atom, Difference
from shadow.breaker import Breaker, BreakerState
from shadow.budget import AskBudget
from shadow.copy_request import copy_headers, marker_value, sendable
from shadow.held import Held, lost_counts
from shadow.noise_places import NoisePlaces
from store.records import Ended
from traffic.message import Request
from traffic.outcome import Ending


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_breaker_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    clock = Clock()
    breaker = Breaker(clock, limit=3, pause_s=1.0)
    for _ in range(3):
        assert breaker.may_send()
        breaker.ended(False)
    assert not breaker.may_send()
    clock.now += 1.0
    assert [breaker.may_send(), breaker.may_send()] == [True, False]
    breaker.ended(True)
    assert breaker.state is BreakerState.CLOSED


def test_breaker_waits_longer_after_a_failed_probe() -> None:
    clock = Clock()
    breaker = Breaker(clock, limit=1, pause_s=1.0)
    breaker.ended(False)
    clock.now += 1.0
    assert breaker.may_send()
    breaker.ended(False)
    clock.now += 1.5
    assert not breaker.may_send()
    clock.now += 0.5
    assert breaker.may_send()


def test_probe_that_never_reports_does_not_block_for_ever() -> None:
    clock = Clock()
    breaker = Breaker(clock, limit=1, pause_s=1.0, longest_s=10.0)
    breaker.ended(False)
    clock.now += 1.0
    assert breaker.may_send()
    clock.now += 10.0
    assert breaker.may_send()


def test_success_between_failures_keeps_the_breaker_closed() -> None:
    breaker = Breaker(Clock(), limit=2)
    for success in (False, True, False, True, False):
        breaker.ended(success)
    assert breaker.may_send()


def test_ask_budget_is_bounded_per_route_and_over_all() -> None:
    clock = Clock()
    budget = AskBudget(clock, route_rate=1.0, route_burst=2.0, rate=1.0, burst=3.0)
    assert [budget.take("GET /a") for _ in range(3)] == [True, True, False]
    assert [budget.take("GET /b") for _ in range(2)] == [True, False]
    clock.now += 1.0
    assert budget.take("GET /a")


def difference(path: str = "$.at", route: str = "GET /a", statuses: str = "200/200") -> Difference:
    return Difference(Atom(route, statuses, "body", path, "value"), "1", "2", path)


def test_noise_place_is_forgotten_after_its_time() -> None:
    clock = Clock()
    places = NoisePlaces(clock, keep_s=600.0)
    places.prove([difference()])
    assert places.explains(difference())
    assert not places.explains(difference("$.other"))
    assert not places.explains(difference(route="GET /b"))
    assert not places.explains(difference(statuses="200/500"))
    clock.now += 601.0
    assert not places.explains(difference())


def test_held_is_zero_after_every_end_is_committed() -> None:
    held = Held()
    for _ in range(3):
        held.received("b", "GET /a")
    held.committed([Ended("b", "GET /a", 0.0, Ending.LOST, "worker_died", count=2)])
    assert (held.of("b"), held.total) == ({"GET /a": 1}, 1)
    held.committed([Ended("b", "GET /a", 0.0, Ending.COMPARED, "match")])
    assert (held.boots, held.total) == (set(), 0)


def test_lost_is_what_nobody_has_any_more() -> None:
    sent, ended, held = {"a": 10, "b": 5}, {"a": 4, "b": 5}, {"a": 3}
    assert lost_counts(sent, ended, held, {}) == {"a": 3}


def test_lost_does_not_count_what_came_over_the_new_connection() -> None:
    # 10 before, of which 4 ended; then 6 more arrived over this connection, 2 of them ended already.
    assert lost_counts({"a": 10}, {"a": 4 + 2}, {"a": 4}, {"a": 6}) == {"a": 6}


REQUEST = Request(
    "POST",
    b"/x",
    (
        (b"Host", b"shop.example"),
        (b"Connection", b"keep-alive, X-Secret-Hop"),
        (b"X-Secret-Hop", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"X-Paritygate-Shadow", b"forged"),
        (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),
        (b"x-thing", b"1"),
        (b"X-Thing", b"2"),
    ),
    b"body",
)


def test_copy_keeps_own_headers_raw_and_drops_the_hop_s() -> None:
    made = copy_headers(REQUEST, marker_value(b"k"), b"other", "c" * 16)
    assert made == (
        (b"Host", b"shop.example"),
        (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"c" * 16 + b"-01"),
        (b"x-thing", b"1"),
        (b"X-Thing", b"2"),
        (b"Content-Length", b"4"),
        (b"X-Paritygate-Shadow", marker_value(b"k")),
    )


def test_marker_is_signed() -> None:
    version, hop, mac = marker_value(b"key").split(b";")
    assert (version, hop, len(mac)) == (b"v1", b"1", 32)
    assert marker_value(b"other").split(b";")[2] != mac


def test_what_the_client_library_would_change_or_refuse_is_unsendable() -> None:
    assert sendable(REQUEST, b"/a//b/../c?x=%2f|{}")
    for target in (b"/a b", b"/\xc3\xa4", b"*", b"http://evil/", b"", b"/a\r\nX: y"):
        assert not sendable(REQUEST, target)
    assert not sendable(Request("get", b"/"), b"/")
