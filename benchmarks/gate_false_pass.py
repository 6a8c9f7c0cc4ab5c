"""How often does the gate pass a route that must not pass, looked at after every unit? Beside what is used instead.

    python -m benchmarks.gate_false_pass [--quick]

Exact (dynamic programming over the pass boundary) and simulated, p0 = .999 and alpha = .05. It prints the probability that the verdict
is `pass` at any time up to the horizon although the true mismatch rate is q, and what campaigns of fix-and-retry end with. The
boundary is the gate's own, from gate.parity.
"""

from __future__ import annotations

import argparse
import math
from functools import lru_cache

import numpy as np

from benchmarks.figures import table
from gate.parity import clean_needed
from store.epochs import ATTEMPT_UNITS

PARITY, ALPHA = 0.999, 0.05
Q0 = 1.0 - PARITY
MULTIPLES = (1.0, 1.05, 1.2, 2.0)
Boundary = np.ndarray
"""For each k, from 0, the least n at which k mismatches pass; rising."""


def mixture_boundary(horizon: int) -> Boundary:
    """The gate's own: from there on each further match keeps it."""
    found = [clean_needed(0, 0, PARITY, ALPHA)]
    while found[-1] <= horizon:
        k = len(found)
        found.append(k + clean_needed(k, k, PARITY, ALPHA))
    return np.array(found[:-1])


def clopper_pearson_boundary(horizon: int) -> Boundary:
    """The usual one-sided 95 % bound: P(at most k in n at q0) <= alpha."""

    def chance(k: int, n: int) -> float:
        steps = np.arange(k)
        logs = np.concatenate(([0.0], np.cumsum(np.log((n - steps) / (steps + 1)) + math.log(Q0 / (1 - Q0)))))
        return float(np.exp(logs + n * math.log1p(-Q0)).sum())

    found: list[int] = []
    low = 1
    while low <= horizon:
        k = len(found)
        high = low + 1
        while chance(k, high) > ALPHA:
            high = high * 2
        short = low
        while high - short > 1:
            middle = (short + high) // 2
            short, high = (short, middle) if chance(k, middle) <= ALPHA else (middle, high)
        found.append(high)
        low = high
    return np.array([n for n in found if n <= horizon])


def point_boundary(horizon: int) -> Boundary:
    """The share of matches is at least p0, once 1,000 were compared."""
    return np.array([max(1_000, math.ceil(k / Q0 - 1e-6)) for k in range(int(horizon * Q0) + 1)])


def exact(boundary: Boundary, q: float, horizons: tuple[int, ...]) -> list[float]:
    """P(ever pass) up to each horizon. Runs with more mismatches than the boundary knows cannot pass any more and are let go."""
    alive = np.zeros(len(boundary) + 1)
    alive[0] = 1.0
    passed, reached, top, found = 0.0, 0, 1, []
    for n in range(1, horizons[-1] + 1):
        top = min(top + 1, len(boundary))
        live = alive[reached : top + 1]
        moved = live[:-1] * q
        live *= 1.0 - q
        live[1:] += moved
        while reached < len(boundary) and boundary[reached] <= n:
            passed += alive[reached]
            alive[reached] = 0.0
            reached += 1
        if n in horizons:
            found.append(passed)
    return found


