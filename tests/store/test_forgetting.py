"""What is forgotten is nowhere any more, and what was counted stays counted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from differ.facts import Atom
from store.records import Batch, DifferenceText, Ended


def of(mismatch, name: str, client: str, body: bytes, shown: str = "1") -> Ended:
    row = mismatch(name, client=client, path=f"$.{name}")
    differences = (DifferenceText(Atom("GET /x", "200/200", "body", f"$.{name}", "value"), shown, "2"),)
    answer = replace(row.example.primary, body=body)
    return replace(
        row, differences=differences, example=replace(row.example, client=client, primary=answer, differences=differences)
    )


def test_a_client_is_forgotten(in_store, mismatch) -> None:
    async def scenario(store):
        await store.write(Batch(ended=(of(mismatch, "a", "uone", b"x"), of(mismatch, "b", "utwo", b"y"))), 5)
        ledgers = await store.ledgers()
        gone = await store.forget(("uone",), (), ())
        names = [name for name in ("a", "b") if await store.example(name)]
        clients = {row.atom.path: row.clients for row in await store.clusters()}
        return gone.examples, gone.clusters, names, clients, ledgers == await store.ledgers(), await store.check()

    assert in_store(scenario) == (1, 1, ["b"], {"$.a": 0, "$.b": 1}, True, [])


@pytest.mark.parametrize("text", ['Zoë "Quick" O\'Neil', "4711-0815", "a b/c"])
def test_a_text_is_found_as_it_is_in_json_and_in_urls_and_in_what_clusters_show(in_store, mismatch, text) -> None:
    async def scenario(store):
        url = replace(of(mismatch, "url", "c", b"{}").example.request, target=b"/x?q=" + json_url(text))
        in_url = of(mismatch, "url", "c", b"{}")
        in_url = replace(in_url, example=replace(in_url.example, request=url))
        rows = (
            of(mismatch, "plain", "c", text.encode() + b" " * 500),
            of(mismatch, "json", "c", json.dumps({"name": text}).encode() + b" " * 500),
            in_url,
            of(mismatch, "shown", "c", b"{}", shown=text),
            of(mismatch, "other", "c", b"nothing of the kind"),
        )
        await store.write(Batch(ended=rows), 5)
        gone = await store.forget((), (), (text,))
        details = {row.atom.path: row.detail for row in await store.clusters()}
        return gone.examples, gone.clusters, [row.example.id for row in rows if await store.example(row.example.id)], details

    examples, clusters, left, details = in_store(scenario)
    assert (examples, clusters, left) == (4, 1, ["other"])
    assert details["$.shown"] == ""
    assert details["$.other"] != ""


def json_url(text: str) -> bytes:
    from urllib.parse import quote

    return quote(text, safe="").encode()


def test_nothing_of_it_is_left_in_any_byte_of_a_sqlite_store(in_sqlite, mismatch, tmp_path) -> None:
    needle = "Mx-4711-of-nowhere"

    async def scenario(store):
        await store.write(Batch(ended=(of(mismatch, "a", needle, b"x", shown=needle),)), 5)
        files = [path for path in tmp_path.iterdir() if path.is_file()]
        before = any(needle.encode() in path.read_bytes() for path in files)
        await store.forget((needle,), (), (needle,))
        return before, [path.name for path in tmp_path.iterdir() if needle.encode() in path.read_bytes()]

    assert in_sqlite(scenario) == (True, [])


def test_a_damaged_example_goes_where_texts_are_looked_for(in_store, mismatch) -> None:
    from store.schema import StoredExample

    async def scenario(store):
        await store.write(Batch(ended=(of(mismatch, "a", "c", b"x"),)), 5)
        async with store.writing() as connection:
            await connection.execute(StoredExample.__table__.update().values(blob=b"junk"))
        return (await store.forget((), (), ("whatever",))).examples, await store.check()

    assert in_store(scenario) == (1, [])
