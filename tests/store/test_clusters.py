"""Clusters, their clients and their examples."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from differ.facts import Atom
from differ.samples import rank
from store import clusters as clusters_module
from store.database import StoreError, open_store
from store.example_codec import DamagedExample, pack_example, unpack_example
from store.examples import kept_links
from store.records import Batch, Ended, Finding
from store.schema import Body, StoredExample
from traffic.message import Failure


def test_everything_with_one_atom_is_one_cluster(in_store, mismatch) -> None:
    async def scenario(store):
        await store.write(Batch(ended=(mismatch("a", at=5.0), mismatch("b", at=9.0, client="c2"))), 5)
        await store.write(Batch(ended=(mismatch("c", at=2.0), mismatch("d", path="$.name"))), 5)
        found = await store.clusters("GET /x")
        return found, await store.cluster(found[0].id), await store.cluster("none"), await store.clusters("GET /y")

    found, first, none, other = in_store(scenario)
    assert [(row.atom.path, row.count, row.clients) for row in found] == [("$.price", 3, 2), ("$.name", 1, 1)]
    assert (found[0].first_seen, found[0].last_seen, found[0].id) == (2.0, 9.0, found[0].atom.cluster_id)
    assert (first, none, other) == (found[0], None, [])


def test_an_atom_counts_once_in_an_exchange_however_often_it_occurs(in_sqlite, mismatch) -> None:
    async def scenario(store):
        row = mismatch("a")
        await store.write(Batch(ended=(replace(row, differences=row.differences * 3),)), 5)
        return await store.clusters()

    (cluster,) = in_sqlite(scenario)
    assert cluster.count == 1


def test_an_example_comes_back_as_it_was(in_store, mismatch) -> None:
    row = mismatch("a")

    async def scenario(store):
        await store.write(Batch(ended=(row,)), 5)
        (cluster,) = await store.clusters()
        return await store.example("a"), await store.example("b"), await store.examples(cluster.id)

    assert in_store(scenario) == (row.example, None, [row.example])


def test_an_even_sample_and_the_newest_examples_of_a_cluster_stay(in_store, mismatch) -> None:
    names = [f"x{number}" for number in range(40)]
    sampled = sorted(names, key=rank)[:3]
    newest = [name for name in names if name not in sampled][-2:]

    async def scenario(store):
        for at, name in enumerate(names):
            await store.write(Batch(ended=(mismatch(name, at=float(at)),)), 5)
        (cluster,) = await store.clusters()
        left = [name for name in names if await store.example(name) is not None]
        return cluster.example_ids, [example.id for example in await store.examples(cluster.id)], left

    kept, examples, left = in_store(scenario)
    assert list(kept) == examples == left == [name for name in names if name in (*sampled, *newest)]


def test_a_body_is_stored_once_however_many_examples_have_it_and_goes_with_the_last(in_store, mismatch) -> None:
    large, other = b"[" + b"1," * 500 + b"1]", b"{" + b" " * 500 + b"}"

    def having(name: str, body: bytes, at: float) -> Ended:
        row = mismatch(name, at=at)
        answer = replace(row.example.primary, body=body)
        return replace(row, example=replace(row.example, primary=answer, candidate=replace(answer, status=500)))

    async def bodies(store) -> int:
        async with store.reading() as connection:
            return await connection.scalar(select(func.count()).select_from(Body))

    async def scenario(store):
        await store.write(Batch(ended=(having("a", large, 1.0), having("b", large, 2.0), having("c", other, 3.0))), 5)
        counts = [await bodies(store)]
        whole = (await store.example("b")).candidate.body
        for name in ("a", "c", "b"):
            await store.forget((), (name,), ())
            counts.append(await bodies(store))
        return counts, whole, await store.check()

    assert in_store(scenario) == ([2, 2, 1, 0], large, [])


def test_an_example_stays_while_any_cluster_keeps_it(in_store, mismatch) -> None:
    first, second = [name for name in map(str, range(99)) if rank(name) < rank("both")][
        :2
    ]  # each drives it out of a sample of one

    async def scenario(store):
        both = mismatch("both", at=5.0)
        other = mismatch("other", path="$.name").differences
        await store.write(Batch(ended=(replace(both, differences=both.differences + other),)), 1)
        await store.write(Batch(ended=(mismatch(first),)), 1)
        kept = await store.example("both")
        await store.write(Batch(ended=(mismatch(second, path="$.name"),)), 1)
        return kept is not None, await store.example("both"), await store.check()

    assert in_store(scenario) == (True, None, [])


@given(
    st.lists(st.tuples(st.floats(0, 9), st.text("ab", min_size=1, max_size=2)), max_size=9),
    st.integers(1, 6),
    st.integers(0, 9),
)
@settings(max_examples=200, deadline=None)
def test_which_examples_stay_does_not_depend_on_how_they_arrived(links, keep, cut) -> None:
    at_once = kept_links(links, keep)
    in_two = kept_links([*kept_links(links[:cut], keep), *links[cut:]], keep)
    assert at_once == in_two
    assert len(at_once) == min(keep, len(set(links)))


def test_a_finding_is_a_cluster_with_its_newest_detail(in_store) -> None:
    atom = Atom("GET /x", "200/200", "relation", "$.at", "offset")

    async def scenario(store):
        for at, detail in ((1.0, "older"), (2.0, "newer"), (3.0, "")):
            await store.write(Batch(findings=(Finding(atom, at, 2, detail),)), 5)
        return await store.clusters()

    (cluster,) = in_store(scenario)
    assert (cluster.count, cluster.detail, cluster.atom) == (6, "newer", atom)


def test_a_route_has_a_bounded_number_of_clusters(in_store, mismatch, monkeypatch) -> None:
    monkeypatch.setattr(clusters_module, "MAX_CLUSTERS", 3)

    async def scenario(store):
        for start in (0, 4):
            await store.write(Batch(ended=tuple(mismatch(f"x{i}", path=f"$.{i}") for i in range(start, start + 4))), 5)
        return await store.clusters()

    found = in_store(scenario)
    assert len(found) == 4
    assert (sum(row.count for row in found), found[0].atom.kind, found[0].count) == (8, "overflow", 5)


def test_the_clients_of_a_cluster_are_told_apart_up_to_a_bound(in_store, mismatch, monkeypatch) -> None:
    monkeypatch.setattr(clusters_module, "MAX_CLIENTS", 3)

    async def scenario(store):
        for start in (0, 1, 5):
            await store.write(Batch(ended=tuple(mismatch("x", client=f"c{i}") for i in range(start, start + 2))), 5)
        return await store.clusters()

    (cluster,) = in_store(scenario)
    assert (cluster.clients, cluster.count) == (3, 6)


def test_failures_survive_packing(mismatch) -> None:
    example = replace(mismatch("a").example, candidate=Failure("timeout", "after 5 s"), primary_ms=None)
    packed = pack_example(example)
    assert unpack_example(packed.blob, packed.digest, packed.bodies) == example


def test_damaged_bytes_are_no_example(mismatch) -> None:
    packed = pack_example(mismatch("a").example)
    for bad in (b"", b"junk", packed.blob[:-5], packed.blob):
        with pytest.raises(DamagedExample):
            unpack_example(bad, packed.digest if bad is not packed.blob else "0" * 32, {})


def test_a_missing_or_damaged_body_is_damage(mismatch) -> None:
    example = mismatch("a").example
    packed = pack_example(replace(example, primary=replace(example.primary, body=b"x" * 1000)))
    other = pack_example(replace(example, primary=replace(example.primary, body=b"y" * 1000)))
    ((name, _),), ((_, wrong),) = packed.bodies.items(), other.bodies.items()
    for bodies in ({}, {name: b"junk"}, {name: wrong}):
        with pytest.raises(DamagedExample, match=r"one of its bodies|it cannot be read"):
            unpack_example(packed.blob, packed.digest, bodies)


def test_a_damaged_example_is_an_error_and_a_finding_of_check(sqlite_url, mismatch) -> None:
    async def scenario():
        store = open_store(sqlite_url)
        try:
            await store.upgrade()
            await store.write(Batch(ended=(mismatch("a"),)), 5)
            async with store.writing() as connection:
                await connection.execute(StoredExample.__table__.update().values(blob=b"junk"))
            with pytest.raises(StoreError, match="example a: "):
                await store.example("a")
            return await store.check()
        finally:
            await store.close()

    assert [problem.partition(":")[0] for problem in asyncio.run(scenario())] == ["example a"]


def test_a_difference_without_its_texts_counts_and_leaves_the_detail_as_it_was(in_sqlite, mismatch, batch) -> None:
    """The backlog of a long outage keeps the atoms only."""

    async def scenario(store):
        whole = mismatch("one")
        await store.write(batch(whole), 5)
        bare = tuple(replace(text, primary=None, candidate=None) for text in whole.differences)
        await store.write(batch(replace(whole, differences=bare, example=None)), 5)
        return await store.clusters()

    (cluster,) = in_sqlite(scenario)
    assert (cluster.count, cluster.detail) == (2, "e.g. 1 became 2")
