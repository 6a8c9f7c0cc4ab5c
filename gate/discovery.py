"""How much of a route's traffic has a shape that was never seen? An upper bound that stays valid however often one looks (reference 2c).

Let D_t say that request t had a new shape. The mass of the unseen shapes only falls, so if it is still m or more at request n, every D_t
before had probability m or more: the same mixture e-value that tests a mismatch rate tests that. It starts anew at s_j = 0, 250, 500,
1000, 2000 ..., so that the many discoveries of the first requests do not weigh for ever:

    E(n) = sum_j w_j e_j + (1 - sum_j w_j),   w_j = 1/((j+1)(j+2)),
    e_j = E(k_j, n - s_j; m) where that is >= 1 and k_j < m (n - s_j), else 0

k_j counts the new shapes after s_j. Each term is worth at most 1 on average while the unseen mass is m or more, and so is their mean.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

from gate.mixture import log_mixture

FIRST_RESTART = 250
_PRIOR_EVENTS, _PRIOR_TRIALS = 1.0, 4.0
_PRECISION = 1e-6
_LARGEST_LOG = 700.0


def restarts(n: int) -> list[int]:
    """0, 250, 500, 1000, 2000 ... below `n`."""
    found, at = [0], FIRST_RESTART
    while at < n:
        found.append(at)
        at *= 2
    return found if n > 0 else []


def discovery_e(discovered: Sequence[int], n: int, mass: float, prior_mass: float | None = None, *, untold: int = 0) -> float:
    """E against "the unseen mass is still `mass` or more" after `n` requests; 1 without data, at most e**700.

    `discovered` are the numbers, from 1 and rising, of the requests that brought a new shape. `untold` requests more had shapes that are
    not told apart and so stay unseen; as it is not known when they came, they count as the latest ones. The prior is
    Beta(1, 4/prior_mass), of `mass` itself where it is not given.
    """
    trials = _PRIOR_TRIALS / (prior_mass if prior_mass is not None else mass)
    total, weights = 0.0, 0.0
    for number, start in enumerate(restarts(n)):
        weight = 1.0 / ((number + 1) * (number + 2))
        weights += weight
        left = n - start
        new = min(left, len(discovered) - bisect_right(discovered, start) + untold)
        if new >= mass * left:
            continue
        log_e = log_mixture(new, left, mass, _PRIOR_EVENTS, trials)
        if log_e >= 0.0:
            total += weight * math.exp(min(log_e, _LARGEST_LOG))
    return total + (1.0 - weights)


def is_covered(discovered: Sequence[int], n: int, mass: float, delta: float, *, untold: int = 0) -> bool:
    """Whether less than `mass` of the traffic has an unseen shape, proven at level `delta`."""
    return n > 0 and discovery_e(discovered, n, mass, untold=untold) >= 1.0 / delta


@lru_cache(maxsize=4_096)
def unseen_upper(discovered: tuple[int, ...], n: int, mass: float, delta: float, untold: int = 0) -> float:
    """The upper bound of the unseen mass at level `delta`, in [0, 1], to within a millionth upwards; 1 without data.

    The prior is held at `mass`, so that the bound lies below `mass` exactly where `is_covered` says so, but for the rounding upwards.
    """
    refuted, kept = 1.0, 0.0
    if n == 0 or discovery_e(discovered, n, 1.0 - _PRECISION, mass, untold=untold) < 1.0 / delta:
        return 1.0
    if is_covered(discovered, n, mass, delta, untold=untold):
        refuted = mass
    else:
        kept = mass
    while refuted - kept > _PRECISION:
        middle = (refuted + kept) / 2.0
        if discovery_e(discovered, n, middle, mass, untold=untold) >= 1.0 / delta:
            refuted = middle
        else:
            kept = middle
    return refuted


def good_turing(counts: Sequence[int]) -> float:
    """The point estimate of the unseen mass, for display only: the share of requests whose shape was seen once."""
    total = sum(counts)
    return sum(1 for count in counts if count == 1) / total if total else 1.0
