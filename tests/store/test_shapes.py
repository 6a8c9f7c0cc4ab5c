"""The catalogue of kinds of requests: numbered by first requests, exact from any number of writers, bounded, older than any build."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gate.facts import Coverage
from gate.shapes import Shape
from gate.shares import UnitLimits
from gate.units import unit_key
from store.database import open_store
from store.records import Batch
from traffic.outcome import Ending


def shape(number: int, status_class: int = 2) -> Shape:
    return Shape(f"{number:016x}", status_class, f"{status_class}xx ?n{number}")


async def coverage(store, route: str = "GET /x") -> Coverage:
    return (await store.evidence(route)).coverage


def test_each_shape_is_found_by_the_number_of_its_first_request(in_store, end) -> None:
    async def scenario(store):
        kinds = [0, 0, 1, 0, 2, 1]
        await store.write(Batch(ended=tuple(end(shape=shape(kind)) for kind in kinds)), 5)
        await store.write(Batch(ended=(end(shape=shape(3)), end(shape=shape(1)))), 5)
        return await coverage(store)

    seen = in_store(scenario)
    assert (seen.requests, seen.discovered, seen.other) == (8, (1, 3, 5, 7), 0)
    assert [(kind.shape, kind.seen) for kind in seen.shapes] == [
        (shape(n).digest, count) for n, count in ((0, 3), (1, 3), (2, 1), (3, 1))
    ]
    assert {kind.text for kind in seen.shapes} == {f"2xx ?n{n}" for n in range(4)}


def test_folded_ends_count_as_many_requests(in_store, end) -> None:
    async def scenario(store):
        ends = (
            end(shape=shape(0), count=10, unit=None),
            end(shape=shape(1), count=5, unit=None),
            end(shape=shape(2), unit=None),
        )
        await store.write(Batch(ended=ends), 5)
        return await coverage(store)

    assert in_store(scenario).discovered == (1, 11, 16)


def test_an_exchange_that_was_not_looked_at_has_no_shape(in_store, end) -> None:
    async def scenario(store):
        await store.write(Batch(ended=(end(), end("rate_limited", Ending.SKIPPED, unit=None, epoch=""))), 5)
        return await coverage(store)

    assert in_store(scenario) == Coverage()


def test_shapes_beyond_the_bound_are_counted_together(url, end) -> None:
    async def scenario() -> Coverage:
        store = open_store(url, UnitLimits(max_shapes=3))
        try:
            await store.upgrade()
            for kinds in ((0, 1, 2, 3), (4, 1, 3)):
                await store.write(Batch(ended=tuple(end(shape=shape(kind)) for kind in kinds)), 5)
            return await coverage(store)
        finally:
            await store.close()

    seen = asyncio.run(scenario())
    assert (seen.requests, seen.discovered, seen.other) == (7, (1, 2, 3), 3)
    assert sum(kind.seen for kind in seen.shapes) + seen.other == seen.requests


def test_a_batch_that_is_written_twice_counts_once(in_store, end) -> None:
    async def scenario(store):
        batch = Batch(ended=(end(shape=shape(0)), end(shape=shape(1))))
        for _ in range(2):
            await store.write(batch, 5, ("w", 1))
        return await coverage(store)

    assert (in_store(scenario)).discovered == (1, 2)


def test_writers_at_once_give_each_shape_a_number_of_its_own(in_store, end) -> None:
    async def scenario(store):
        batches = [Batch(ended=tuple(end(shape=shape(7 * writer + at), unit=None) for at in range(7))) for writer in range(12)]
        await asyncio.gather(*(store.write(batch, 5) for batch in batches))
        return await coverage(store)

    seen = in_store(scenario)
    assert seen.discovered == tuple(range(1, 85))
    assert all(kind.seen == 1 for kind in seen.shapes)


def test_the_catalogue_survives_builds_and_what_was_compared_of_it_does_not(in_store, end) -> None:
    async def scenario(store):
        kinds = [shape(0), shape(0), shape(1, 4)]
        ends = [end(shape=kind, unit=unit_key(kind.digest, f"c{at}", f"r{at}")) for at, kind in enumerate(kinds)]
        await store.write(Batch(ended=tuple(ends)), 5)
        await store.close_units(1e9)
        first = await coverage(store)
        await store.write(
            Batch(ended=(end(epoch="e2", at=8_000.0, shape=shape(0), unit=unit_key(shape(0).digest, "c", "r")),)), 5
        )
        return first, await coverage(store)

    first, second = in_store(scenario)
    assert [(kind.seen, kind.n, kind.k, kind.status_class) for kind in first.shapes] == [(2, 2, 0, 2), (1, 1, 0, 4)]
    assert [(kind.seen, kind.n, kind.status_class) for kind in second.shapes] == [(3, 0, 2), (1, 0, 4)]
    assert second.discovered == first.discovered == (1, 3)


def test_a_route_of_any_length_has_its_shapes(in_store, end) -> None:
    route = "GET /" + "ü" * 2_000

    async def scenario(store):
        for _ in range(2):
            await store.write(Batch(ended=(end(route=route, shape=replace(shape(0), text="\0\ud800\\")),)), 5)
        return await coverage(store, route)

    seen = in_store(scenario)
    assert (seen.requests, [(kind.seen, kind.text) for kind in seen.shapes]) == (2, [(2, "\0\ud800\\")])
