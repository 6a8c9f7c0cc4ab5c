"""Fixed logarithmic latency buckets: bucket i holds (GAMMA^(i-1), GAMMA^i] milliseconds, so an edge belongs to the lower bucket.

A histogram is a mapping of bucket to count. Two histograms merge by adding and unmerge by subtracting, exactly; counts below an
edge are exact; a quantile is off by at most 1 % of its value within [MIN_MS, MAX_MS]. A time-out or a time that is no number
belongs to the last bucket: it is the longest, never dropped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(GAMMA)
MIN_MS = 0.001
MAX_MS = 1e8
FIRST = math.ceil(math.log(MIN_MS) / _LOG_GAMMA)
LAST = math.ceil(math.log(MAX_MS) / _LOG_GAMMA)

Histogram = Mapping[int, int]


def bucket_of(ms: float) -> int:
    """The bucket of a latency in milliseconds, from FIRST to LAST."""
    if not math.isfinite(ms):
        return LAST if not ms < 0 else FIRST
    if ms <= upper_edge(FIRST):
        return FIRST
    if ms > upper_edge(LAST - 1):
        return LAST
    bucket = math.ceil(math.log(ms) / _LOG_GAMMA)
    # The logarithm rounds: the edges themselves decide.
    while ms <= upper_edge(bucket - 1):
        bucket -= 1
    while ms > upper_edge(bucket):
        bucket += 1
    return bucket


def upper_edge(bucket: int) -> float:
    """The largest latency of a bucket in milliseconds."""
    return float(GAMMA**bucket)


def middle(bucket: int) -> float:
    """The latency that stands for a bucket: within 1 % of everything in it."""
    return 2 * upper_edge(bucket) / (GAMMA + 1)


def merge(one: Histogram, other: Histogram) -> dict[int, int]:
    """Both together; empty buckets are left out."""
    return _combine(one, other, 1)


def subtract(whole: Histogram, part: Histogram) -> dict[int, int]:
    """`whole` without `part`: `subtract(merge(a, b), b) == a`."""
    return _combine(whole, part, -1)


def quantile(histogram: Histogram, share: float) -> float | None:
    """The latency in milliseconds below or at which `share` of the counts lie, None when there are none."""
    total = sum(histogram.values())
    if total <= 0:
        return None
    rank = max(1, math.ceil(share * total))
    below = 0
    for bucket in sorted(histogram):
        below += histogram[bucket]
        if below >= rank:
            return middle(bucket)
    return None


def count_above(histogram: Histogram, bucket: int) -> int:
    """How many are longer than the upper edge of `bucket`; exact."""
    return sum(count for other, count in histogram.items() if other > bucket)


def _combine(one: Histogram, other: Histogram, sign: int) -> dict[int, int]:
    total = dict(one)
    for bucket, count in other.items():
        total[bucket] = total.get(bucket, 0) + sign * count
    return {bucket: count for bucket, count in total.items() if count}
