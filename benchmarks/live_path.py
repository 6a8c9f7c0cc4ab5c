"""The live path, side by side in one run: nginx as the floor, stock mitmdump, ours without and with mirroring, and a bad candidate.

    python -m benchmarks.live_path [--rounds 3] [--seconds 4]

Rounds are interleaved, and what is printed are medians of the rounds' ratios: these machines are noisy, single figures mean little.
CPU microseconds a request are those of the proxy under test alone (of ours: of its worker).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks.live_stage import SIZES, Ours, Saturated, Stage, cpu_seconds, resident_bytes, saturate, staged
from benchmarks.steady_load import Latencies, steady_load
from benchmarks.switched import median_ratio, under_load

RATE = 200.0
FAULTS = ("dead", "slow", "hanging", "resetting")


def median(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)


def throughput(stage: Stage, ours: Ours, rounds: int, seconds: float) -> list[list[str]]:
    """Requests a second and CPU a request, each proxy alone on its core."""
    rows = []
    ours.mirror(True)
    for size, file in SIZES.items():
        runs: dict[str, list[Saturated]] = {"nginx": [], "stock mitmdump": [], "ours, mirroring on": []}
        for _ in range(rounds):
            runs["nginx"].append(saturate(stage.floor, file, stage.floor_pids, seconds))
            runs["stock mitmdump"].append(saturate(stage.stock, file, stage.stock_pids, seconds))
            runs["ours, mirroring on"].append(saturate(ours.port, file, ours.workers, seconds))
        for name, found in runs.items():
            against = median(a.rate / b.rate for a, b in zip(found, runs["stock mitmdump"], strict=True))
            rate, cpu = median(r.rate for r in found), median(r.cpu_us for r in found)
            rows.append([size, name, f"{rate:,.0f}", f"{cpu:,.0f}", f"{against:.2f} x"])
    return rows


def mirroring(ours: Ours, rounds: int) -> list[list[str]]:
    """What mirroring costs the saturated worker: the same process, switched to and fro."""
    rows = []
    for size, file in SIZES.items():
        states = (lambda: ours.mirror(False), lambda: ours.mirror(True))
        seen, dropped = ours.seen(), ours.dropped()
        (found,) = under_load(ours, file, states, 20 * rounds, 0.3)
        # About half of the requests came while it was on.
        copied = 1 - (ours.dropped() - dropped) / ((ours.seen() - seen) / 2)
        rows.append([size, f"{found.base_cpu_us:,.0f}", str(found.cpu), str(found.rate), f"{copied:.0%}"])
    return rows


def steady(stage: Stage, ours: Ours, rounds: int, seconds: float) -> list[list[str]]:
    """Latencies at a rate that every proxy here can serve."""
    runs: dict[str, list[Latencies]] = {
        name: [] for name in ("nginx", "stock mitmdump", "ours, mirroring off", "ours, mirroring on")
    }
    for _ in range(rounds * 2):
        runs["nginx"].append(steady_load(stage.floor, "1k.json", RATE, seconds))
        runs["stock mitmdump"].append(steady_load(stage.stock, "1k.json", RATE, seconds))
        for name, on in (("ours, mirroring off", False), ("ours, mirroring on", True)):
            ours.mirror(on)
            runs[name].append(steady_load(ours.port, "1k.json", RATE, seconds))
    return [[name, *_latencies(found, runs["ours, mirroring off"])] for name, found in runs.items()]


def faults(stage: Stage, ours: Ours, rounds: int, seconds: float) -> list[list[str]]:
    """The live side while the candidate is healthy, and while it is not."""
    ours.mirror(True)
    modes = ("healthy", *FAULTS)
    calm: dict[str, list[Latencies]] = {mode: [] for mode in modes}
    for _ in range(rounds * 2):
        for mode in modes:
            stage.switch(mode)
            calm[mode].append(steady_load(ours.port, "1k.json", RATE, seconds))
    full = under_load(ours, "1k.json", [partial(stage.switch, mode) for mode in modes], 8 * rounds, 0.5)
    stage.switch("healthy")
    rates = ["", *(str(switched.rate) for switched in full)]
    return [
        [mode, *_latencies(calm[mode], calm["healthy"]), rate, str(sum(latencies.failed for latencies in calm[mode]))]
        for mode, rate in zip(modes, rates, strict=True)
    ]


def workers(stage: Stage, rounds: int, seconds: float) -> list[list[str]]:
    """Two workers against one. Load and backend take their share of the same two cores, so that share is accounted for."""
    runs: dict[int, list[tuple[float, float, float]]] = {1: [], 2: []}
    with stage.ours(1, stage.cores) as one, stage.ours(2, stage.cores) as two:
        for _ in range(rounds * 2):
            for count, ours in ((1, one), (2, two)):
                ours.mirror(False)
                mine, whole = cpu_seconds(ours.workers), time.monotonic()
                run = saturate(ours.port, "1k.json", ours.workers, seconds, connections=64)
                whole = time.monotonic() - whole
                runs[count].append((run.rate, (cpu_seconds(ours.workers) - mine) / whole, run.cpu_us))
    rows = []
    for count, found in runs.items():
        pairs = list(zip(found, runs[1], strict=True))
        gained = median_ratio([a[0] / b[0] for a, b in pairs])
        # What a core of its own for each worker would give: as many requests as their CPU time for one allows.
        alone = median_ratio([count * b[2] / a[2] for a, b in pairs])
        figures = [
            f"{median(f[0] for f in found):,.0f}",
            f"{median(f[1] for f in found):.2f}",
            f"{median(f[2] for f in found):,.0f}",
        ]
        rows.append([str(count), *figures, f"{gained.median:.2f} x", f"{alone.median:.2f} x"])
    return rows


def memory(ours: Ours, requests: int) -> list[list[str]]:
    """Resident memory of the worker as requests go by, mirroring on."""
    ours.mirror(True)
    rows, done = [], 0
    pid = ours.workers[0]
    first = 0
    while done < requests:
        run = saturate(ours.port, "1k.json", [pid], 3.0)
        done += int(run.rate * 3)
        now = resident_bytes(pid)
        if not first and done >= 20_000:
            first = now
        rows.append([f"{done:,}", f"{now / 2**20:.1f} MiB", f"{(now / first - 1) * 100:+.1f} %" if first else ""])
    return rows[:1] + rows[len(rows) // 2 : len(rows) // 2 + 1] + rows[-1:]


def _latencies(found: list[Latencies], base: list[Latencies]) -> list[str]:
    cells = []
    for share in (0.5, 0.99):
        ratio = median(a.at(share) / b.at(share) for a, b in zip(found, base, strict=True))
        cells += [f"{median(latencies.at(share) for latencies in found):.2f} ms", f"{(ratio - 1) * 100:+.0f} %"]
    return cells


def show(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Prints a table that is Markdown and can be read as it is."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    print(f"\n{title}\n")
    for row in (head, ["-" * width for width in widths], *rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
    sys.stdout.flush()


def main() -> None:
    """Runs everything and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--requests", type=int, default=200_000, help="for the memory figure")
    parser.add_argument("--only", choices=("throughput", "mirroring", "steady", "faults", "workers", "memory"))
    given = parser.parse_args()
    rounds, seconds = given.rounds, given.seconds
    print(f"Python {sys.version.split()[0]}, mitmproxy {version('mitmproxy')}, {rounds} rounds of {seconds:g} s")
    with tempfile.TemporaryDirectory(prefix="pg-bench-") as folder, staged(Path(folder)) as stage:
        with stage.ours() as ours:
            if given.only in (None, "throughput"):
                head = ["answer", "proxy", "requests/s", "CPU us", "against stock"]
                show("At saturation, 16 connections, one core", head, throughput(stage, ours, rounds, seconds))
            if given.only in (None, "mirroring"):
                head = ["answer", "CPU us, mirroring off", "CPU with it on", "requests/s with it on", "handed over"]
                show("Mirroring on against off, the same saturated worker", head, mirroring(ours, rounds))
            if given.only in (None, "steady"):
                head = ["proxy", "p50", "against off", "p99", "against off"]
                show(f"At {RATE:g} requests/s", head, steady(stage, ours, rounds, seconds))
            if given.only in (None, "faults"):
                head = ["candidate", "p50", "against healthy", "p99", "against healthy", "at saturation", "failed"]
                show(f"Mirroring to a bad candidate, {RATE:g} requests/s", head, faults(stage, ours, rounds, seconds))
            if given.only in (None, "memory"):
                show("Memory of the worker", ["requests", "resident", "since 20,000"], memory(ours, given.requests))
        if given.only in (None, "workers"):
            head = ["workers", "requests/s", "cores used", "CPU us", "against one", "with cores of their own"]
            show("Workers on two cores that they share with load and backend", head, workers(stage, rounds, seconds))


if __name__ == "__main__":
    main()
