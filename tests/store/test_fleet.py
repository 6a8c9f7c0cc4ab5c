"""What is known of all routes at once."""

from __future__ import annotations

import pytest

from gate.evaluate import evaluate
from gate.facts import Fleet, RouteStanding
from gate.overrides import policy_for
from gate.units import unit_key
from store.cutover import act
from store.fleet import note_drill
from store.records import Batch

DEMO = policy_for("demo", 0.95, 0.05, {"span": {"min": 0.0}})
DEFAULT = policy_for("default", 0.999, 0.05, {})
KEY = b"k" * 32
NOW = 1_000_100.0


async def cut_over(store, end, route: str) -> None:
    ends = [end(route=route, at=1_000_000.0, unit=unit_key("s" * 16, str(n), str(n))) for n in range(100)]
    await store.write(Batch(ended=tuple(ends)), 5)
    await store.close_units(2e6)
    await act(store, "promote", route, "ann", "go", DEMO, KEY, NOW, "s")


def holds(evidence, name: str, now: float) -> bool | None:
    guards = evaluate(evidence, RouteStanding(evidence.route), DEFAULT, now).guards
    return next(guard.holds for guard in guards if guard.name == name)


def test_roll_backs_of_routes_that_served_are_known_to_all(in_store, end) -> None:
    async def scenario(store):
        for number in range(3):
            await cut_over(store, end, f"GET /{number}")
            await act(store, ("rollback", "alarm")[number % 2], f"GET /{number}", "ben", "bad", DEMO, KEY, NOW + number, "s")
        await act(store, "rollback", "GET /9", "ben", "nothing was served", DEMO, KEY, NOW, "s")
        return await store.evidence("GET /other")

    found = in_store(scenario)
    assert found.fleet == Fleet((NOW + 2, NOW + 1, NOW), None)
    assert [holds(found, "storm", NOW + after) for after in (10, 3_599, 3_600, 3_602)] == [False, False, True, True]


def test_nothing_known_of_others_is_no_permission(in_store) -> None:
    async def scenario(store):
        return await store.evidence("GET /x")

    found = in_store(scenario)
    assert holds(found, "storm", NOW) is True  # it was read: there was none
    assert holds(type(found)("GET /x"), "storm", NOW) is None


@pytest.mark.parametrize("times", [1, 2])
def test_the_newest_rehearsal_counts(in_store, times: int) -> None:
    async def scenario(store):
        for number in range(times):
            await note_drill(store, "ann", NOW + number, {"127.0.0.1:1": 0.1})
        return (await store.evidence("GET /x")).fleet, await store.check()

    assert in_store(scenario) == (Fleet((), NOW + times - 1), [])
