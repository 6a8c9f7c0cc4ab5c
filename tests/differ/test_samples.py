"""The sample: the same everywhere, of the asked size, nested."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from differ.samples import in_sample, rank

IDS = st.text(max_size=30)


@settings(max_examples=200, deadline=None)
@given(IDS, st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_sample_is_part_of_a_larger_one(name: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert in_sample(name, large) or not in_sample(name, small)


def test_nobody_is_in_the_empty_sample_and_everybody_in_the_whole_one() -> None:
    assert not any(in_sample(f"boot-{number}", 0.0) for number in range(100))
    assert all(in_sample(f"boot-{number}", 1.0) for number in range(100))


def test_the_sample_has_about_the_asked_size_and_never_changes() -> None:
    chosen = [number for number in range(20_000) if in_sample(f"boot-{number}", 0.01)]
    assert 150 < len(chosen) < 260
    assert rank("boot-1") == 3957694503318170715
