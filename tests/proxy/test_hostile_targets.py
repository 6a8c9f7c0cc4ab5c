"""A request chooses neither its backend nor, by a target that servers read differently, its side."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from traffic.route import UNROUTED, Route, RouteTable

ODD = (b"//", b"/./", b"/../", b"%2f", b"%2F", b"%5c", b"%5C", b";", b"#", b"\\", b"%00")
EVERYTHING = RouteTable([Route("GET", "/{rest:path}"), Route("GET", "/items/{id}"), Route("GET", "/items/{id}/{more}")])
SEGMENT = st.text("abc.-_~%20AZ", max_size=6).map(str.encode)


@given(st.lists(SEGMENT, min_size=1, max_size=4), st.sampled_from(ODD), st.integers(0, 30))
@examples(max_examples=300, deadline=None)
def test_a_target_that_servers_read_in_two_ways_is_no_routes(segments: list[bytes], odd: bytes, where: int) -> None:
    """[T2] Wherever the odd part stands, and even where every path has a route: never routed, so the primary's, and no evidence."""
    path = b"/" + b"/".join(segments)
    path = b"/" + path[1 : 1 + where % len(path)] + odd + path[1 + where % len(path) :]
    assert EVERYTHING.match("GET", path).label == f"GET {UNROUTED}"


@pytest.mark.parametrize("ending", [b"/.", b"/.."])
def test_dots_at_the_end_are_odd_too(ending: bytes) -> None:
    """[T2] `/a/..` is `/` for one server and a name for another."""
    assert EVERYTHING.match("GET", b"/items" + ending).route is None


def test_odd_targets_go_to_the_primary_though_all_else_goes_to_the_candidate(stage: Any) -> None:
    """[T2] Absolute-form lends its path only; what cannot be said clearly is not the candidate's."""

    async def scenario() -> None:
        async with stage() as s:
            await s.decide("GET /items/{id}", 10_000)
            plain = [b"/items/1", b"/items/1?x=//;", b"http://evil.test/items/1", b"http://evil.test:1/items/1"]
            for target in plain:
                await s.ask(raw=b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert [asked.target for asked in s.candidate.asked] == [b"/items/1", b"/items/1?x=//;", b"/items/1", b"/items/1"]
            odd = [b"//items/1", b"/items//1", b"/./items/1", b"/items/../items/1", b"/items/1;a", b"/items%2f1", b"/items\\1"]
            odd += [b"http://evil.test//items/1", b"/items/%2e%2e%2fitems/1", b"/items/1%00"]
            for target in odd:
                await s.ask(raw=b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert len(s.candidate.asked) == len(plain)
            assert len(s.primary.asked) == len(odd)
            await s.at_rest(len(plain) + len(odd))
            assert s.ledgers()[f"GET {UNROUTED}"].seen == len(odd)

    asyncio.run(scenario())


SPOOFED = [
    *(
        "X-Shadow: skip",
        "X-Shadow-Hop: 9",
        "X-Paritygate-Shadow: v1;9;00",
        "X-Paritygate-Side: candidate",
        "x_paritygate_skip: 1",
    ),
    *("X-Mirror: off", "X-Mirrored: 1", "X-Canary: always", "X-Candidate: 1", "X-Route: GET /old", "X-Backend: candidate"),
    *(
        "X-Original-URL: /old",
        "X-Rewrite-URL: /old",
        "X-HTTP-Method-Override: POST",
        "X-Request-Id: 1",
        "X-Forwarded-Prefix: /old",
    ),
    *(
        "X-Forwarded-Host: evil.test",
        "X-Forwarded-For: 10.9.8.7",
        "Forwarded: for=10.9.8.7;host=evil.test",
        "Via: 1.1 paritygate",
    ),
    *(
        "Max-Forwards: 0",
        "Cdn-Loop: paritygate",
        "X-Accel-Redirect: /old",
        "X-Envoy-Original-Path: /old",
        "X_Forwarded_For: 10.9.8.7",
    ),
]


@pytest.mark.parametrize("moved", [False, True], ids=["primary serves", "candidate serves"])
def test_invented_control_headers_change_nothing(stage: Any, moved: bool) -> None:
    """[T4] [T5] Route, side, client and mirroring are the same with any of them and without."""

    async def scenario() -> None:
        async with stage(proxy={"trusted_proxies": []}) as s:
            if moved:
                await s.decide("GET /items/{id}", 10_000)
            for line in ("X-Nothing: 1", *SPOOFED):
                assert (await s.ask("/items/1", headers=line + "\r\n")).status == 200
            ledger = await s.at_rest(len(SPOOFED) + 1)
            assert set(s.ledgers()) == {"GET /items/{id}"}
            assert ledger.pending == ledger.seen
            assert (ledger.served_candidate if moved else ledger.served_primary) == ledger.seen
            async with asyncio.timeout(10):
                while len(s.shadow.exchanges) < ledger.seen:
                    await asyncio.sleep(0.01)
            assert {(e.route, e.client, e.live_side, e.request.method, e.request.target) for e in s.shadow.exchanges} == {
                ("GET /items/{id}", s.shadow.exchanges[0].client, s.shadow.exchanges[0].live_side, "GET", b"/items/1")
            }
            asked = (s.candidate if moved else s.primary).asked
            assert not [n for a in asked for n, _ in a.headers if b"paritygate" in n.lower()]
            assert {tuple(a.values(b"x-forwarded-for")) for a in asked} == {(b"127.0.0.1",)}
            assert not [n for a in asked for n, _ in a.headers if n.lower() in (b"forwarded", b"x_forwarded_for")]

    asyncio.run(scenario())
