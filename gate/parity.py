"""Is the mismatch rate below 1 - parity? An answer that stays valid however often one looks (gate reference 2a).

A mixture e-value with the prior Beta(1, 4/q0). `pass` needs E >= 1/alpha *and* k < q0 n: E is just as large when the rate is far
too high, so the side check is what tells a pass from a fail. The bounds invert the same E with the prior held at the asked q0, hence
`pass` and "the upper bound is below q0" are the same statement.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gate.mixture import log_mixture

ParityVerdict = Literal["pass", "fail", "undecided"]

MOST_COMPARISONS = 10**15
"""Above this, counts are no longer exact in a float."""

_PRIOR_EVENTS = 1.0
_PRIOR_TRIALS = 4.0


@dataclass(frozen=True, slots=True)
class Calculation:
    """What `gate calc --json` prints. `lower` and `upper` bound the mismatch rate; `clean_needed` is 0 once passed."""

    n: int
    k: int
    parity: float
    alpha: float
    log_e: float
    verdict: ParityVerdict
    lower: float
    upper: float
    clean_needed: int


def log_e(k: int, n: int, q0: float) -> float:
    """ln of the evidence of `k` mismatches in `n` comparisons against the mismatch rate `q0`; 0 without data."""
    return _log_e(k, n, q0, q0)


def parity_verdict(k: int, n: int, parity: float, alpha: float) -> ParityVerdict:
    """`pass` when the rate is proven below 1 - parity at level alpha, `fail` when proven above it, else `undecided`."""
    q0 = 1.0 - parity
    if n == 0 or log_e(k, n, q0) < -math.log(alpha):
        return "undecided"
    if k < q0 * n:
        return "pass"
    return "fail" if k > q0 * n else "undecided"


def bounds(k: int, n: int, alpha: float, prior_q0: float) -> tuple[float, float]:
    """Lower and upper bound of the mismatch rate, valid at level 1 - alpha for all n at once. [0, 1] without data."""
    if n == 0:
        return 0.0, 1.0
    limit = -math.log(alpha)
    share = k / n

    def inside(q: float) -> bool:
        return _log_e(k, n, q, prior_q0) < limit

    lower = 0.0 if k == 0 else _edge(0.0, share, prior_q0, inside)
    upper = 1.0 if k == n else _edge(1.0, share, prior_q0, inside)
    return lower, upper


def clean_needed(k: int, n: int, parity: float, alpha: float) -> int:
    """How many further comparisons without a mismatch lead to `pass`; 0 when it passes already."""

    def passes(more: int) -> bool:
        return parity_verdict(k, n + more, parity, alpha) == "pass"

    if passes(0):
        return 0
    short, enough = 0, 1
    while not passes(enough):
        short, enough = enough, enough * 2
    while enough - short > 1:
        middle = (short + enough) // 2
        if passes(middle):
            enough = middle
        else:
            short = middle
    return enough


def calculate(n: int, k: int, parity: float, alpha: float) -> Calculation:
    """Everything `gate calc` prints. Raises ValueError with one sentence for arguments that make no sense."""
    for name, count in (("n", n), ("k", k)):
        if isinstance(count, bool) or not isinstance(count, int):
            raise ValueError(f"{name} = {count!r} is no count: give a whole number")
        if count < 0:
            raise ValueError(f"{name} = {count} is negative: a count of comparisons is 0 or more")
    if k > n:
        raise ValueError(f"k = {k} is more than n = {n}: k counts those of the n comparisons that mismatched")
    if n > MOST_COMPARISONS:
        raise ValueError(f"n = {n} is too large: at most 10^15 comparisons can be calculated exactly")
    for name, share, example in (("parity", parity, "0.999"), ("alpha", alpha, "0.05")):
        if not 0.0 < share < 1.0:
            raise ValueError(f"{name} = {share} is not between 0 and 1 (both excluded), e.g. {example}")
    q0 = 1.0 - parity
    if q0 >= 1.0:
        raise ValueError(f"parity = {parity} is too close to 0 to calculate with")
    lower, upper = bounds(k, n, alpha, q0)
    return Calculation(
        n=n,
        k=k,
        parity=parity,
        alpha=alpha,
        log_e=log_e(k, n, q0),
        verdict=parity_verdict(k, n, parity, alpha),
        lower=lower,
        upper=upper,
        clean_needed=clean_needed(k, n, parity, alpha),
    )


def _log_e(k: int, n: int, q: float, prior_q0: float) -> float:
    return log_mixture(k, n, q, _PRIOR_EVENTS, _PRIOR_TRIALS / prior_q0)


def _edge(outside: float, inside_at: float, asked: float, inside: Callable[[float], bool]) -> float:
    """The last rate that is still inside, going from `inside_at` towards `outside`, to the neighbouring float.

    Ending on an inside value, never on an outside one, and looking at the `asked` rate itself first, keeps `pass` <=> upper < q0 exact:
    E is rounded, so close to the edge inside and outside alternate, and the search alone could end on the other side of q0.
    """
    middle = asked if min(outside, inside_at) < asked < max(outside, inside_at) else (outside + inside_at) / 2.0
    for _ in range(1100):
        if middle in (outside, inside_at):
            break
        if inside(middle):
            inside_at = middle
        else:
            outside = middle
        middle = (outside + inside_at) / 2.0
    return inside_at
