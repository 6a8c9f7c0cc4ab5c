"""What is known of all routes at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gate.evaluate import evaluate
from gate.facts import Fleet, RouteStanding, State
from gate.fleet_guards import slot
from gate.overrides import policy_for
from gate.shapes import Shape
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
    assert found.fleet == Fleet((NOW + 2, NOW + 1, NOW))
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

    assert in_store(scenario) == (Fleet(drilled_at=NOW + times - 1), [])


def test_i16_first_canary_steps_together_take_little_of_the_traffic(in_store, end) -> None:
    """I16: the sum over all routes, by the traffic of each; a route that has left its first step makes room."""
    steps = policy_for("demo", 0.95, 0.05, {"span": {"min": 0.0}, "canary": {"steps": [0.2, 0.5], "dwell": [0.0, 0.0]}})
    shape = Shape("s" * 16, 2, "2xx")
    counts = {"GET /large": 60, "GET /a": 100, "GET /b": 40}

    async def scenario(store):
        for route, count in counts.items():
            ends = [
                end(route=route, at=1_000_000.0, shape=shape, unit=unit_key("s" * 16, str(n), str(n))) for n in range(count)
            ]
            await store.write(Batch(ended=tuple(ends)), 5)
        await store.close_units(2e6)
        await act(store, "promote", "GET /a", "ann", "go", replace(steps, first_step_cap=1.0), KEY, NOW, "s")
        return [await store.evidence(route) for route in counts]

    large, a, b = in_store(scenario)
    assert (a.fleet.first_steps, a.fleet.traffic) == (0.0, 0.5)
    assert (large.fleet.first_steps, b.fleet.traffic) == (0.1, 0.2)
    tight = replace(steps, first_step_cap=0.15)
    guards = [slot(one, RouteStanding(one.route), tight, NOW) for one in (large, b)]
    assert [guard.holds for guard in guards] == [None, True]  # 10 + 6 %, and 10 + 4 %
    assert slot(type(b)(b.route), RouteStanding(b.route), tight, NOW).holds is None
    assert slot(type(b)(b.route), RouteStanding(b.route, State.CANARY, 1, 2_000), tight, NOW).holds is True
