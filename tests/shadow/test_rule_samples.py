"""What rules hide, found out beside the judging: which exchanges, within what bounds, and what is told of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

import shadow.rule_samples
from differ.judge import judge
from differ.samples import in_sample, rank
from rules.load import rules_from_case
from rules.subset import names, version_of
from shadow.comparison import Compared
from shadow.endings import Endings, ExampleOffers
from shadow.judging import Judging
from shadow.modes import Modes
from shadow.rule_samples import MAX_WAITING, TIME_SHARE, RuleSamples
from store.records import RuleSample
from store.tasks import spawn
from traffic.message import Answer, Exchange, Failure, Request, Response, Side
from traffic.redact import Redactor

JSON = ((b"Content-Type", b"application/json"),)
CASE: dict[str, Any] = {
    "rules": [
        {"id": "hide-a", "path": "$.a", "action": "ignore"},
        {"id": "type-a", "path": "$.a", "action": "type_only"},
        {"id": "hide-b", "path": "$.b", "action": "type_only"},
        {"id": "hide-token", "path": "$.token", "action": "ignore"},
        {"id": "hide-m", "path": "$.m", "action": "ignore"},
    ]
}


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Stage:
    """The sampler with real judging and endings; `told` is what it gave away."""

    def __init__(self, share: float = 0.0, first_few: int = 5, keep: int = 5, case: dict[str, Any] = CASE) -> None:
        self.clock = Clock()
        self.rules = rules_from_case(case)
        self.versions = {name: version_of(self.rules, name) for name in names(self.rules)}
        self.told: list[RuleSample] = []
        judging = Judging(self.rules, frozenset(), self.clock)
        redactor = Redactor(["authorization"], ["$..token"], b"k" * 32)
        endings = Endings(
            redactor, self.rules.digest, 60.0, ExampleOffers(self.clock, 10), Modes(self.clock), self.clock, self.versions
        )
        self.endings = endings
        self.samples = RuleSamples(
            self.rules, self.versions, frozenset(), judging, endings, self.told_of, self.clock, self.clock, keep, share, first_few
        )  # fmt: skip
        self.seq = 0

    def told_of(self, samples: Sequence[RuleSample]) -> None:
        self.told += samples

    def compared(self, a: Any, b: Any, route: str = "GET /a", candidate: Answer | None = None) -> Compared:
        self.seq += 1
        primary = Response(200, JSON, json.dumps(a).encode())
        other = candidate or Response(200, JSON, json.dumps(b).encode())
        request = Request("GET", b"/a", ((b"Authorization", b"Token hunter1"),))
        judgement = judge(request, route, primary, other, self.rules, date(1970, 1, 1))
        exchange = Exchange("boot", self.seq, route, "c", Side.PRIMARY, 1_000.0, 1.0, request, primary)
        bodies = [answer.body if isinstance(answer, Response) else None for answer in (primary, other)]
        return Compared(exchange, "e", "b1", primary, other, bodies[0], bodies[1], 1.0, 2.0, judgement)

    def examine(self, *made: Compared) -> list[RuleSample]:
        """Observes them all and lets the worker finish what it took."""

        async def scenario() -> None:
            run = spawn(self.samples.run(), "samples")
            for one in made:
                self.samples.observe(one)
                taken = self.samples.counts["taken"]
                async with asyncio.timeout(10):
                    while self.samples.counts["done"] + self.samples.counts["failed"] < taken:
                        await asyncio.sleep(0)
            run.cancel()

        asyncio.run(scenario())
        return self.told


def by_rule(samples: Sequence[RuleSample]) -> dict[str, RuleSample]:
    return {sample.tally.rule: sample for sample in samples}


def test_a_rule_that_alone_hides_something_is_told_with_place_and_redacted_example() -> None:
    stage = Stage()
    (told,) = stage.examine(stage.compared({"token": "hunter2", "x": 1}, {"token": "hunter3", "x": 1}))
    tally = told.tally
    assert (tally.rule, tally.version, tally.route) == ("hide-token", stage.versions["hide-token"], "GET /a")
    assert (tally.matched, tally.sampled, tally.alone, tally.needed, tally.covered) == (1, 1, 1, 1, 0)
    assert (tally.responses, tally.differences) == (0, 0)
    assert [(place.path, place.kind, place.count) for place in told.places] == [("$.token", "value", 1)]
    (example,) = told.examples
    assert example.reason == "what hide-token hides: without it this answer is mismatch"
    assert [difference.location for difference in example.differences] == ["$.token"]
    assert "hunter" not in repr(told)


def test_rules_that_cover_each_other_are_told_so_and_the_unnamed_one_as_matching() -> None:
    stage = Stage()
    told = by_rule(stage.examine(stage.compared({"a": 1}, {"a": 9})))
    assert set(told) == {"hide-a", "type-a"}
    sampled = [name for name, sample in told.items() if sample.tally.sampled]
    assert len(sampled) == 1
    assert told[sampled[0]].tally.covered == 1
    assert all(sample.examples == () == sample.places for sample in told.values())


def test_answers_that_no_rule_touched_are_not_looked_at() -> None:
    stage = Stage(share=1.0)
    assert stage.examine(stage.compared({"x": 1}, {"x": 1}), stage.compared({"x": 1}, {"x": 2})) == []
    assert stage.samples.counts == {}
    assert stage.examine(stage.compared({"a": 1}, {}, candidate=Failure("timeout"))) == []


def test_the_first_few_of_each_rule_and_route_are_taken_whatever_the_share() -> None:
    stage = Stage(first_few=2)
    for _ in range(5):
        stage.examine(stage.compared({"a": 1}, {"a": 9}))
    assert stage.samples.counts["taken"] == 2
    stage.examine(stage.compared({"b": 1}, {"b": 9}))
    stage.examine(stage.compared({"a": 1}, {"a": 9}, route="GET /other"))
    assert stage.samples.counts["taken"] == 4


def test_beyond_the_first_few_the_exchange_s_id_decides_and_not_its_verdict() -> None:
    stage = Stage(share=0.2, first_few=0)
    for number in range(60):
        stage.examine(stage.compared({"a": 1, "x": 1}, {"a": 9, "x": number % 2}))
    assert stage.samples.counts["taken"] == sum(in_sample(f"boot-{number}", 0.2) for number in range(1, 61))


def test_what_waits_is_bounded_in_number_and_bytes_and_the_rest_is_counted() -> None:
    stage = Stage(share=1.0)
    for _ in range(MAX_WAITING + 3):
        stage.samples.observe(stage.compared({"a": 1}, {"a": 9}))
    assert (stage.samples.counts["taken"], stage.samples.counts["left_out"]) == (MAX_WAITING, 3)
    large = Stage(share=1.0)
    for _ in range(4):
        large.samples.observe(large.compared({"a": "x" * 900_000}, {"a": 9, "b": "y" * 900_000}))
    assert large.samples.counts["left_out"] == 2


def test_room_comes_back_when_what_waited_was_examined() -> None:
    stage = Stage(share=1.0)
    for _ in range(20):
        stage.examine(stage.compared({"a": "x" * 900_000}, {"a": "y" * 900_000}))
    assert stage.samples.counts["left_out"] == 0


def test_after_each_look_the_worker_rests_for_its_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(share=1.0)
    rests: list[float] = []
    real = shadow.rule_samples.examine

    def slow(*given: Any, **more: Any) -> Any:
        stage.clock.now += 0.5
        return real(*given, **more)

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr(shadow.rule_samples, "examine", slow)

    async def scenario() -> None:
        stage.samples.observe(stage.compared({"a": 1}, {"a": 9}))
        run = spawn(stage.samples.run(), "samples")
        with monkeypatch.context() as patch:
            async with asyncio.timeout(10):
                sleep = asyncio.sleep
                patch.setattr(shadow.rule_samples.asyncio, "sleep", rest)
                while not rests:
                    await sleep(0.001)
        run.cancel()

    asyncio.run(scenario())
    assert rests == [pytest.approx(0.5 / TIME_SHARE - 0.5)]


def test_faults_are_counted_and_the_next_exchange_is_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(share=1.0)
    real, broken = shadow.rule_samples.examine, True

    def examine(*given: Any, **more: Any) -> Any:
        if broken:
            raise ValueError("hunter2")
        return real(*given, **more)

    monkeypatch.setattr(shadow.rule_samples, "examine", examine)
    stage.examine(stage.compared({"a": 1}, {"a": 9}))
    broken = False
    stage.examine(stage.compared({"b": 1}, {"b": 9}))
    assert stage.samples.counts["failed"] == 1
    assert set(by_rule(stage.told)) == {"hide-b"}


def test_examples_are_those_of_the_lowest_ranks() -> None:
    stage = Stage(share=1.0, keep=2)
    made = [stage.compared({"b": 1}, {"b": number + 2}) for number in range(30)]
    stage.examine(*made)
    offered = [example.id for sample in stage.told for example in sample.examples]
    suffix = stage.versions["hide-b"][:8]
    assert set(sorted((f"{one.exchange.id}.{suffix}" for one in made), key=rank)[:2]) <= set(offered)
    assert len(offered) < 20


def test_names_that_are_data_do_not_make_a_place_each() -> None:
    stage = Stage(share=1.0)
    for number in range(70):
        stage.examine(stage.compared({"m": {f"k{number}": 1}}, {"m": {f"k{number}": 2}}))
    paths = {place.path for sample in stage.told for place in sample.places}
    assert "$.m.*" in paths
    assert len(paths) <= 51


def test_an_end_says_what_scopes_ask_for_and_how_much_each_rule_explained() -> None:
    stage = Stage()
    ended = stage.endings.compared(stage.compared({"b": 1, "token": "x"}, {"b": 2, "token": "y"}))
    assert ended.judged == (200, "application/json")
    assert [(part.rule, part.version, part.differences) for part in ended.suppressed] == [
        ("hide-b", stage.versions["hide-b"], 1),
        ("hide-token", stage.versions["hide-token"], 1),
    ]
    failed = stage.endings.compared(stage.compared({}, {}, candidate=Failure("timeout")))
    assert (failed.judged, failed.suppressed) == (None, ())


def test_media_types_are_few_however_many_the_primary_sends() -> None:
    stage = Stage()
    kinds = set()
    for number in range(100):
        made = stage.compared({}, {})
        answer = Response(200, ((b"Content-Type", b"text/x-%d; charset=utf-8" % number),), b"{}")
        judged = stage.endings.compared(replace(made, primary=answer)).judged
        assert judged is not None
        kinds.add(judged[1])
    assert "other" in kinds
    assert len(kinds) == 17
