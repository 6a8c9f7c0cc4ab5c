"""Payloads come out of a stream as they went in, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic.frames import FrameCutter, TooLong


@given(st.lists(st.binary(max_size=20), max_size=8), st.integers(1, 30))
def test_payloads_round_trip_in_any_pieces(payloads: list[bytes], piece: int) -> None:
    stream = b"".join(len(payload).to_bytes(4, "big") + payload for payload in payloads)
    cutter = FrameCutter(20)
    assert [got for at in range(0, len(stream), piece) for got in cutter.feed(stream[at : at + piece])] == payloads


def test_a_length_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLong, match="21 bytes is announced, the limit is 20"):
        list(FrameCutter(20).feed((21).to_bytes(4, "big")))
