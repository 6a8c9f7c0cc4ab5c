"""Mutated cases end in a verdict, an explanation or a sentence: never in an exception, never in seconds of work."""

from __future__ import annotations

import json
import os
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from differ.cases import judge_case
from differ.decode import decoded_body
from differ.explain import explain
from differ.judge import judge
from differ.message_file import parse_response
from rules.load import EMPTY
from tests.differ.fuzzing import DATA, Fuzzer, seeds
from traffic.message import Request, Response
from traffic.outcome import Verdict

TODAY = date(2026, 11, 21)
SECONDS = float(os.environ.get("PARITYGATE_FUZZ_SECONDS", "600"))
SLOW = 5.0
"""CPU seconds that one call may take in a soak run; the bodies are at most 64 KiB before they are decoded."""
VERDICTS = {*(verdict.value for verdict in Verdict), "error"}
CORPUS = seeds()


class Runner:
    """Runs the judge over mutated cases; `timed` gives what a call returns and notes the slowest one."""

    def __init__(self, limit: float | None = None) -> None:
        self.limit = limit
        self.slowest: tuple[float, str, str] = (0.0, "", "")
        self.seed = ""
        self.verdicts: Counter[str] = Counter()

    def timed(self, name: str, work: Callable[[], Any]) -> Any:
        begun = time.process_time()
        try:
            return work()
        finally:
            spent = time.process_time() - begun
            self.slowest = max(self.slowest, (round(spent, 3), name, self.seed))
            assert self.limit is None or spent < self.limit, f"{name}: {spent:.1f} s of CPU"

    def case(self, case: Any) -> None:
        """Judges one case every way it can be."""
        judged = self.timed("judge_case", lambda: judge_case(case, TODAY))
        assert judged["verdict"] in VERDICTS
        self.verdicts[judged["verdict"]] += 1
        if judged["verdict"] == "error":
            assert judged["error"]
            return
        assert bool(judged["paths"]) == (judged["verdict"] == "mismatch")
        assert judged["verdict"] != "tolerated" or judged["tolerated"]
        json.dumps(judged)
        answers = [side for side in (self.answer(case.get("primary")), self.answer(case.get("candidate"))) if side is not None]
        bodies = [decoded_body(answer, EMPTY.limits.body) for answer in answers]
        if len(bodies) == 2 and bodies[0] is not None and bodies[1] is not None:
            lines = self.timed("explain", lambda: explain(bodies[0], bodies[1])).split("\n")
            assert len(lines) <= 52
        for answer in answers:
            same = self.timed("judge", lambda answer=answer: judge(Request("GET", b"/"), "GET /", answer, answer, EMPTY, TODAY))
            assert same.verdict in (Verdict.MATCH, Verdict.INCONCLUSIVE)

    def answer(self, side: Any) -> Response | None:
        """A case's answer read as a stored response, None where it is none."""
        try:
            text = json.dumps(side).encode("utf-8", "surrogatepass")
        except (TypeError, ValueError):
            return None
        return self.message(text)

    def message(self, text: bytes) -> Response | None:
        """Reads a stored response."""
        try:
            found = self.timed("parse_response", lambda: parse_response(text))
        except ValueError as error:
            if not str(error):
                raise AssertionError("refused without a reason") from error
            return None
        assert isinstance(found, Response)
        return found


def check(runner: Runner, fuzzer: Fuzzer, seed: str) -> Any:
    """One mutated case and one mutated message; gives the input that failed together with what was raised, or None."""
    fuzzer.start(seed)
    runner.seed = seed
    for make, run in ((fuzzer.case, runner.case), (fuzzer.message, runner.message)):
        made = make()
        try:
            run(made)  # type: ignore[operator]
        except Exception as error:
            return made, error
    return None


def shown(failure: Any) -> str:
    made, error = failure
    text = json.dumps({"message": made.hex()}) if isinstance(made, bytes) else json.dumps(made, default=str)
    return f"{''.join(traceback.format_exception(error)[-4:])}\n{text[:20_000]}"


KINDS = [case for case in CORPUS if case["name"] in {seed["name"] for seed in seeds("fuzz/seeds.jsonl", "fuzz/kept.jsonl")}]


@pytest.mark.parametrize("case", KINDS, ids=[case["name"] for case in KINDS])
def test_bodies_of_all_kinds_and_kept_inputs_end_in_a_verdict(case: Any) -> None:
    Runner().case(case)


def test_every_line_of_the_case_files_ends_in_a_verdict() -> None:
    runner = Runner()
    for case in CORPUS:
        runner.case(case)

    assert runner.verdicts["match"] > 10


def kept_messages() -> Iterator[bytes]:
    for line in (DATA / "fuzz" / "messages.txt").read_text(encoding="ascii").split("\n"):
        if line:
            yield bytes.fromhex(line)


def test_kept_messages_are_read_or_refused() -> None:
    runner = Runner()
    found = [runner.message(text) for text in kept_messages()]

    assert None in found
    assert any(found)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_cases_end_in_a_verdict(seed: int) -> None:
    runner, fuzzer = Runner(), Fuzzer(CORPUS)

    for at in range(250):
        failure = check(runner, fuzzer, f"quick{seed}:{at}")
        assert failure is None, f"seed quick{seed}:{at}: {shown(failure)}"

    assert set(runner.verdicts) >= {"match", "mismatch", "error", "inconclusive"}


@pytest.mark.soak
@pytest.mark.timeout(SECONDS * 2 + 600)
def test_mutated_cases_end_in_a_verdict_for_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    start = os.environ.get("PARITYGATE_FUZZ_SEED") or f"soak{random.SystemRandom().randrange(10**9)}"
    with capsys.disabled():
        print(f"\nPARITYGATE_FUZZ_SEED={start} PARITYGATE_FUZZ_SECONDS={SECONDS:g}")  # noqa: T201
    runner, fuzzer, end, count = Runner(SLOW), Fuzzer(CORPUS), time.monotonic() + SECONDS, 0
    failures: dict[Any, str] = {}

    while time.monotonic() < end and len(failures) < 20:
        failure = check(runner, fuzzer, f"{start}:{count}")
        count += 1
        if failure is not None:
            where = traceback.extract_tb(failure[1].__traceback__)[-1]
            failures.setdefault((type(failure[1]), where.filename, where.lineno), f"seed {start}:{count - 1}: {shown(failure)}")

    with capsys.disabled():
        print(f"{count} rounds, slowest {runner.slowest}, {dict(runner.verdicts)}")  # noqa: T201
    assert not failures, "\n\n".join(failures.values())
