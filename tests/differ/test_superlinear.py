"""What costs more than its size: every pair ends within seconds of CPU time, or is refused, and doubling it at most doubles it.

The quick tests bound visited nodes through `limits.nodes`; the soak measures CPU time and memory of full sizes, each in a process
of its own. PARITYGATE_CPU_SECONDS moves the bound for a slow machine.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.differ import costly_documents, costly_lists, costly_messages
from tests.differ.costly import Sized, judged_pair

GROWTH = 3.5
"""How much more a pair of double size may cost; what is over two is the noise of a shared machine."""
CASES: dict[str, Sized] = {**costly_lists.CASES, **costly_documents.CASES, **costly_messages.CASES}
SECONDS = float(os.environ.get("PARITYGATE_CPU_SECONDS", "3.0"))
"""For whatever we could think of; what was promised in so many words is in PROMISED and ends within a third of it."""
PROMISED = (
    *(f"bits {kind}, {rules}" for kind in ("random", "longer", "shifted", "zeros") for rules in ("plain", "unordered")),
    *(f"objects {kind}, {rules}" for kind in ("reordered", "20 % changed") for rules in ("plain", "keyed", "unordered")),
    *(f"ints {kind}, {rules} at 10^5" for kind in ("disjoint", "reversed", "shuffled") for rules in ("plain", "unordered")),
    *("depth 100,000", "depth 100,000 in objects", "bomb gzip", "bomb deflate", "bomb br", "bomb zstd", "bomb gzip in gzip"),
)
MEGABYTES = 600
"""Memory that one comparison of two bodies may take over what they hold themselves; parsed JSON is up to 40 times its text."""
KINDS = ("bits", "ints", "words", "moments reversed", "objects", "keyless")
ELEMENTS = sorted(name for name in costly_lists.CASES if name.startswith(KINDS) and not name.endswith("10^5"))


def test_what_was_promised_is_among_the_cases() -> None:
    assert [name for name in PROMISED if name not in CASES] == []


@pytest.mark.parametrize("name", CASES)
def test_small_ones_end_in_a_verdict(name: str) -> None:
    build, size = CASES[name]

    assert judged_pair(build(size // 2 if size < 200 else max(20, size // 500))).verdict


@pytest.mark.parametrize("name", ELEMENTS)
def test_lists_cost_a_bounded_number_of_nodes_for_each_element(name: str) -> None:
    """200 units of the budget for each element are enough at every size, so the work is linear in it."""
    build, _ = CASES[name]

    for size in (500, 1_000, 2_000):
        pair = build(size)._replace(settings={"limits": {"nodes": 200 * 2 * size}})
        assert judged_pair(pair).verdict.value != "inconclusive", size


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CASES)
def test_full_sizes_end_within_a_second(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.differ.test_superlinear import measure; measure({name!r})"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    spent, half, megabytes, verdict, reason = json.loads(done.stdout)

    assert spent < (SECONDS / 3 if name in PROMISED else SECONDS), (spent, verdict, reason)
    assert megabytes < MEGABYTES, (megabytes, verdict)
    assert spent < max(0.2, half * GROWTH) or CASES[name][1] < 1_000, (half, spent, verdict)


def measure(name: str) -> None:
    """Judges one pair of half and one of full size; prints CPU seconds of both, megabytes, verdict and reason.

    Killed after a minute of CPU.
    """
    build, size = CASES[name]
    smaller, pair = build(size // 2), build(size)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 60,) * 2)
    begun = time.process_time()
    judged_pair(smaller)
    half = time.process_time() - begun
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    judgement = judged_pair(pair)
    spent = time.process_time() - begun
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(
        json.dumps([round(spent, 3), round(half, 3), (after - before) >> 10, judgement.verdict.value, judgement.reason])
    )
