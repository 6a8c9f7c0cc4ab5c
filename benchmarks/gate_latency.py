"""When does the gate say that the candidate is fast enough, and how often wrongly? Beside comparing quantiles.

    python -m benchmarks.gate_latency [--quick]

Pairs of lognormal latencies: half of the spread is the request's, which both sides share; 1 % of either side's take five times as long.
Thresholds and verdicts are gate.latency's. `At the margin` the candidate's own quantile is exactly as much slower as is allowed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from benchmarks.figures import table
from gate.latency import latency_verdict, thresholds
from gate.overrides import policy_for
from gate.policy import Margin

POLICY = policy_for("default", 0.999, 0.05, {})
MEDIAN_MS, SHARED, OWN, TAIL, TIMES = 100.0, 0.5, 0.35, 0.01, 5.0
Sides = tuple[np.ndarray, np.ndarray]


def pairs(count: int, slower: float, rng: np.random.Generator) -> Sides:
    """Latencies of both sides in milliseconds; the candidate's are `slower` times as long."""
    request = rng.normal(0.0, SHARED, count)
    sides = []
    for scale in (1.0, slower):
        tail = np.where(rng.random(count) < TAIL, TIMES, 1.0)
        sides.append(scale * MEDIAN_MS * np.exp(request + rng.normal(0.0, OWN, count)) * tail)
    return sides[0], sides[1]


def boundary(alpha: float, most: int) -> np.ndarray:
    """For each number of one-sided pairs, from 0, how many must be the primary's for a pass; one more where none suffice."""
    found, least = [], 0
    for count in range(most + 1):
        while least <= count and latency_verdict(least, count - least, alpha) != "pass":
            least += 1
        found.append(least)
        least = max(0, least - 1)
    return np.array(found)


def passes_at(sides: Sides, threshold_ms: float, bound_ms: float, needed: np.ndarray) -> int | None:
    """After how many pairs the gate passes, looked at after each; None when it does not."""
    primary, candidate = sides[0] > threshold_ms, sides[1] > bound_ms
    at = np.flatnonzero(primary != candidate)[: len(needed) - 1]
    passed = np.flatnonzero(np.cumsum(primary[at]) >= needed[1 : len(at) + 1])
    return int(at[passed[0]]) + 1 if len(passed) else None


def exact_at_margin(needed: np.ndarray) -> float:
    """P(ever pass) where each one-sided pair is a fair coin, looked at after each."""
    alive, passed = np.ones(1), 0.0
    for count in range(1, len(needed)):
        alive = (np.append(alive, 0.0) + np.append(0.0, alive)) / 2
        passed += float(alive[needed[count] :].sum())
        alive[needed[count] :] = 0.0
    return passed


def naive_passes(sides: Sides, margin: Margin, looks: Sequence[int]) -> bool:
    """Whether at any look the candidate's quantile is within the margin of the primary's."""
    for n in looks:
        rank = int(margin.quantile * n)
        primary, candidate = (float(np.partition(side[:n], rank)[rank]) for side in sides)
        if candidate <= margin.bound_ms(primary):
            return True
    return False


def text_of(found: list[int | None], most: int) -> str:
    """Median and 90 % quantile of the pairs needed."""
    values = np.array([most * 10 if at is None else at for at in found])
    cells = [f"{value:,.0f}" if value <= most else f"> {most:,}" for value in np.quantile(values, [0.5, 0.9], method="lower")]
    return f"{cells[0]} ({cells[1]})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    quick = parser.parse_args().quick
    runs, most = (60 if quick else 2_000), 100_000
    rng = np.random.default_rng(20_261_122)
    needed = boundary(POLICY.latency_alpha, 60_000)
    whole = pairs(4_000_000, 1.0, rng)[0]
    looks = [n for n in (int(500 * 1.15**i) for i in range(60)) if n <= most]

    columns: list[list[str]] = []
    for margin in POLICY.latency:
        threshold = float(np.quantile(whole, margin.quantile))
        bound = margin.bound_ms(threshold)
        cells = [f"{threshold:.0f} -> {bound:.0f}"]
        at_margin = bound / threshold
        for slower in (0.9, 1.0, 1.0 + (at_margin - 1.0) / 2):
            found = [passes_at(pairs(most, slower, rng), threshold, bound, needed) for _ in range(runs)]
            cells.append(text_of(found, most))
        frozen, calibrated, naive = 0, 0, 0
        for run in range(runs):
            sides = pairs(most, at_margin, rng)
            frozen += passes_at(sides, threshold, bound, needed) is not None
            naive += run < runs // 5 and naive_passes(sides, margin, looks)
            sample = pairs(POLICY.latency_calibrate, 1.0, rng)[0]
            line = thresholds(sample.tolist(), [margin])[0]
            calibrated += passes_at(sides, line.threshold_ms, line.bound_ms, needed) is not None
        columns.append([*cells, f"{frozen / runs:.1%}", f"{calibrated / runs:.1%}", f"{naive / (runs // 5):.1%}"])

    labels = ["x -> g(x), ms", "candidate 10 % faster", "equal speed", "half the margin used"]
    labels += ["at the margin, false pass: x known", f"x from {POLICY.latency_calibrate:,} samples"]
    labels += [f"naive: quantiles compared at {len(looks)} looks"]
    names = ["", *(margin.tau for margin in POLICY.latency)]
    rows = [[label, *(column[i] for column in columns)] for i, label in enumerate(labels)]
    title = f"Pairs until a pass, median (90 %), alpha {POLICY.latency_alpha} each; at the margin {most:,} pairs; {runs} runs"
    table(title, names, rows)
    exact = ", ".join(f"{exact_at_margin(needed[: count + 1]):.4f} within {count:,}" for count in (1_000, 3_000, 20_000))
    print(f"\nExact false pass at the margin, in pairs of which one side was slow: {exact}")


if __name__ == "__main__":
    main()
