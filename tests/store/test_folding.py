"""What a window's units leave behind: parity's counts, kinds, hours of the week, canary steps, and no client with more than its share."""

from __future__ import annotations

import asyncio

from gate.shapes import Shape
from gate.shares import UnitLimits
from gate.units import unit_key
from gate.week import cell_of
from store.database import open_store
from store.records import Batch
from traffic.outcome import Ending

HOUR = 3_600.0
SHAPE = Shape("0" * 16, 2, "2xx")


def key(client: int | str, request: int | str = 0, shape: Shape = SHAPE) -> str:
    return unit_key(shape.digest, str(client), str(request))


def with_limits(url: str, limits: UnitLimits, scenario):
    async def run():
        store = open_store(url, limits)
        try:
            await store.upgrade()
            return await scenario(store)
        finally:
            await store.close()

    return asyncio.run(run())


def test_of_one_client_at_most_its_share_counts(url, end) -> None:
    """A robot makes nine tenths of the traffic and a twentieth of the evidence."""

    async def scenario(store):
        crowd = [end(unit=key(f"c{n}", n)) for n in range(100)]
        robot = [end(unit=key("robot", f"r{n}"), reason="mismatch") for n in range(900)]
        await store.write(Batch(ended=(*crowd, *robot)), 5)
        await store.close_units(1e9)
        return await store.evidence("GET /x")

    found = with_limits(url, UnitLimits(), scenario)
    assert (found.n, found.k) == (105, 5)
    assert found.top_client == 5
    assert found.open_units == 0


def test_the_share_is_of_the_whole_epoch(url, end) -> None:
    async def scenario(store):
        for hour in range(3):
            at = hour * HOUR
            crowd = [end(at=at, unit=key(f"c{n}", f"{hour} {n}")) for n in range(95)]
            robot = [end(at=at, unit=key("robot", f"{hour} {n}")) for n in range(50)]
            await store.write(Batch(ended=(*crowd, *robot)), 5)
            await store.close_units(at + 2 * HOUR)
        return await store.evidence("GET /x")

    found = with_limits(url, UnitLimits(), scenario)
    assert found.n >= 290
    assert found.top_client <= 0.05 * found.n


def test_of_one_request_at_most_its_share_counts(url, end) -> None:
    async def scenario(store):
        many = [end(unit=key(f"c{n}", "the same")) for n in range(500)]
        others = [end(unit=key(f"d{n}", n)) for n in range(80)]
        await store.write(Batch(ended=(*many, *others)), 5)
        await store.close_units(1e9)
        return await store.evidence("GET /x")

    found = with_limits(url, UnitLimits(), scenario)
    assert (found.n, found.top_request) == (100, 20)


def test_a_route_with_few_clients_begins_and_says_whose_its_evidence_is(url, end) -> None:
    async def scenario(store):
        for hour in range(4):
            await store.write(Batch(ended=tuple(end(at=hour * HOUR, unit=key(n, f"{hour} {n}")) for n in range(3))), 5)
        await store.close_units(1e9)
        return await store.evidence("GET /x")

    found = with_limits(url, UnitLimits(), scenario)
    assert (found.n, found.top_client) == (12, 4)


def test_which_units_stay_has_nothing_to_do_with_their_verdicts(url, end) -> None:
    async def scenario(store):
        for epoch, reason in (("e1", "match"), ("e2", "mismatch")):
            units = [key("robot", n) for n in range(50)] + [key(n, f"x{n}") for n in range(40)]
            await store.write(Batch(ended=tuple(end(epoch=epoch, unit=unit, reason=reason) for unit in units)), 5)
            await store.close_units(1e9)
        return await store.evidence("GET /x")

    found = with_limits(url, UnitLimits(), scenario)
    assert found.n == found.k == 42


def test_the_hours_of_the_week_that_have_evidence_are_weighed_by_their_traffic(url, end) -> None:
    """Skipped requests are traffic, too: an hour of which nothing was mirrored lacks."""

    async def scenario(store):
        busy = [end(at=10.0 + n, unit=key(n, n)) for n in range(30)]
        quiet = [end(at=HOUR + 10.0, unit=key("q", "q"))]
        skipped = [end("rate_limited", Ending.SKIPPED, unit=None, epoch="", at=2 * HOUR + n) for n in range(69)]
        await store.write(Batch(ended=(*busy, *quiet, *skipped)), 5)
        before = (await store.evidence("GET /x")).week_share
        await store.close_units(1e9)
        return before, (await store.evidence("GET /x")).week_share

    before, after = with_limits(url, UnitLimits(client_share=1.0, request_share=1.0), scenario)
    assert (before, after) == (0.0, 0.31)


def test_the_same_hour_of_another_week_is_the_same_hour(url, end) -> None:
    week = 7 * 24 * HOUR

    async def scenario(store):
        ends = [
            end(at=number * week + 100.0, unit=key(f"{number} {n}", n), window_s=HOUR) for number in range(2) for n in range(8)
        ]
        await store.write(Batch(ended=tuple(ends)), 5)
        await store.close_units(1e9)
        return (await store.evidence("GET /x")).week_share

    assert cell_of(100.0) == cell_of(week + 100.0)
    assert with_limits(url, UnitLimits(client_share=1.0, request_share=1.0), scenario) == 1.0


def test_units_that_the_candidate_served_are_known_by_window(url, end) -> None:
    async def scenario(store):
        for hour in range(3):
            ends = [
                end(
                    at=hour * HOUR + n,
                    unit=key(n, f"{hour} {n}"),
                    served=hour > 0 and n < 5,
                    reason="mismatch" if n == 4 else "match",
                )
                for n in range(20)
            ]
            await store.write(Batch(ended=tuple(ends)), 5)
        await store.close_units(1e9)
        return await store.evidence("GET /x")

    found = with_limits(url, UnitLimits(client_share=1.0, request_share=1.0), scenario)
    assert [(window.start, window.n, window.k) for window in found.served] == [(HOUR, 5, 1), (2 * HOUR, 5, 1)]


def test_a_roll_back_begins_all_of_it_anew_but_for_the_catalogue(url, end) -> None:
    from store.epochs import restart

    async def scenario(store):
        ends = [end(unit=key(n, n), shape=SHAPE, served=True) for n in range(40)]
        await store.write(Batch(ended=tuple(ends)), 5)
        await store.close_units(1e9)
        async with store.writing() as connection:
            await restart(connection, "GET /x", ["e1"], 1e6)
        return await store.evidence("GET /x")

    found = with_limits(url, UnitLimits(), scenario)
    assert (found.n, found.served, found.top_client, found.week_share) == (0, (), 0, 0.0)
    assert [(kind.seen, kind.n) for kind in found.coverage.shapes] == [(40, 0)]
