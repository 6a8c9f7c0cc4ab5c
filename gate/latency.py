"""Is the candidate no slower than its margin allows? A sequential McNemar test at thresholds frozen beforehand (gate reference 2b).

For each quantile, x is the primary's own quantile and g(x) the margin. A pair counts only when exactly one side is slow: the primary
over x, or the candidate over g(x). Six integers per route decide, however often one looks, whatever the latencies' distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from gate.facts import LatencyEvidence
from gate.mixture import log_mixture
from gate.policy import Margin

LEAST_DISCORDANT = 8
_PRIOR = 2.0


def latency_verdict(primary_slow_only: int, candidate_slow_only: int, alpha: float) -> Literal["pass", "fail", "undecided"]:
    """`pass` when the candidate is proven within its margin at level alpha, `fail` when proven outside. Raises ValueError."""
    if primary_slow_only < 0 or candidate_slow_only < 0:
        raise ValueError(f"counts of pairs must be 0 or more, got {primary_slow_only} and {candidate_slow_only}")
    pairs = primary_slow_only + candidate_slow_only
    if pairs < LEAST_DISCORDANT or primary_slow_only == candidate_slow_only:
        return "undecided"
    # Half of the symmetric prior lies on the wrong side and is worth at most 1 there, hence (1/alpha + 1)/2 and not 1/alpha.
    if log_mixture(primary_slow_only, pairs, 0.5, _PRIOR, _PRIOR) < math.log1p(alpha) - math.log(2.0 * alpha):
        return "undecided"
    return "pass" if primary_slow_only > candidate_slow_only else "fail"


def thresholds(samples_ms: Sequence[float], margins: Sequence[Margin]) -> tuple[LatencyEvidence, ...]:
    """Thresholds from the primary's samples, with counts of zero. Raises ValueError without a usable sample."""
    usable = sorted(sample for sample in samples_ms if math.isfinite(sample) and sample >= 0.0)
    if not usable:
        raise ValueError("no latency sample to take thresholds from")
    made = []
    for margin in margins:
        rank = min(len(usable), max(1, math.ceil(margin.quantile * len(usable))))
        threshold = usable[rank - 1]
        made.append(LatencyEvidence(margin.tau, threshold, margin.bound_ms(threshold), 0, 0))
    return tuple(made)


class LatencyTracker:
    """One route's latency claim within one epoch: the first `calibrate` pairs set the thresholds, those after them are counted.

    `drain` hands out increments, so that counts of several processes add up in the store. After a restart pass the stored
    thresholds as `frozen`: they must not be taken again while the claim is being tested.
    """

    def __init__(self, margins: Sequence[Margin], calibrate: int, frozen: Sequence[LatencyEvidence] = ()) -> None:
        self._margins = tuple(margins)
        self._calibrate = calibrate
        self._samples: list[float] = []
        self._counts = [replace(line, primary_slow_only=0, candidate_slow_only=0) for line in frozen]
        self._told = bool(frozen)
        self.samples = 0

    @property
    def calibrated(self) -> bool:
        """Whether the thresholds stand."""
        return bool(self._counts)

    def observe(self, primary_ms: float, candidate_ms: float) -> None:
        """Takes in one pair. A timeout is `math.inf`: the longest latency there is, never left out. NaN and negatives are ignored."""
        if not (primary_ms >= 0.0 and candidate_ms >= 0.0):
            return
        self.samples += 1
        if not self._counts:
            if math.isfinite(primary_ms):
                self._samples.append(primary_ms)
            if len(self._samples) >= self._calibrate:
                self._counts = list(thresholds(self._samples, self._margins))
                self._samples = []
            return
        for i, line in enumerate(self._counts):
            primary_slow, candidate_slow = primary_ms > line.threshold_ms, candidate_ms > line.bound_ms
            if primary_slow and not candidate_slow:
                self._counts[i] = replace(line, primary_slow_only=line.primary_slow_only + 1)
            elif candidate_slow and not primary_slow:
                self._counts[i] = replace(line, candidate_slow_only=line.candidate_slow_only + 1)

    def drain(self) -> tuple[LatencyEvidence, ...]:
        """The counts since the last call; empty while there is nothing new. New thresholds are told once, with zeros if need be."""
        news = tuple(line for line in self._counts if not self._told or line.primary_slow_only or line.candidate_slow_only)
        if news:
            self._told = True
            self._counts = [replace(line, primary_slow_only=0, candidate_slow_only=0) for line in self._counts]
        return news
