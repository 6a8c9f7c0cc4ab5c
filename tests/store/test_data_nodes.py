"""Nodes whose names are data: clusters are merged, nothing is lost, old links stay good."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from differ.facts import Atom
from store import clusters as clusters_module
from store.database import open_store
from store.examples import kept_links
from store.records import Batch, DifferenceText
from store.schema import DataNode
from store.upsert import upsert

NODE = ("GET /x", "$.m")


def several(mismatch, count: int, start: int = 0):
    return tuple(
        mismatch(f"x{number}", at=float(number), path=f"$.m.k{number}.v", client=f"c{number % 4}")
        for number in range(start, start + count)
    )


def test_clusters_below_the_node_become_one(in_store, mismatch) -> None:
    async def scenario(store):
        await store.write(Batch(ended=(*several(mismatch, 9), mismatch("other", path="$.name"))), 3)
        before = await store.clusters()
        await store.write(Batch(data_nodes=(NODE,)), 3)
        return before, await store.clusters(), await store.check()

    before, after, problems = in_store(scenario)
    assert len(before) == 10
    assert [(row.atom.path, row.count, row.clients) for row in after] == [("$.m.*.v", 9, 4), ("$.name", 1, 1)]
    (merged, _) = after
    assert merged.id == merged.atom.cluster_id
    assert (merged.first_seen, merged.last_seen) == (0.0, 8.0)
    assert merged.example_ids == tuple(example_id for _, example_id in kept_links([(float(n), f"x{n}") for n in range(9)], 3))
    assert problems == []


def test_old_ids_lead_to_the_merged_cluster_and_its_examples(in_store, mismatch) -> None:
    async def scenario(store):
        await store.write(Batch(ended=several(mismatch, 3)), 5)
        old = [row.id for row in await store.clusters()]
        await store.write(Batch(data_nodes=(NODE,)), 5)
        (merged,) = await store.clusters()
        found = [await store.cluster(name) for name in old]
        return merged, found, [len(await store.examples(name)) for name in old], await store.cluster("nobody")

    merged, found, examples, nobody = in_store(scenario)
    assert found == [merged] * 3
    assert (examples, nobody) == ([3, 3, 3], None)


def test_what_comes_later_under_an_old_name_goes_to_the_merged_cluster(in_store, mismatch) -> None:
    """Another process does not know of the node yet."""

    async def scenario(store):
        await store.write(Batch(ended=several(mismatch, 2)), 5)
        await store.write(Batch(ended=several(mismatch, 2, start=5), data_nodes=(NODE,)), 5)
        await store.write(Batch(ended=several(mismatch, 2, start=7)), 5)
        return await store.clusters()

    (merged,) = in_store(scenario)
    assert (merged.atom.path, merged.count) == ("$.m.*.v", 6)


def test_a_node_above_merges_what_was_merged_before_and_aliases_follow(in_store, mismatch) -> None:
    async def scenario(store):
        await store.write(Batch(ended=tuple(mismatch(f"x{n}", at=float(n), path=f"$.a.b{n % 2}.c{n}") for n in range(6))), 5)
        first = [row.id for row in await store.clusters()]
        await store.write(Batch(data_nodes=(("GET /x", "$.a.b0"), ("GET /x", "$.a.b1"))), 5)
        second = [row.id for row in await store.clusters()]
        await store.write(Batch(data_nodes=(("GET /x", "$.a"), ("GET /x", "$.a.*"))), 5)
        (merged,) = await store.clusters()
        return merged, first, second, [await store.cluster(name) for name in first + second]

    merged, first, second, found = in_store(scenario)
    assert (len(first), len(second)) == (6, 2)
    assert (merged.atom.path, merged.count) == ("$.a.*.*", 6)
    assert found == [merged] * 8


def test_kinds_statuses_and_other_routes_stay_apart(in_store, mismatch) -> None:
    async def scenario(store):
        rows = several(mismatch, 2)
        (difference,) = rows[0].differences
        added = replace(difference, atom=replace(difference.atom, kind="added"))
        header = DifferenceText(Atom("GET /x", "200/200", "header", "$.m.k1.v", "value"), "1", "2")
        elsewhere = replace(difference, atom=replace(difference.atom, route="GET /y"))
        rest = (replace(rows[0], differences=(added, header)), replace(rows[1], route="GET /y", differences=(elsewhere,)))
        await store.write(Batch(ended=(*rows, *rest)), 5)
        await store.write(Batch(data_nodes=(NODE,)), 5)
        return await store.clusters()

    places = sorted((row.atom.route, row.atom.aspect, row.atom.path, row.atom.kind, row.count) for row in in_store(scenario))
    assert places == [
        ("GET /x", "body", "$.m.*.v", "added", 1),
        ("GET /x", "body", "$.m.*.v", "value", 2),
        ("GET /x", "header", "$.m.k1.v", "value", 1),
        ("GET /y", "body", "$.m.k0.v", "value", 1),
    ]


def test_clients_of_merged_clusters_are_told_apart_up_to_the_bound(in_store, mismatch, monkeypatch) -> None:
    monkeypatch.setattr("store.writer.MAX_CLIENTS", 3)
    monkeypatch.setattr(clusters_module, "MAX_CLIENTS", 3)

    async def scenario(store):
        rows = [mismatch(f"x{n}", at=float(n), path=f"$.m.k{n}", client=f"c{n}") for n in range(8)]
        await store.write(Batch(ended=tuple(rows)), 5)
        await store.write(Batch(data_nodes=(NODE,)), 5)
        return await store.clusters()

    (merged,) = in_store(scenario)
    assert (merged.count, merged.clients) == (8, 3)


def test_pruning_merges_what_a_writer_added_without_knowing(in_store, mismatch) -> None:
    async def scenario(store):
        await store.write(Batch(ended=several(mismatch, 4)), 4)
        async with store.writing() as connection:
            await upsert(connection, DataNode, [{"route": NODE[0], "node": NODE[1]}])
        await store.prune(-1.0, 0.0)
        return await store.clusters()

    (merged,) = in_store(scenario)
    assert (merged.atom.path, merged.count, len(merged.example_ids)) == ("$.m.*.v", 4, 1)


def test_nodes_are_kept_for_the_next_shadow(in_store) -> None:
    async def scenario(store):
        await store.write(Batch(data_nodes=(NODE, ("GET /y", "$"), NODE)), 5)
        await store.write(Batch(data_nodes=(NODE,)), 5)
        return await store.data_nodes()

    assert in_store(scenario) == [NODE, ("GET /y", "$")]


def test_writers_that_merge_and_count_at_once_lose_nothing(url, mismatch) -> None:
    """A store that refuses one of two that wait for each other is asked again, as the recorder does."""

    async def scenario():
        stores = [open_store(url) for _ in range(3)]
        try:
            await stores[0].upgrade()

            async def write(store, number: int) -> None:
                for turn in range(6):
                    rows = tuple(mismatch(f"{number}-{turn}-{n}", path=f"$.m.k{n}") for n in range(4))
                    nodes = (NODE,) if turn == 2 else ()
                    for _ in range(5):
                        try:
                            await store.write(Batch(ended=rows, data_nodes=nodes), 3, (f"w{number}", turn))
                            break
                        except Exception:
                            await asyncio.sleep(0.01)

            await asyncio.gather(*(write(store, number) for number, store in enumerate(stores)))
            await stores[0].write(Batch(data_nodes=(NODE,)), 3)
            return await stores[0].clusters(), await stores[0].check()
        finally:
            for store in stores:
                await store.close()

    found, problems = asyncio.run(scenario())
    assert [(row.atom.path, row.count) for row in found] == [("$.m.*", 3 * 6 * 4)]
    assert len(found[0].example_ids) <= 3
    assert problems == []
