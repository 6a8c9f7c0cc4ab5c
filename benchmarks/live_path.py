"""The live path, side by side in one run: nginx as the floor, stock mitmdump, ours without and with mirroring, and a bad candidate.

    python -m benchmarks.live_path [--rounds 3] [--seconds 4] [--markdown]

Rounds are interleaved, and what is printed are medians of the rounds' ratios: these machines are noisy, single figures mean little.
CPU microseconds a request are those of the proxy under test alone (of ours: of its worker).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from benchmarks.live_stage import SIZES, Ours, Saturated, Stage, cpu_seconds, resident_bytes, saturate, staged
from benchmarks.steady_load import Latencies, steady_load

RATE = 200.0
FAULTS = ("dead", "slow", "hanging", "resetting")


def median(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)


def throughput(stage: Stage, ours: Ours, rounds: int, seconds: float) -> list[list[str]]:
    """Requests a second and CPU a request, each proxy alone on its core."""
    rows = []
    for size, file in SIZES.items():
        runs: dict[str, list[Saturated]] = {
            "nginx": [],
            "stock mitmdump": [],
            "ours, mirroring off": [],
            "ours, mirroring on": [],
        }
        for _ in range(rounds):
            runs["nginx"].append(saturate(stage.floor, file, stage.floor_pids, seconds))
            runs["stock mitmdump"].append(saturate(stage.stock, file, stage.stock_pids, seconds))
            for name, on in (("ours, mirroring off", False), ("ours, mirroring on", True)):
                ours.mirror(on)
                runs[name].append(saturate(ours.port, file, ours.workers, seconds))
        stock, off = runs["stock mitmdump"], runs["ours, mirroring off"]
        for name, found in runs.items():
            against_stock = median(a.rate / b.rate for a, b in zip(found, stock, strict=True))
            against_off = median(a.rate / b.rate for a, b in zip(found, off, strict=True))
            figures = [
                f"{median(r.rate for r in found):,.0f}",
                f"{median(r.cpu_us for r in found):,.0f}",
                f"{against_stock:.2f} x",
            ]
            rows.append([size, name, *figures, f"{(against_off - 1) * 100:+.1f} %" if name == "ours, mirroring on" else ""])
    return rows


def steady(stage: Stage, ours: Ours, rounds: int, seconds: float) -> list[list[str]]:
    """Latencies at a rate that every proxy here can serve."""
    runs: dict[str, list[Latencies]] = {"stock mitmdump": [], "ours, mirroring off": [], "ours, mirroring on": []}
    for _ in range(rounds):
        runs["stock mitmdump"].append(asyncio.run(steady_load(stage.stock, "/1k.json", RATE, seconds)))
        for name, on in (("ours, mirroring off", False), ("ours, mirroring on", True)):
            ours.mirror(on)
            runs[name].append(asyncio.run(steady_load(ours.port, "/1k.json", RATE, seconds)))
    return [[name, *_latencies(found, runs["ours, mirroring off"])] for name, found in runs.items()]


def faults(stage: Stage, ours: Ours, rounds: int, seconds: float) -> list[list[str]]:
    """The live side while the candidate is healthy, and while it is not."""
    ours.mirror(True)
    modes = ("healthy", *FAULTS)
    calm: dict[str, list[Latencies]] = {mode: [] for mode in modes}
    full: dict[str, list[Saturated]] = {mode: [] for mode in modes}
    for _ in range(rounds):
        for mode in modes:
            stage.switch(mode)
            calm[mode].append(asyncio.run(steady_load(ours.port, "/1k.json", RATE, seconds)))
            full[mode].append(saturate(ours.port, "1k.json", ours.workers, seconds))
    stage.switch("healthy")
    rows = []
    for mode in modes:
        ratio = median(a.rate / b.rate for a, b in zip(full[mode], full["healthy"], strict=True))
        failed = sum(latencies.failed for latencies in calm[mode])
        rows.append([mode, *_latencies(calm[mode], calm["healthy"]), f"{(ratio - 1) * 100:+.1f} %", str(failed)])
    return rows


def workers(stage: Stage, rounds: int, seconds: float) -> list[list[str]]:
    """Two workers against one. Load and backend take their share of the same two cores, so that share is accounted for."""
    rows = []
    rates: dict[int, list[float]] = {1: [], 2: []}
    free: dict[int, list[float]] = {1: [], 2: []}
    with stage.ours(1, stage.cores) as one, stage.ours(2, stage.cores) as two:
        for _ in range(rounds):
            for count, ours in ((1, one), (2, two)):
                ours.mirror(False)
                before = cpu_seconds(ours.workers)
                run = saturate(ours.port, "1k.json", ours.workers, seconds, connections=64)
                rates[count].append(run.rate)
                free[count].append((cpu_seconds(ours.workers) - before) / seconds)
    for count in rates:
        gained = median(a / b for a, b in zip(rates[count], rates[1], strict=True))
        # What a core of its own for each worker would give: requests per second of the workers' own CPU time, times their number.
        alone = [rate / used for rate, used in zip(rates[count], free[count], strict=True)]
        scaled = median(
            count * a / b for a, b in zip(alone, [r / u for r, u in zip(rates[1], free[1], strict=True)], strict=True)
        )
        figures = [f"{median(rates[count]):,.0f}", f"{median(free[count]):.2f}", f"{gained:.2f} x", f"{scaled:.2f} x"]
        rows.append([str(count), *figures])
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
    parser.add_argument("--only", choices=("throughput", "steady", "faults", "workers", "memory"))
    given = parser.parse_args()
    rounds, seconds = given.rounds, given.seconds
    print(f"Python {sys.version.split()[0]}, mitmproxy {version('mitmproxy')}, {rounds} rounds of {seconds:g} s")
    with tempfile.TemporaryDirectory(prefix="pg-bench-") as folder, staged(Path(folder)) as stage:
        with stage.ours() as ours:
            if given.only in (None, "throughput"):
                head = ["answer", "proxy", "requests/s", "CPU us", "against stock", "on against off"]
                show("At saturation, 16 connections, one core", head, throughput(stage, ours, rounds, seconds))
            if given.only in (None, "steady"):
                head = ["proxy", "p50", "against off", "p99", "against off"]
                show(f"At {RATE:g} requests/s", head, steady(stage, ours, rounds, seconds))
            if given.only in (None, "faults"):
                head = ["candidate", "p50", "against healthy", "p99", "against healthy", "at saturation", "failed"]
                show(f"Mirroring to a bad candidate, {RATE:g} requests/s", head, faults(stage, ours, rounds, seconds))
            if given.only in (None, "memory"):
                show("Memory of the worker", ["requests", "resident", "since 20,000"], memory(ours, given.requests))
        if given.only in (None, "workers"):
            head = ["workers", "requests/s", "cores used", "against one", "with cores of their own"]
            show("Workers on two cores that they share with load and backend", head, workers(stage, rounds, seconds))


if __name__ == "__main__":
    main()
