"""Declared builds are links of the audit: the newest counts, who declared it is kept, and the chain holds."""

from __future__ import annotations

import asyncio
from typing import Any

from store.declared_builds import declare_build, read_declared

NOW = 1_800_000_000.0


def test_declarations_are_links_of_the_audit_and_a_repeated_one_is_none(in_store: Any) -> None:
    """Only what came since is looked at; a number from a store that was begun anew hides nothing."""

    async def scenario(store: Any) -> None:
        assert await read_declared(store) == (None, 0)
        first, before = await declare_build(store, "d1", "ada", "deploy 7", NOW)
        assert (first.build, first.at, before) == ("d1", NOW, "")
        assert await declare_build(store, "d1", "bob", "", NOW + 1) == (first, "d1")
        second, before = await declare_build(store, "d2", "bob", "", NOW + 2)
        assert before == "d1"
        assert await read_declared(store, first.seq) == (second, second.seq)
        assert await read_declared(store, second.seq) == (None, second.seq)
        assert await read_declared(store, second.seq + 99) == (second, second.seq)
        links = [(row.actor, row.action, row.route, row.before, row.after) for row in await store.audit(10)]
        assert links == [("bob", "deployed", "", "d1", "d2"), ("ada", "deployed", "", "", "d1")]
        assert await store.check() == []

    in_store(scenario)


def test_declarations_made_at_once_are_one_chain(in_store: Any) -> None:
    """Eight deployments at the same time: each knows the one before it, and none is lost."""

    async def scenario(store: Any) -> None:
        made = await asyncio.gather(*(declare_build(store, f"d{n}", "ada", "", NOW + n) for n in range(8)))
        links = [(row.before, row.after) for row in reversed(await store.audit(10))]
        assert [after for _, after in links[:-1]] == [before for before, _ in links[1:]]
        assert sorted(after for _, after in links) == [f"d{n}" for n in range(8)]
        assert sorted(declared.seq for declared, _ in made) == list(range(1, 9))
        newest, _ = await read_declared(store)
        assert newest is not None
        assert newest.build == links[-1][1]
        assert await store.check() == []

    in_store(scenario)
