"""What the detector promises: how many comparisons after its beginning a defect takes a route back, by the detector alone."""

from __future__ import annotations

import random
from functools import cache

from gate.detector import Detector, alarm_threshold

RUNS = 5_000
BEFORE = 50
"""Matches before the defect begins: the detector stands where it does after any number of them."""


@cache
def most_comparisons(q0: float, q1: float, floor: float) -> int:
    """The longest delay in RUNS simulated ones when the rate of mismatches jumps from 0 to `q1`, counted from the first mismatch.

    A later one has a probability of about 1 in RUNS.
    """
    draw = random.Random(7)
    standing = Detector.start(q0).matched(BEFORE)
    threshold = alarm_threshold(0.0, floor)
    return max(_delay(standing, q1, threshold, draw) for _ in range(RUNS))


def _delay(detector: Detector, q1: float, threshold: float, draw: random.Random) -> int:
    detector, count = detector.update(True), 1
    while not detector.alarm(threshold):
        detector, count = detector.update(draw.random() < q1), count + 1
    return count
