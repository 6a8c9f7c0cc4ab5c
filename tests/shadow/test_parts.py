"""The pure parts: remembered places, held and lost counts."""

from __future__ import annotations

from shadow_clock import Clock

from differ.facts import Atom, Difference
from shadow.held import Held, lost_counts
from shadow.places import Places
from store.records import Ended
from traffic.outcome import Ending


def difference(path: str = "$.at", route: str = "GET /a", statuses: str = "200/200") -> Difference:
    return Difference(Atom(route, statuses, "body", path, "value"), "1", "2", path)


def test_place_is_forgotten_after_its_time() -> None:
    clock = Clock()
    places = Places(clock, keep_s=600.0)
    places.remember([difference()])
    assert places.know(difference())
    assert not places.know(difference("$.other"))
    assert not places.know(difference(route="GET /b"))
    assert not places.know(difference(statuses="200/500"))
    clock.now += 601.0
    assert not places.know(difference())


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
