"""What is read as a moment."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from differ.moments import is_utc_moment, moment


@settings(max_examples=300, deadline=None)
@given(
    text=st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,13})?Z", fullmatch=True)
)
def test_what_is_a_utc_moment_is_what_can_be_taken_apart(text: str) -> None:
    assert is_utc_moment(text) is (moment(text) is not None)
