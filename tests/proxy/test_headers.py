"""What passes in a head: X-Forwarded-* by trust, our own headers never, all else byte for byte."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from proxy import hygiene
from proxy.copy_budget import CopyBudget
from proxy.forwarded import Forwarding
from proxy.loop_guard import is_copy
from proxy.tee import Tee
from shadow.copy_request import marker_value

KEY = b"k" * 32
TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=1, max_size=20).map(str.encode)
VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30).map(
    lambda t: t.encode("latin-1")
)
HEADERS = st.lists(st.tuples(TOKEN, VALUE), max_size=12).map(tuple)


def values(headers: Any, name: bytes) -> list[bytes]:
    return [v for n, v in headers if n.lower() == name]


def test_a_trusted_proxys_chain_is_kept_and_extended() -> None:
    """[T4] Our own proxies are believed."""
    chain = ((b"x-forwarded-for", b"203.0.113.7, 10.0.0.2"), (b"X-Forwarded-Proto", b"https"), (b"Host", b"a"))
    headers, client = Forwarding(["10.0.0.0/8"]).stamp(chain, "10.0.0.1", b"http")
    assert headers == (
        (b"x-forwarded-for", b"203.0.113.7, 10.0.0.2, 10.0.0.1"),
        (b"X-Forwarded-Proto", b"https"),
        (b"Host", b"a"),
    )
    assert client == "203.0.113.7"


def test_anyone_elses_claims_are_replaced() -> None:
    """[T4] Nobody else is."""
    claims = (
        (b"Host", b"shop.test"),
        (b"X-Forwarded-For", b"127.0.0.1"),
        (b"x_forwarded_for", b"127.0.0.1"),
        (b"X-FORWARDED-host", b"evil.test"),
        (b"Forwarded", b"for=127.0.0.1"),
        (b"X-Real-IP", b"127.0.0.1"),
        (b"X-Other", b"stays"),
    )
    headers, client = Forwarding(["10.0.0.0/8"]).stamp(claims, "203.0.113.7", b"http")
    assert client == "203.0.113.7"
    assert headers == (
        (b"Host", b"shop.test"),
        (b"X-Other", b"stays"),
        (b"X-Forwarded-For", b"203.0.113.7"),
        (b"X-Forwarded-Proto", b"http"),
        (b"X-Forwarded-Host", b"shop.test"),
    )


@pytest.mark.parametrize(
    ("address", "trusted"), [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.9", True), ("8.8.8.8", False), ("x", False)]
)
def test_trust_goes_by_network(address: str, trusted: bool) -> None:
    assert Forwarding(["127.0.0.0/8", "::1"]).trusts(address) is trusted


@given(HEADERS, st.sampled_from(["10.0.0.1", "203.0.113.7"]))
@examples(max_examples=60, deadline=None)
def test_stamping_touches_no_other_header(headers: Any, peer: str) -> None:
    stamped, _ = Forwarding(["10.0.0.0/8"]).stamp(headers, peer, b"http")

    def others(pairs: Any) -> list[Any]:
        names = (b"forwarded", b"x-real-ip")
        plain = [(n.lower().replace(b"_", b"-"), (n, v)) for n, v in pairs]
        return [pair for name, pair in plain if not name.startswith(b"x-forwarded-") and name not in names]

    assert others(stamped) == others(headers)
    if peer == "203.0.113.7":
        assert values(stamped, b"x-forwarded-for") == [b"203.0.113.7"]


@given(HEADERS)
@examples(max_examples=60, deadline=None)
def test_control_headers_go_and_all_others_stay_in_order(headers: Any) -> None:
    """[T5] `X-Paritygate-*` is ours alone, in either spelling."""
    kept = hygiene.without_control_headers(headers)
    assert kept == tuple(p for p in headers if not p[0].lower().replace(b"_", b"-").startswith(b"x-paritygate-"))


def test_over_the_wire_the_peer_is_appended(stage: Any) -> None:
    """[T4] On the wire as in theory."""

    async def scenario() -> None:
        async with stage() as s:
            await s.ask("/items/1", headers="X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n")
            asked = s.primary.asked[0]
            assert asked.values(b"x-forwarded-for") == [b"203.0.113.9, 127.0.0.1"]
            assert asked.values(b"x-forwarded-proto") == [b"https"]
        async with stage(proxy={"trusted_proxies": []}) as s:
            await s.ask("/items/1", headers="X-Forwarded-For: 203.0.113.9\r\nForwarded: for=1\r\n")
            asked = s.primary.asked[0]
            assert asked.values(b"x-forwarded-for") == [b"127.0.0.1"]
            assert asked.values(b"x-forwarded-host") == [b"shop.test"]
            assert asked.values(b"forwarded") == []

    asyncio.run(scenario())


def test_the_backend_gets_the_request_as_it_was_sent(stage: Any) -> None:
    """[B14] [R-MIR-2] Host, order, case and duplicates are kept."""

    async def scenario() -> None:
        async with stage() as s:
            head = b"GET /items/1?a=%C3%A4&b=[x]&&c HTTP/1.1\r\nhOsT: Shop.Test:8080\r\nX-B: 1\r\nx-b: 2\r\n"
            await s.ask(raw=head + b"Cookie: a=1; b=2\r\nX-L: \xe9\r\nConnection: close\r\n\r\n")
            asked = s.primary.asked[0]
            assert asked.line == b"GET /items/1?a=%C3%A4&b=[x]&&c HTTP/1.1"
            assert asked.headers[:6] == [
                (b"hOsT", b"Shop.Test:8080"),
                (b"X-B", b"1"),
                (b"x-b", b"2"),
                (b"Cookie", b"a=1; b=2"),
                (b"X-L", b"\xe9"),
                (b"Connection", b"close"),
            ]
            assert [name for name, _ in asked.headers[6:]] == [b"X-Forwarded-For", b"X-Forwarded-Proto"]

    asyncio.run(scenario())


def test_a_marker_is_ours_only_with_our_key() -> None:
    """[T5] [T6] Nobody can switch mirroring off by naming our header."""
    assert is_copy(marker_value(KEY), KEY)
    assert not is_copy(marker_value(b"other"), KEY)


@given(st.binary(max_size=60))
@examples(max_examples=80, deadline=None)
def test_an_invented_marker_is_never_ours(value: bytes) -> None:
    """[T5] Nor by guessing."""
    assert not is_copy(value, KEY)


@pytest.mark.parametrize("value", [b"Close", b"Keep-Alive", b"Upgrade", b"close", b"X-Hop, Close"])
def test_connection_passes_as_it_is_spelled(value: bytes) -> None:
    assert hygiene.mended_request(((b"Connection", value), (b"X", b"Close"))) == ((b"Connection", value), (b"X", b"Close"))
    assert hygiene.mended_answer(((b"Connection", value), (b"X", b"Close")), False) == (
        (b"Connection", value),
        (b"X", b"Close"),
    )


def test_an_upgrade_to_http2_is_taken_out() -> None:
    """[T1] What follows such an upgrade would be hidden from us."""
    headers = (
        (b"Host", b"a"),
        (b"Connection", b"Upgrade, HTTP2-Settings"),
        (b"Upgrade", b"h2c"),
        (b"HTTP2-Settings", b"AAMAAABk"),
    )
    assert hygiene.mended_request(headers) == ((b"Host", b"a"),)


@given(st.lists(st.binary(max_size=20), max_size=20), st.integers(0, 60), st.booleans())
@examples(max_examples=60, deadline=None)
def test_the_tee_passes_everything_and_keeps_all_or_nothing(pieces: list[bytes], limit: int, keep: bool) -> None:
    tee = Tee(limit, keep, CopyBudget())
    assert b"".join(tee(piece) for piece in pieces) == b"".join(pieces)
    whole = b"".join(pieces)
    assert tee.body() == (whole if keep and len(whole) <= limit else b"")
    assert tee.over == (len(whole) > limit)


@pytest.mark.parametrize(
    "offer", [b"h2c", b"H2C", b"websocket, h2c", b"h2c;q=1", b"HTTP/2.0", b"TLS/1.0", b"websocket\r\nUpgrade: h2c"]
)
def test_no_offer_of_another_http_or_of_tls_reaches_a_backend(stage: Any, offer: bytes) -> None:
    """[T1] In whatever list it hides; the connection's other options stay."""

    async def scenario() -> None:
        async with stage() as s:
            head = b"GET /items/1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close, HTTP2-Settings\r\nHTTP2-Settings: AAMA\r\nUpgrade: "
            assert (await s.ask(raw=head + offer + b"\r\n\r\n")).status == 200
            asked = s.primary.asked[0]
            assert not asked.values(b"upgrade") + asked.values(b"http2-settings")
            assert asked.values(b"connection") == [b"close"]

    asyncio.run(scenario())


def test_a_request_with_a_body_asks_for_no_upgrade(stage: Any) -> None:
    """[T1] httptools takes such a body for the other protocol's, and its application gets none."""

    async def scenario() -> None:
        async with stage() as s:
            upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            await s.ask("/items/1", method="POST", headers=upgrade, body=b"abc")
            assert s.primary.asked[0].values(b"upgrade") == []
            assert s.primary.asked[0].body == b"abc"
            await s.ask("/items/1", headers=upgrade)
            assert s.primary.asked[1].values(b"upgrade") == [b"websocket"]

    asyncio.run(scenario())
