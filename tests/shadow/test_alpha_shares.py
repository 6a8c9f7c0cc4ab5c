"""Shares of alpha are given once every route document could be had, and not before."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from settings.load import load_settings
from shadow.alpha_shares import known_routes, share_alpha
from tests.ports import free_port
from traffic.route import Route, RouteTable

TABLE = RouteTable([Route("GET", "/a"), Route("POST", "/a"), Route("GET", "/b/{id}")])


def test_nothing_is_given_until_all_routes_are_known() -> None:
    tables = [None, None, TABLE]
    given: list[list[str]] = []

    async def give(routes: Collection[str]) -> int:
        given.append(list(routes))
        return len(given)

    asyncio.run(asyncio.wait_for(share_alpha(lambda: tables.pop(0), give, 0.0), 10))
    assert (tables, given) == ([], [["GET /a", "GET /b/{id}", "POST /a"]])


def test_a_store_that_is_away_is_told_later() -> None:
    tries: list[int] = []

    async def give(routes: Collection[str]) -> int:
        tries.append(len(routes))
        if len(tries) < 3:
            raise OSError("away")
        return len(routes)

    asyncio.run(asyncio.wait_for(share_alpha(lambda: TABLE, give, 0.0), 10))
    assert tries == [3, 3, 3]


def test_a_document_that_cannot_be_had_leaves_the_routes_unknown(tmp_path) -> None:
    config = tmp_path / "paritygate.toml"
    config.write_text('[[route]]\nmatch = "GET /a"\n' + f'[routes]\nopenapi = ["http://127.0.0.1:{free_port()}/o.json"]\n')
    assert known_routes(load_settings(config)) is None
    config.write_text('[[route]]\nmatch = "GET /a"\n')
    table = known_routes(load_settings(config))
    assert table is not None
    assert [route.label for route in table.routes.values()] == ["GET /a"]
