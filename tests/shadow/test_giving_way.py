"""The mirror's process stands back behind the live path's."""

from __future__ import annotations

import subprocess
import sys

SHOWN = """
import os
from pathlib import Path
from shadow.giving_way import give_way

give_way()
give_way()
print(os.nice(0), Path("/proc/self/oom_score_adj").read_text())
"""


def test_it_lowers_its_claim_to_processor_and_memory_once() -> None:
    """[F-25] The kernel ends the mirror before the proxy, and runs the proxy before the mirror."""
    out = subprocess.run([sys.executable, "-P", "-c", SHOWN], capture_output=True, text=True, check=True).stdout.split()
    before = subprocess.run([sys.executable, "-c", "import os; print(os.nice(0))"], capture_output=True, text=True, check=True)
    assert int(out[0]) == max(10, int(before.stdout))
    assert int(out[1]) >= 500
