"""How the differ compares with DeepDiff and with the cost of parsing, side by side in one run.

Run as `python -m benchmarks.differ_against_deepdiff` (about two minutes). It prints ratios of CPU time, medians over interleaved
rounds, beside what is asked for; single times on a shared machine mean little. A pair is judged as the shadow judges it: headers,
body and rules.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import orjson
from deepdiff import DeepDiff

from benchmarks.differ_corpus import CANDIDATE, KINDS, MIX_KINDS, MIX_SIZES, PRIMARY, RULES, SIZES, Pair
from differ.judge import judge
from rules.load import rules_from_case
from rules.model import RuleSet
from traffic.message import Headers, Request, Response

ROUNDS = 9
SLICE = 0.01
"""CPU seconds of one measurement, so that small bodies are judged many times."""
TODAY = date(2026, 1, 1)
ROUTE = "GET /api/items/"
REQUEST = Request("GET", b"/api/items/", ((b"host", b"api.example.com"), (b"accept-encoding", b"gzip")))


@dataclass(frozen=True)
class Costs:
    """CPU seconds of judging, parsing and DeepDiff for one pair; DeepDiff is 0 where it was not asked."""

    ours: float
    parsing: float
    deepdiff: float = 0.0


def rule_set(more: int = 0) -> RuleSet:
    """The four rules of the corpus and `more` others that select nothing in it."""
    others = [{"path": f"$.results[*].field_{n}.value", "action": "ignore"} for n in range(more)]
    return rules_from_case(
        {"rules": [*RULES, *others], "settings": {"bases": {"primary": [PRIMARY], "candidate": [CANDIDATE]}}}
    )


def _headers(server: bytes, second: int, body: bytes) -> Headers:
    return (
        (b"Date", b"Fri, 20 Nov 2026 06:02:%02d GMT" % second),
        (b"Server", server),
        (b"Content-Type", b"application/json"),
        (b"Vary", b"Accept, Cookie"),
        (b"Content-Length", b"%d" % len(body)),
        (b"Cache-Control", b"no-store"),
    )


def judged(pair: Pair, rules: RuleSet) -> Callable[[], object]:
    """What judges a pair once."""
    primary = Response(200, _headers(b"gunicorn", 3, pair[0]), pair[0])
    candidate = Response(200, _headers(b"uvicorn", 4, pair[1]), pair[1])
    return lambda: judge(REQUEST, ROUTE, primary, candidate, rules, TODAY)


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call, from as many calls as fill a slice."""
    calls, begun = 0, time.process_time()
    while True:
        work()
        calls += 1
        spent = time.process_time() - begun
        if spent >= SLICE:
            return spent / calls


def measured(pair: Pair, rules: RuleSet, rounds: int = ROUNDS, *, deepdiff: bool = True) -> list[Costs]:
    """The costs of interleaved rounds."""
    ours = judged(pair, rules)
    ours()  # what is compiled once is not part of a pair's cost
    made = []
    for _ in range(rounds):
        parsing = cpu(lambda: (orjson.loads(pair[0]), orjson.loads(pair[1])))
        mine = cpu(ours)
        deep = cpu(lambda: DeepDiff(orjson.loads(pair[0]), orjson.loads(pair[1]))) if deepdiff else 0.0
        made.append(Costs(mine, parsing, deep))
    return made


def ratio(costs: list[Costs], of: Callable[[Costs], float]) -> float:
    """The median of a ratio over the rounds."""
    return statistics.median(of(cost) for cost in costs)


def _grown(pair: Pair) -> int:
    """Bytes by which this process's peak lies over what it had before it judged the pair."""
    work = judged(pair, rule_set())
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: importing took more than a judgement does
    before = _memory("VmRSS")
    work()
    return _memory("VmHWM") - before


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def peak_memory(pair: Pair) -> float:
    """Growth of a fresh process's memory while it judges the pair, as a multiple of both bodies."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(_grown, pair).result() / (len(pair[0]) + len(pair[1]))


def _line(name: str, got: str, asked: str) -> None:
    print(f"{name:34} {got:46} asked: {asked}", flush=True)


def speed() -> None:
    """The pairs of 20 KiB."""
    four, objects = rule_set(), SIZES["20 KiB"]
    for name, asked in (
        ("identical", "1,000 x DeepDiff"),
        ("one leaf", "100 x DeepDiff, at most 3 x parsing"),
        ("spelled", "30 x DeepDiff, at most 9 x parsing"),
    ):
        costs = measured(KINDS[name](objects), four)
        times = ratio(costs, lambda cost: cost.deepdiff / cost.ours)
        parsing = ratio(costs, lambda cost: cost.ours / cost.parsing)
        _line(f"20 KiB, {name}", f"{times:8,.0f} x DeepDiff {parsing:8.2f} x parsing both", asked)
    for name in ("key order", "ignored", "ten leaves", "reordered", "inserted", "unrelated"):
        costs = measured(KINDS[name](objects), four, 5)
        times = ratio(costs, lambda cost: cost.deepdiff / cost.ours)
        parsing = ratio(costs, lambda cost: cost.ours / cost.parsing)
        _line(f"20 KiB, {name}", f"{times:8,.0f} x DeepDiff {parsing:8.2f} x parsing both", "-")


def many_rules() -> None:
    """400 rules against 4 on the same pair."""
    pair = KINDS["one leaf"](SIZES["20 KiB"])
    few, many = judged(pair, rule_set()), judged(pair, rule_set(396))
    few(), many()
    found = statistics.median(cpu(many) / cpu(few) for _ in range(31))
    _line("400 rules against 4", f"{found:8.2f} x", "at most 1.1 x")


def traffic_mix() -> None:
    """The mix of sizes and kinds, weighted by their shares."""
    four = rule_set()
    totals = dict.fromkeys(("ours", "parsing", "deepdiff"), 0.0)
    for size, share in MIX_SIZES.items():
        for kind, part in MIX_KINDS.items():
            costs = measured(KINDS[kind](SIZES[size]), four, 1 if size == "2 MiB" else 3)
            for name in totals:
                totals[name] += share * part * statistics.median(getattr(cost, name) for cost in costs)
    times, parsing = totals["deepdiff"] / totals["ours"], totals["ours"] / totals["parsing"]
    _line("traffic mix, 1 KiB to 2 MiB", f"{times:8,.0f} x DeepDiff {parsing:8.2f} x parsing both", "100 x DeepDiff")


def memory() -> None:
    """Peak memory of two bodies of 2 MiB."""
    objects = SIZES["2 MiB"]
    for name in ("one leaf", "spelled", "reordered", "unrelated"):
        found = peak_memory(KINDS[name](objects))
        _line(f"2 MiB, {name}", f"{found:8.1f} x the bodies' size", "at most 40 x")
    for name, unit in (("nested lists", b"[[[0]]]"), ("empty objects", b"{}")):
        body = b"[" + b",".join([unit] * ((2 << 20) // (len(unit) + 1))) + b"]"
        found = peak_memory((body, body[:-1] + b",1]"))
        _line(f"2 MiB, {name}", f"{found:8.1f} x the bodies' size", "at most 40 x")


def main() -> None:
    """Prints one line for each figure."""
    speed()
    many_rules()
    traffic_mix()
    memory()


if __name__ == "__main__":
    main()
