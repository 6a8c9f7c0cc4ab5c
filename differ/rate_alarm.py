"""Whether a rule suppresses in more than its agreed share of the responses in scope, however often one looks.

The evidence is the mean of twelve likelihood ratios, of rates above the agreed one against it. At any rate up to the agreed one
each of them is a supermartingale, so by Ville's inequality the chance that the evidence *ever* reaches 1/alpha is at most alpha.
Exact for responses that are drawn independently, for counts that only grow; a window that moves on is a new test.
"""

from __future__ import annotations

import math

MIN_RESPONSES = 100
"""Responses in scope below which no alarm is raised."""
ALPHA = 0.01
_STEPS = 12


def log_evidence(hits: int, responses: int, max_rate: float) -> float:
    """ln of the evidence that the rate is above `max_rate` (0 to 1), after `hits` of `responses`. 0 without data."""
    if responses <= 0 or max_rate >= 1.0:
        return 0.0
    if max_rate <= 0.0:
        return math.inf if hits else 0.0
    rest = responses - hits
    logs = []
    for step in range(_STEPS):
        rate = max_rate + (1.0 - max_rate) * 0.5**step
        if rate >= 1.0:
            logs.append(-hits * math.log(max_rate) if rest <= 0 else -math.inf)
        elif rate > max_rate:
            logs.append(hits * math.log(rate / max_rate) + rest * (math.log1p(-rate) - math.log1p(-max_rate)))
    top = max(logs, default=-math.inf)
    if top == -math.inf:
        return 0.0
    return top + math.log(sum(math.exp(value - top) for value in logs) / _STEPS)


def is_over(hits: int, responses: int, max_rate: float) -> bool:
    """Whether the alarm is raised: at least MIN_RESPONSES in scope, and evidence of 1/ALPHA that the rate is above `max_rate`."""
    return responses >= MIN_RESPONSES and log_evidence(hits, responses, max_rate) >= -math.log(ALPHA)
