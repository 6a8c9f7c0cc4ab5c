"""S13: alpha is spread over the routes once and for ever; whatever is added, nobody takes back what another may have spent."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.overrides import policy_for
from store.alpha_shares import assign_shares, read_shares
from store.database import open_store
from tests.upgraded_store import with_store

DEFAULT = policy_for("default", 0.999, 0.05, {})
BATCHES = st.lists(st.integers(0, 30), min_size=1, max_size=12)


async def shares(store) -> dict[str, float]:
    async with store.reading() as connection:
        return await read_shares(connection)


@settings(max_examples=15, deadline=None)
@given(sizes=BATCHES)
def test_the_shares_of_whatever_comes_add_up_to_less_than_one(
    sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """S13: also after routes are added, also over all attempts of each."""

    async def scenario(store) -> None:
        given: dict[str, float] = {}
        for batch, size in enumerate(sizes):
            routes = [f"GET /{batch}/{number}" for number in range(size)]
            assert await store.share_alpha([*given, *routes]) == size
            found = await shares(store)
            assert {route: found[route] for route in given} == given, "a share changed"
            given = found
        assert sum(given.values()) <= 1.0
        spent = sum(DEFAULT.alpha_for(1, attempt, share) for share in given.values() for attempt in range(1, 50))
        assert spent <= DEFAULT.alpha * (1 + 1e-12)

    with_store(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('s13') / 'store.db'}", scenario)


def test_two_hundred_deploys_of_a_route_each_leave_something_for_every_one(in_sqlite) -> None:
    """S13: the b-th batch has 1/(b(b+1))."""

    async def scenario(store):
        for number in range(200):
            await store.share_alpha([f"GET /{number}"])
        return await shares(store)

    found = in_sqlite(scenario)
    assert [found[f"GET /{b - 1}"] for b in range(1, 201)] == pytest.approx(
        [1 / (b * (b + 1)) for b in range(1, 201)], rel=1e-9
    )
    assert sum(found.values()) < 1.0


def test_routes_that_come_together_share_alike(in_store) -> None:
    async def scenario(store):
        await store.share_alpha(["GET /a", "GET /b"])
        await store.share_alpha(["GET /b", "GET /c"])
        return await shares(store), await store.evidence("GET /c"), await store.evidence("GET /unknown")

    found, known, unknown = in_store(scenario)
    assert found == pytest.approx({"GET /a": 1 / 4, "GET /b": 1 / 4, "GET /c": 1 / 6})
    assert (known.alpha_share, unknown.alpha_share) == (found["GET /c"], None)


def test_shadows_that_start_together_give_one_share_each(in_store) -> None:
    routes = [f"GET /{number}" for number in range(40)]

    async def scenario(store):
        given = await asyncio.gather(*(store.share_alpha(routes) for _ in range(5)))
        return given, await shares(store)

    given, found = in_store(scenario)
    assert sorted(given) == [0, 0, 0, 0, 40]
    assert set(found.values()) == {0.5 / 40}


def test_the_gate_tests_a_route_at_its_share(in_store, end) -> None:
    from gate.evaluate import evaluate
    from gate.facts import RouteStanding
    from store.records import Batch

    async def scenario(store):
        await store.share_alpha(["GET /x", "GET /y"])
        await store.write(Batch(ended=(end(),)), 5)
        return await store.evidence("GET /x"), (await store.route_rows())[0].evidence

    one, listed = in_store(scenario)
    assert one.alpha_share == listed.alpha_share == 0.25
    assert evaluate(one, RouteStanding("GET /x"), DEFAULT, 1e6).alpha == pytest.approx(0.05 * 0.25 / 2)


def test_a_long_label_has_a_share_of_its_own(url) -> None:
    long = "GET /" + "x" * 2_000

    async def scenario() -> float | None:
        store = open_store(url)
        try:
            await store.upgrade()
            for _ in range(2):
                async with store.writing() as connection:
                    await assign_shares(connection, [long])
            return (await store.evidence(long)).alpha_share
        finally:
            await store.close()

    assert asyncio.run(scenario()) is not None