def simulated(boundary: Boundary, q: float, horizon: int, runs: int, rng: np.random.Generator) -> float:
    """The same by drawing: a run passes when its next mismatch comes after the boundary of those it had."""
    passed = 0
    for _ in range(runs // 500):
        at = np.cumsum(rng.geometric(q, size=(500, len(boundary))), axis=1)
        until = np.minimum(at - 1, horizon)
        passed += int((until >= boundary[np.newaxis, :]).any(axis=1).sum())
    return passed / (runs // 500 * 500)


def bursts(boundary: Boundary, mean: int, requests: int, runs: int, rng: np.random.Generator, per_burst: bool) -> float:
    """q = 1.05 q0; a client's burst is all right or all wrong. Every request counted, or one unit per burst."""
    passed = 0
    for _ in range(runs):
        lengths = rng.geometric(1.0 / mean, size=int(requests / mean * 1.2) + 50)
        lengths = lengths[np.cumsum(lengths) <= requests]
        bad = rng.random(len(lengths)) < 1.05 * Q0
        counted = np.ones_like(lengths) if per_burst else lengths
        n, k = np.cumsum(counted), np.cumsum(counted * bad)
        known = k < len(boundary)
        passed += bool((n[known] >= boundary[k[known]]).any())
    return passed / runs


@lru_cache(maxsize=100_000)
def needed(attempt: int, spend: bool) -> int:
    """Clean units that pass in this attempt."""
    return clean_needed(0, 0, PARITY, ALPHA / (attempt * (attempt + 1)) if spend else ALPHA)


def campaign(rates: np.ndarray, spend: bool, rng: np.random.Generator) -> tuple[bool, int]:
    """Fix the cause of each mismatch, start anew, until it passes. (whether q was q0 or more when it passed, units spent)."""
    times = rng.exponential(1.0, len(rates)) / rates
    order = np.argsort(times)
    gaps = np.diff(times[order], prepend=0.0)
    left = rates.sum() - np.concatenate(([0.0], np.cumsum(rates[order])))
    attempt, spent = 1, 0.0
    for cause, gap in enumerate(gaps):
        if gap > needed(attempt, spend):
            return bool(left[cause] >= Q0), int(spent + needed(attempt, spend))
        spent += gap
        attempt += gap >= ATTEMPT_UNITS
    return False, int(spent)


def rejudged(rates: np.ndarray, rng: np.random.Generator) -> float:
    """The rate left when everything seen is fixed and the old samples are judged anew: it passes at the first clean count."""
    unseen = rng.exponential(1.0, len(rates)) / rates > needed(1, False)
    return float(rates[unseen].sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller horizons and fewer runs")
    quick = parser.parse_args().quick
    rng = np.random.default_rng(20_261_122)
    horizons = (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000)
    runs = 5_000 if quick else 50_000
    methods = {"mixture": mixture_boundary, "Clopper-Pearson, peeked": clopper_pearson_boundary, "share >= p0": point_boundary}
    made = {name: make(horizons[-1]) for name, make in methods.items()}

    rows = [
        [name, f"{multiple:g} q0", *(f"{value:.4f}" for value in exact(boundary, multiple * Q0, horizons))]
        for name, boundary in made.items()
        for multiple in MULTIPLES
    ]
    table(f"False pass, exact, p0 {PARITY}, alpha {ALPHA}", ["method", "true rate", *(f"{h:,} units" for h in horizons)], rows)

    rows = [
        [name, f"{multiple:g} q0", f"{simulated(boundary[boundary <= 100_000], multiple * Q0, 100_000, runs, rng):.4f}"]
        for name, boundary in made.items()
        for multiple in MULTIPLES
    ]
    table(f"The same simulated, {runs:,} runs", ["method", "true rate", "100,000 units"], rows)

    tries, requests = (300 if quick else 3_000), 100_000
    rows = []
    for mean in (1, 3, 10, 30):
        every = bursts(made["mixture"], mean, requests, tries, rng, per_burst=False)
        units = bursts(made["mixture"], mean, requests * mean, tries, rng, per_burst=True)
        rows.append([str(mean), f"{every:.1%}", f"{units:.1%}"])
    names = ["mean burst", f"{requests:,} requests, all counted", f"{requests:,} bursts, a unit each: the gate"]
    table(f"False pass at 1.05 q0, bursts all right or all wrong, {tries} runs", names, rows)

    tries, rows = (100 if quick else 500), []
    for causes in (50, 300, 2_000):
        rates = 1.0 / np.arange(1, causes + 1)
        rates *= 0.01 / rates.sum()
        rest = sum(rejudged(rates, rng) for _ in range(tries)) / tries
        cells = [f"{causes:,}", f"100 %, {rest:.2%}"]
        for spend in (False, True):
            ends = [campaign(rates, spend, rng) for _ in range(tries)]
            cells.append(f"{sum(bad for bad, _ in ends) / tries:.1%}, {sum(n for _, n in ends) / tries:,.0f} units")
        rows.append(cells)
    title = f"Fix and retry, 1 % wrong over causes of Zipf's rates, {tries} campaigns: share that ends at q0 or more"
    table(title, ["causes", "judged anew (always; rate left)", "evidence anew, alpha each", "alpha/(j(j+1)): the gate"], rows)


if __name__ == "__main__":
    main()
