"""The hand-off's frames: they round-trip in any pieces, and garbage is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traffic.codec import MAX_FRAME, Alarm, CodecError, Filled, FrameReader, Hello, Leaving, Message, Taken, decode, encode
from traffic.message import Exchange, Request, Response, Side

headers = st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=3).map(tuple)
exchanges = st.builds(
    Exchange,
    st.text(max_size=5),
    st.integers(0, 2**63),
    st.text(max_size=9),
    st.text(max_size=5),
    st.sampled_from(Side),
    st.floats(allow_nan=False),
    st.floats(allow_nan=False),
    st.builds(Request, st.text(max_size=5), st.binary(max_size=20), headers, st.binary(max_size=50)),
    st.builds(Response, st.integers(100, 599), headers, st.binary(max_size=50), st.booleans()),
)
messages = st.one_of(
    exchanges,
    st.builds(Hello, st.text(), st.text(), st.text(), st.dictionaries(st.text(max_size=5), st.integers(0, 10**12), max_size=3)),
    st.builds(Alarm, st.text(), st.text()),
    st.just(Leaving()),
    st.builds(Filled, st.integers(0, 2**64 - 1)),
    st.builds(Taken, st.integers(0, 2**64 - 1)),
)


@settings(deadline=None)
@given(st.lists(messages, max_size=4), st.integers(1, 9))
def test_messages_come_back_whole_however_the_stream_is_cut(sent: list[Message], size: int) -> None:
    stream = b"".join(encode(message) for message in sent)
    reader = FrameReader()

    received = [m for start in range(0, len(stream), size) for m in reader.feed(stream[start : start + size])]

    assert received == sent


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_refused_with_one_kind_of_error(payload: bytes) -> None:
    try:
        decode(payload)
    except CodecError:
        pass


def test_an_announced_frame_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(CodecError, match="the limit is"):
        list(FrameReader().feed((MAX_FRAME + 1).to_bytes(4, "big")))


@pytest.mark.parametrize(
    ("status", "route"), [(10**30, "GET /a"), (-(10**30), "GET /a"), (200, "GET /\ud800")], ids=["large", "small", "surrogate"]
)
def test_what_the_format_cannot_hold_is_one_kind_of_error_too(status: int, route: str) -> None:
    exchange = Exchange("b", 1, route, "u", Side.PRIMARY, 0.0, 1.0, Request("GET", b"/a"), Response(status))
    with pytest.raises(CodecError, match="no frame can hold this message"):
        encode(exchange)


@pytest.mark.parametrize("cut", [1, 5, -1])
def test_bodies_of_another_length_than_the_head_says_are_refused(cut: int) -> None:
    exchange = Exchange(
        "b", 1, "GET /a", "u", Side.PRIMARY, 0.0, 1.0, Request("GET", b"/a", (), b"asked"), Response(200, (), b"got")
    )
    payload = encode(exchange)[4:]
    assert decode(payload) == exchange
    with pytest.raises(CodecError, match="not as long"):
        decode(payload[:-cut] if cut > 0 else payload + b"x")


def test_positions_in_a_ring_are_never_negative() -> None:
    with pytest.raises(CodecError, match="negative"):
        decode(encode(Filled(-1))[4:])
