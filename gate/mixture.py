"""The beta-binomial mixture e-value: how much better a Beta(a, b) bet explains k events in n trials than the rate q does.

    ln E(k, n; q) = lnB(a+k, b+n-k) - lnB(a, b) - k ln q - (n-k) ln(1-q)

Three bare `lgamma` differences lose 2e-7 at n = 1e8. Here the large terms are cancelled on paper, by Stirling's series, so that the
error stays below 1e-9 * max(1, |ln E|) up to n = 1e8.
"""

from __future__ import annotations

import math

_STIRLING_FROM = 16.0
_HALF_LN_2PI = 0.5 * math.log(2.0 * math.pi)


def log_mixture(k: int, n: int, q: float, a: float, b: float) -> float:
    """ln E of `k` events in `n` trials against the rate `q`, 0 < q < 1, under the prior Beta(a, b). Natural logarithm."""
    if n == 0:
        return 0.0
    rest = n - k
    events, others, total = a + k, b + rest, a + b + n
    if min(events, others) < _STIRLING_FROM:
        gain = _log_beta(events, others) - (k * math.log(q) if k else 0.0) - (rest * math.log1p(-q) if rest else 0.0)
    else:
        # Both ratios are 1 + something small where E is near 1; one common deviation makes their rounding errors cancel.
        deviation = events - total * q
        gain = (
            k * _log_ratio(events, total * q, deviation)
            + rest * _log_ratio(others, total * (1.0 - q), -deviation)
            + (a - 0.5) * math.log(events / total)
            + (b - 0.5) * math.log1p(-events / total)
            - 0.5 * math.log(total)
            + _HALF_LN_2PI
            + _stirling_rest(events)
            + _stirling_rest(others)
            - _stirling_rest(total)
        )
    return gain - _log_beta(a, b)


def _log_ratio(value: float, reference: float, difference: float) -> float:
    """ln(value / reference), where `difference` = value - reference is known better than by subtracting."""
    relative = difference / reference
    return math.log1p(relative) if abs(relative) < 0.5 else math.log(value / reference)


def _log_beta(x: float, y: float) -> float:
    """lnB(x, y), exact to rounding where the smaller argument is small."""
    small, large = min(x, y), max(x, y)
    return math.lgamma(small) - _log_gamma_step(large, small)


def _log_gamma_step(x: float, step: float) -> float:
    """lnGamma(x + step) - lnGamma(x) without subtracting two large numbers, for x >= 16."""
    if x < _STIRLING_FROM:
        return math.lgamma(x + step) - math.lgamma(x)
    return (x - 0.5) * math.log1p(step / x) + step * math.log(x + step) - step + _stirling_rest(x + step) - _stirling_rest(x)


def _stirling_rest(x: float) -> float:
    """lnGamma(x) - ((x - 1/2) ln x - x + ln(2 pi)/2); the first term left out is below 1e-15 at x = 16."""
    square = 1.0 / (x * x)
    return (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))) / x
