"""How soon does the roll-back detector hear a regression, and how often does it cry wolf? Beside what is used instead.

    python -m benchmarks.gate_detection [--quick]

p0 = .999; before the change the true mismatch rate is q0/10. Drives gate.detector itself, mismatch by mismatch: on a match no M rises
that is anywhere near the threshold. The neighbours: 6 mismatches in the last 2,000 (a 95 % bound that is looked at all the time), and the
cumulative evidence of the promotion, after 100,000 comparisons.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from benchmarks.figures import table
from gate.detector import Detector, alarm_threshold
from gate.parity import parity_verdict

PARITY, ALPHA = 0.999, 0.05
Q0 = 1.0 - PARITY
BEFORE = Q0 / 10
RAISED = (1.0, 0.2, 0.05, 0.01, 0.003)
Hearing = Callable[[int, bool], bool]
"""Takes in so many matches and, where asked, one mismatch; says whether it alarms."""


def e_sr(threshold: float) -> Hearing:
    """The gate's detector."""
    detector = Detector.start(Q0)

    def hear(matches: int, mismatch: bool) -> bool:
        nonlocal detector
        detector = detector.matched(matches)
        if mismatch:
            detector = detector.update(True)
        return detector.alarm(threshold)

    return hear


def window(limit: int = 6, length: int = 2_000) -> Hearing:
    """So many mismatches in the last so many comparisons."""
    at = 0
    heard: list[int] = []

    def hear(matches: int, mismatch: bool) -> bool:
        nonlocal at
        at += matches
        if not mismatch:
            return False
        at += 1
        heard.append(at)
        while heard[0] <= at - length:
            heard.pop(0)
        return len(heard) >= limit

    return hear


def pass_lost() -> Hearing:
    """The promotion's own evidence is no pass any more."""
    n = k = 0

    def hear(matches: int, mismatch: bool) -> bool:
        nonlocal n, k
        n, k = n + matches + mismatch, k + mismatch
        return mismatch and n > 50_000 and parity_verdict(k, n, PARITY, ALPHA) != "pass"

    return hear


def fail_proven() -> Hearing:
    """The promotion's own evidence has become a proof of the contrary."""
    n = k = 0

    def hear(matches: int, mismatch: bool) -> bool:
        nonlocal n, k
        n, k = n + matches + mismatch, k + mismatch
        return mismatch and parity_verdict(k, n, PARITY, ALPHA) == "fail"

    return hear


def run_for(hear: Hearing, q: float, most: int, rng: np.random.Generator) -> int | None:
    """Comparisons at the rate q until it alarms, None if it does not within `most`."""
    at = 0
    while True:
        for gap in rng.geometric(q, size=64):
            if at + int(gap) > most:
                hear(most - at, False)
                return None
            at += int(gap)
            if hear(int(gap) - 1, True):
                return at


def delay(make: Callable[[], Hearing], warm: int, q1: float, rng: np.random.Generator) -> int:
    """Comparisons from the change on. Runs that alarm before it are begun anew."""
    while True:
        hear = make()
        if run_for(hear, BEFORE, warm, rng) is None:
            found = run_for(hear, q1, 10**9, rng)
            assert found is not None
            return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    quick = parser.parse_args().quick
    rng = np.random.default_rng(20_261_122)
    threshold = alarm_threshold(0)

    detectors: dict[str, tuple[Callable[[], Hearing], int, int]] = {
        "e-SR, A = 1e6: the gate": (lambda: e_sr(threshold), 4_000, 200 if quick else 4_000),
        "e-SR, A = 1e8": (lambda: e_sr(1e8), 4_000, 100 if quick else 2_000),
        "6 in the last 2,000": (window, 4_000, 200 if quick else 2_000),
        "cumulative: pass lost": (pass_lost, 100_000, 30 if quick else 200),
        "cumulative: fail proven": (fail_proven, 100_000, 30 if quick else 200),
    }
    rows = []
    for name, (make, warm, runs) in detectors.items():
        cells = []
        for q1 in RAISED:
            delays = np.array([delay(make, warm, q1, rng) for _ in range(runs)])
            cells.append(f"{delays.mean():,.0f} / {np.quantile(delays, 0.95):,.0f}")
        rows.append([name, f"{warm:,}", f"{runs:,}", *cells])
    names = ["detector", "comparisons before", "runs", *(f"{q1:.2g}" for q1 in RAISED)]
    table("Comparisons from a change to this rate until the alarm, mean / 95 % quantile", names, rows)

    most, rows = 5_000_000, []
    for name, make in (("e-SR, A = 1e6: the gate", lambda: e_sr(threshold)), ("6 in the last 2,000", window)):
        for rate, label in ((Q0 / 4, "q0/4"), (Q0, "q0")):
            runs = 20 if quick else 60
            alarms = [run_for(make(), rate, most, rng) for _ in range(runs)]
            heard = [at for at in alarms if at is not None]
            mean = sum(most if at is None else at for at in alarms) / runs
            rows.append([name, label, f"{len(heard)} of {runs}", f"{'>' if len(heard) < runs else ''}{mean:,.0f}"])
    table(f"False alarms in {most:,} comparisons", ["detector", "true rate", "runs with one", "mean until it, cut there"], rows)


if __name__ == "__main__":
    main()
