"""A steady load by `h2load`, a client written in C: what it costs itself is little beside what it measures."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Latencies:
    """What a run gave: times in milliseconds, sorted, and how many requests had no complete 200."""

    times: list[float]
    failed: int

    def at(self, share: float) -> float:
        """The time that `share` of the requests did not exceed, in milliseconds."""
        return self.times[min(len(self.times) - 1, int(share * len(self.times)))] if self.times else float("nan")


def steady_load(port: int, file: str, rate: float, seconds: float, core: int = 0, connections: int = 16) -> Latencies:
    """Asks `rate` times a second for `seconds`, over `connections` keep-alive connections in turn; it stays on `core`."""
    with tempfile.TemporaryDirectory(prefix="pg-bench-") as folder:
        log = Path(folder) / "times.tsv"
        # Connections begin one after the other, so that their requests do not come in bursts.
        pace = [f"--rps={rate / connections:g}", f"--clients={connections}", "--rate=1", f"--rate-period={1000 / rate:g}ms"]
        command = [
            "taskset",
            "-c",
            str(core),
            "h2load",
            "--h1",
            "--threads=1",
            *pace,
            f"--requests={round(rate * seconds)}",
            f"--log-file={log}",
            f"http://127.0.0.1:{port}/{file}",
        ]
        subprocess.run(command, capture_output=True, check=True, timeout=seconds + 60)
        rows = [line.split("\t") for line in log.read_text().splitlines()]
    return Latencies(sorted(int(row[2]) / 1000 for row in rows), sum(row[1] != "200" for row in rows))
