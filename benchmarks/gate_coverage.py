"""Is the bound of the unseen traffic ever below the truth? Kinds of requests by Zipf's law, looked at again and again.

    python -m benchmarks.gate_coverage [--quick]

gate.discovery beside Good-Turing's estimate, Esty's 95 % interval and Clopper-Pearson's bound on the number of kinds seen once. At
eight looks between 500 and 100,000 requests each bound is held against the true mass of the kinds that were not seen.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from benchmarks.figures import table
from gate.discovery import is_covered, unseen_upper

MASS, DELTA = 0.005, 0.05
LOOKS = (500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
SHAPES = ((50, 1.2), (500, 1.2), (500, 2.0), (5_000, 1.1), (5_000, 1.5))
PRINTED = (5_000, 20_000, 100_000)


def esty(once: int, twice: int, n: int) -> float:
    """Good-Turing's estimate and 1.645 of its standard errors (Esty 1983)."""
    return once / n + 1.645 * math.sqrt(once * (1 - once / n) + 2 * twice) / n


def clopper_pearson(k: int, n: int) -> float:
    """The one-sided 95 % bound of a rate with k of n, as if it were looked at once."""
    steps = np.arange(k)
    ratios = np.concatenate(([0.0], np.cumsum(np.log((n - steps) / (steps + 1)))))
    counts = np.arange(k + 1)
    low, high = k / n, 1.0
    for _ in range(40):
        rate = (low + high) / 2
        logs = ratios + counts * math.log(rate) + (n - counts) * math.log1p(-rate)
        low, high = (rate, high) if np.exp(logs).sum() > DELTA else (low, rate)
    return high


def one_run(kinds: int, exponent: float, rng: np.random.Generator) -> list[tuple[float, float, float, float, float, bool]]:
    """For each look: true unseen mass, Good-Turing, the gate's bound, Esty's, Clopper-Pearson's, and whether the gate says covered."""
    shares = 1.0 / np.arange(1, kinds + 1) ** exponent
    shares /= shares.sum()
    drawn = np.minimum(np.searchsorted(np.cumsum(shares), rng.random(LOOKS[-1])), kinds - 1)
    discovered = np.sort(np.unique(drawn, return_index=True)[1]) + 1
    rows = []
    for n in LOOKS:
        counts = np.bincount(drawn[:n], minlength=kinds)
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        found = tuple(int(at) for at in discovered[discovered <= n])
        upper = unseen_upper(found, n, MASS, DELTA)
        covered = is_covered(found, n, MASS, DELTA)
        truth = float(shares[counts == 0].sum())
        rows.append((truth, once / n, upper, esty(once, twice, n), clopper_pearson(once, n), covered))
    return rows


def needed(mass: float, known: int = 200) -> int:
    """Requests until it is covered, when no new shape comes after the 200th. All came in a burst, at its end."""
    found = tuple(range(1, known + 1))
    low, high = known, known * 2
    while not is_covered(found, high, mass, DELTA):
        low, high = high, high * 2
    # E is not monotone where a restart begins, so the first look that passes is searched one by one.
    return next(n for n in range(low, high + 1) if is_covered(found, n, mass, DELTA))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    runs = 20 if parser.parse_args().quick else 250
    rng = np.random.default_rng(20_261_122)

    rows, misses, claims, wrong = [], [], 0, 0
    for kinds, exponent in SHAPES:
        found = np.array([one_run(kinds, exponent, rng) for _ in range(runs)])
        for n in PRINTED:
            means = found[:, LOOKS.index(n), :5].mean(axis=0)
            rows.append([f"{kinds:,}, {exponent}", f"{n:,}", *(f"{value:.4f}" for value in means)])
        below = [(found[:, :, bound] < found[:, :, 0]).any(axis=1).mean() for bound in (2, 3, 4)]
        misses.append([f"{kinds:,}, {exponent}", *(f"{share:.1%}" for share in below)])
        claimed = found[:, :, 5] == 1.0
        claims += int(claimed.sum())
        wrong += int((claimed & (found[:, :, 0] >= MASS)).sum())
    names = ["kinds, exponent", "requests", "true unseen", "Good-Turing", "the gate's bound", "Esty", "Clopper-Pearson"]
    table(f"Mean 95 % bounds of the unseen mass, m0 = {MASS:.1%}, {runs} runs", names, rows)
    names = ["kinds, exponent", "the gate's bound", "Esty", "Clopper-Pearson"]
    table(f"Runs in which a bound lay below the truth at any of {len(LOOKS)} looks", names, misses)
    print(f"\n'less than {MASS:.1%} unseen' was said at {claims:,} looks, wrongly at {wrong:,}")

    rows = [[f"{mass:.1%}", f"{needed(mass):,}"] for mass in (0.02, 0.01, 0.005, 0.001)]
    table("Requests until it is said, all kinds within the first 200", ["unseen", "requests"], rows)


if __name__ == "__main__":
    main()
