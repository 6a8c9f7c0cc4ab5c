"""What a switch costs the saturated worker: under one unbroken load it is turned to and fro, and neighbouring moments are compared.

These machines change their speed by a fifth within seconds, so runs that follow one another say little about a few per cent. Here
the two states alternate several times a second, and what is given is the median of the ratios of neighbours, with the range in
which that median lies (the order statistics of a binomial at 95 %, no assumption about the noise).
"""

from __future__ import annotations

import math
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.live_stage import Ours, cpu_seconds, load_command

SETTLE_S = 0.1
"""After a switch, before anything is counted: what was under way belongs to the state before."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A median ratio and the range that holds the true one with 95 % confidence."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{(self.median - 1) * 100:+.1f} % ({(self.low - 1) * 100:+.1f} to {(self.high - 1) * 100:+.1f})"


@dataclass(frozen=True, slots=True)
class Switched:
    """`state` against `base`: requests a second, and CPU seconds of the workers per request."""

    rate: Ratio
    cpu: Ratio
    base_cpu_us: float


@dataclass(frozen=True, slots=True)
class _Moment:
    rate: float
    cpu: float


def under_load(ours: Ours, file: str, states: Sequence[Callable[[], None]], turns: int, seconds: float) -> list[Switched]:
    """Each of `states` but the first against the first, over `turns` turns through all, `seconds` for a state."""
    length = (seconds + SETTLE_S + 0.2) * turns * len(states) + 3
    moments: list[list[_Moment]] = []
    command = load_command(ours.port, file, length, core=0, connections=16)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
        try:
            time.sleep(1.0)
            for turn in range(turns):
                found: dict[int, _Moment] = {}
                for at in range(len(states)) if turn % 2 else reversed(range(len(states))):
                    states[at]()
                    time.sleep(SETTLE_S)
                    found[at] = _measured(ours, seconds)
                moments.append([found[at] for at in range(len(states))])
            if load.poll() is not None:
                raise SystemExit("the load ended before the measurement did")
        finally:
            load.terminate()
    base_us = statistics.median(turn[0].cpu for turn in moments) * 1e6
    return [
        Switched(
            median_ratio([turn[at].rate / turn[0].rate for turn in moments]),
            median_ratio([turn[at].cpu / turn[0].cpu for turn in moments]),
            base_us,
        )
        for at in range(1, len(states))
    ]


def _measured(ours: Ours, seconds: float) -> _Moment:
    seen, cpu, begin = ours.seen(), cpu_seconds(ours.workers), time.monotonic()
    time.sleep(seconds)
    served, spent, took = ours.seen() - seen, cpu_seconds(ours.workers) - cpu, time.monotonic() - begin
    return _Moment(served / took, spent / served)


def median_ratio(ratios: Sequence[float]) -> Ratio:
    """The median with its distribution-free 95 % interval (David and Nagaraja, Order Statistics, 7.1)."""
    ordered = sorted(ratios)
    n = len(ordered)
    tail, rank = 0.0, 0
    while rank < n // 2 and (tail := tail + math.comb(n, rank) / 2**n) <= 0.025:
        rank += 1
    low = max(0, rank - 1)
    return Ratio(ordered[n // 2], ordered[low], ordered[n - 1 - low])
