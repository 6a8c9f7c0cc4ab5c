"""The laws of the latency buckets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.buckets import FIRST, LAST, MAX_MS, MIN_MS, bucket_of, count_above, merge, middle, quantile, subtract, upper_edge

HISTOGRAMS = st.dictionaries(st.integers(FIRST, LAST), st.integers(1, 1000), max_size=8)
LATENCIES = st.floats(MIN_MS, MAX_MS)


@given(LATENCIES)
@settings(max_examples=300, deadline=None)
def test_a_bucket_stands_for_its_latencies_within_one_percent(ms: float) -> None:
    """S12: relative error <= 1 %."""
    assert abs(middle(bucket_of(ms)) - ms) <= 0.01 * ms * (1 + 1e-9)


@given(st.integers(FIRST, LAST - 1))
@settings(max_examples=300, deadline=None)
def test_an_edge_belongs_to_the_lower_bucket(bucket: int) -> None:
    """S12: (gamma^(i-1), gamma^i]."""
    edge = upper_edge(bucket)
    assert (bucket_of(edge), bucket_of(math.nextafter(edge, math.inf))) == (bucket, bucket + 1)


@given(HISTOGRAMS, HISTOGRAMS, HISTOGRAMS)
@settings(max_examples=100, deadline=None)
def test_merging_is_associative_and_commutative(a: dict[int, int], b: dict[int, int], c: dict[int, int]) -> None:
    """S12: merging."""
    assert merge(merge(a, b), c) == merge(a, merge(b, c)) == merge(merge(c, b), a)


@given(HISTOGRAMS, HISTOGRAMS)
@settings(max_examples=100, deadline=None)
def test_subtracting_undoes_merging(a: dict[int, int], b: dict[int, int]) -> None:
    """S12: subtracting."""
    assert subtract(merge(a, b), b) == a


@given(st.lists(LATENCIES, min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 0.99]))
@settings(max_examples=100, deadline=None)
def test_a_quantile_is_within_one_percent_of_the_exact_one(values: list[float], share: float) -> None:
    histogram: dict[int, int] = {}
    for value in values:
        histogram = merge(histogram, {bucket_of(value): 1})
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    found = quantile(histogram, share)
    assert found is not None
    assert abs(found - exact) <= 0.01 * exact * (1 + 1e-9)


@given(st.lists(LATENCIES, max_size=50), st.integers(FIRST, LAST - 1))
@settings(max_examples=100, deadline=None)
def test_counts_above_an_edge_are_exact(values: list[float], bucket: int) -> None:
    histogram: dict[int, int] = {}
    for value in values:
        histogram = merge(histogram, {bucket_of(value): 1})
    assert count_above(histogram, bucket) == sum(value > upper_edge(bucket) for value in values)


@pytest.mark.parametrize(
    ("ms", "bucket"), [(math.nan, LAST), (math.inf, LAST), (1e300, LAST), (0.0, FIRST), (-1.0, FIRST), (-math.inf, FIRST)]
)
def test_what_is_no_latency_has_a_bucket_too(ms: float, bucket: int) -> None:
    assert bucket_of(ms) == bucket


def test_nothing_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None
