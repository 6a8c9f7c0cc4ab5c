"""The gate and its state machine together (I1 to I9, I14, I17 to I20): any life of a route, of its evidence and of the people around it."""

from __future__ import annotations

import ast
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gate.evaluate import evaluate
from gate.facts import Evidence, GateVerdict, RouteStanding, ServedWindow, State
from gate.machine import ACTIONS, Refused, transition
from gate.overrides import policy_for
from gate.policy import DAY_S, HOUR_S
from gate.steps import dwell_of

ROUTE = "GET /a"
NOW = 1_800_000_000.0
STEPS = [0.01, 0.05, 0.25, 0.50]
POLICY = policy_for(
    "demo",
    0.95,
    0.05,
    {
        "span": {"min": HOUR_S},
        "approvals": {"count": 2},
        "canary": {"steps": STEPS, "dwell": [HOUR_S, 4 * HOUR_S, DAY_S, DAY_S], "step_p0": 0.9, "step_clean": 40},
    },
)
ENOUGH = 80
"""Clean units that pass at .95 and at .9 alike."""
NOT_BUILT = {"I21"}
"""Nothing of it is there to be tested: a block of contract migrations."""


def test_each_invariant_is_named_by_a_test() -> None:
    """A docstring that begins with its number says where it is shown."""
    named: set[str] = set()
    for path in Path(__file__).parents[1].rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                head = re.match(r"(?:\[[^]]*\] )*((?:[IS]\d+(?:, )?)+):", ast.get_docstring(node) or "")
                named.update(head[1].split(", ") if head else ())

    assert {f"I{number}" for number in range(1, 27)} - named == NOT_BUILT


class Lives(RuleBasedStateMachine):
    """I1, I2, I3, I4, I5, I8, I14, I18: whatever happens to evidence, builds, people and clocks, the machine's word is the gate's."""

    def __init__(self) -> None:
        super().__init__()
        self.standing = RouteStanding(ROUTE)
        self.now = NOW
        self.newest = NOW
        self.evidence = Evidence(ROUTE, "e1")
        self.signed: list[tuple[str, float]] = []
        self.climbed: list[tuple[RouteStanding, float]] = []
        self.strikes: list[float] = []

    @rule(seconds=st.one_of(st.floats(1, 6 * HOUR_S), st.floats(20 * HOUR_S, 30 * HOUR_S), st.floats(-DAY_S, 0)))
    def time_passes(self, seconds: float) -> None:
        """The clock may also go back; what was noted later is then in its future."""
        self.now += seconds

    @rule(good=st.integers(0, 60), bad=st.sampled_from([0, 0, 0, 0, 1, 30]))
    def units_close(self, good: int, bad: int) -> None:
        """Evidence of the current epoch."""
        if good + bad == 0:
            return
        known, at = self.evidence, self.now
        first = at if known.first_unit_at is None else min(at, known.first_unit_at)
        last = at if known.last_unit_at is None else max(at, known.last_unit_at)
        served = (*known.served, ServedWindow(at, good + bad, bad)) if self.standing.weight_bp else known.served
        verdicts = {"match": known.n - known.k + good, "mismatch": known.k + bad}
        self.evidence = replace(
            known,
            n=known.n + good + bad,
            k=known.k + bad,
            first_unit_at=first,
            last_unit_at=last,
            served=served,
            verdicts=verdicts,
        )

    @rule(name=st.sampled_from(["anna", "anna ", "ben", "", " "]))
    def somebody_approves(self, name: str) -> None:
        """In this epoch, at this time."""
        self.signed.append((name, self.now))

    @rule()
    def a_new_build_comes(self) -> None:
        """I5: an epoch of its own: no counts, no approvals, the next attempt; and what served is not raised by it."""
        attempt = self.evidence.attempt + (self.evidence.n >= 20)
        self.evidence = Evidence(ROUTE, f"e{int(self.evidence.epoch[1:]) + 1}", attempt=attempt)
        self.signed = []

    @rule(times=st.integers(1, 5))
    def all_goes_well(self, times: int) -> None:
        """Time, clean units and two people, as often as it takes: so that lives get far at all."""
        for _ in range(times):
            self.now = max(self.now, self.newest, self.standing.cooldown_until, self.standing.since)
            self.units_close(ENOUGH, 0)
            self.now += max(HOUR_S, dwell_of(self.standing, POLICY))
            self.units_close(ENOUGH, 0)
            self.signed += [("anna", self.now), ("ben", self.now)]
            self.act("promote", False)

    @rule()
    def people_clear_the_way(self) -> None:
        """Two people take away whatever stops the route."""
        self.now = max(self.now, self.standing.cooldown_until)
        self.signed += [("anna", self.now), ("ben", self.now)]
        for action in ("unlock", "unfreeze", "shadow"):
            self.act(action, False)

    @rule(action=st.sampled_from([*ACTIONS, *["promote"] * 6]), hard=st.booleans())
    def act(self, action: str, hard: bool) -> None:
        """One attempt under the gate's verdict of this moment; what is refused changes nothing."""
        before, verdict = self.standing, self.verdict()
        self.newest = max(self.newest, self.now)
        try:
            after = transition(before, action, verdict, POLICY, self.now, "salt", hard=hard)
        except Refused:
            assert action not in ("rollback", "alarm", "freeze"), "I3, I4: these are never refused"
            return
        assert transition(before, action, verdict, POLICY, self.now, "salt", hard=hard) == after, "I18"
        if after.weight_bp > before.weight_bp:
            self._raised(before, after, verdict)
        if action in ("rollback", "alarm"):
            assert after.weight_bp == 0, "I3"
        if action in ("freeze", "unfreeze"):
            assert after.weight_bp == before.weight_bp, "I4"
        if before.weight_bp > 0 and after.weight_bp == 0:
            self.evidence = Evidence(ROUTE, self.evidence.epoch, attempt=self.evidence.attempt + 1)
            self.climbed = []
        if before.weight_bp > 0 and action in ("rollback", "alarm"):
            self._struck(after)
        self.signed = []
        self.standing = after

    def verdict(self) -> GateVerdict:
        """What the gate says now: the same when it is asked twice."""
        known = tuple(name for name, at in self.signed if self.now - DAY_S < at)
        evidence = replace(self.evidence, approvals=known)
        verdict = evaluate(evidence, self.standing, POLICY, self.now)
        assert evaluate(evidence, self.standing, POLICY, self.now) == verdict, "I18"
        return verdict

    def _raised(self, before: RouteStanding, after: RouteStanding, verdict: GateVerdict) -> None:
        assert verdict.verdict == "pass", "I1: the guard"
        assert not before.frozen, "I1: the stops"
        assert not before.locked, "I1: the stops"
        assert self.now >= before.cooldown_until, "I1: the rest"
        assert after.epoch == self.evidence.epoch, "I1: the epoch is the current one"
        assert self.evidence.n >= 71, "I17: no data is never a pass"
        assert self.now >= before.since, "I18: not by a clock that went back"
        if before.state is State.SHADOW or after.state is State.CUTOVER:
            assert {"anna", "ben"} <= {name.strip() for name, at in self.signed if self.now - DAY_S < at}, "I8"
        if before.state is State.CANARY:
            assert self.now - before.since >= dwell_of(before, POLICY), "I2: the dwell"
            served = [window for window in self.evidence.served if window.start >= before.since]
            assert sum(window.n for window in served) >= 40, "I2: the step's own evidence"
        self.climbed.append((after, self.now))

    def _struck(self, after: RouteStanding) -> None:
        recent = [at for at in self.strikes if abs(self.now - at) < 6 * DAY_S]
        self.strikes.append(self.now)
        assert after.strikes >= 1, "I14"
        if recent:
            assert after.strikes >= 2, "I14: none is forgotten within 7 days"
            assert after.locked, "I14: the second one locks"

    @invariant()
    def every_step_was_climbed(self) -> None:
        """I2: no step is left out on the way to a weight."""
        weights = [standing.weight_bp for standing, _ in self.climbed]
        assert weights == [100, 500, 2500, 5000, 10_000][: len(weights)]
        assert self.standing.weight_bp == (weights[-1] if weights else 0)


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)

NAMES = st.lists(st.sampled_from(["anna", "ben", "carl", " anna", "ben ", "", "  "]), max_size=6)
PASSING = Evidence(
    ROUTE, "e1", n=200, k=0, first_unit_at=NOW - DAY_S, last_unit_at=NOW - 1, verdicts={"match": 200}, approvals=("anna", "ben")
)
SHADOW = RouteStanding(ROUTE, since=NOW - 2 * DAY_S)


def promoted(evidence: Evidence, standing: RouteStanding = SHADOW, now: float = NOW) -> RouteStanding | None:
    """The standing after a promotion under the gate's own verdict; None where it is refused."""
    try:
        return transition(standing, "promote", evaluate(evidence, standing, POLICY, now), POLICY, now, "salt")
    except Refused:
        return None


@given(NAMES)
@settings(deadline=None)
def test_i8_it_takes_two_different_people(names: list[str]) -> None:
    """I8: the same person twice is one, blanks around a name make no other person, and nobody is nobody."""
    people = {name.strip() for name in names} - {""}

    assert (promoted(replace(PASSING, approvals=tuple(names))) is not None) == (len(people) >= 2)


COUNTS = ("n", "k", "attempt", "incident_skips", "routes_total", "top_client", "top_request")
NO_COUNTS = (math.nan, math.inf, -math.inf, -1.0, -1, 0.5)
TIMES = ("first_unit_at", "last_unit_at")
NO_TIMES = (math.nan, math.inf, -math.inf, NOW + DAY_S)


@pytest.mark.parametrize(
    ("name", "value"),
    [*((name, value) for name in COUNTS for value in NO_COUNTS), *((name, value) for name in TIMES for value in NO_TIMES)],
)
def test_i17_an_odd_figure_raises_nothing(name: str, value: float) -> None:
    """I17: NaN, infinity, a negative or broken count, a time to come: no promotion."""
    assert promoted(PASSING) is not None
    assert promoted(replace(PASSING, **{name: value})) is None  # type: ignore[arg-type]


@given(st.floats(allow_nan=True, allow_infinity=True, min_value=None, max_value=None))
@settings(max_examples=80, deadline=None)
def test_i18_a_clock_that_went_back_raises_nothing(now: float) -> None:
    """I18: before the route's last change or the last unit, or without a time at all."""
    if math.isnan(now) or now < NOW - 60.0:
        assert promoted(PASSING, now=now) is None
    assert promoted(PASSING, replace(SHADOW, since=NOW + 1e-3)) is None


@pytest.mark.parametrize("state", State)
@given(frozen=st.booleans(), locked=st.booleans(), strikes=st.integers(0, 5), until=st.floats(allow_nan=True), now=st.floats())
@settings(max_examples=40, deadline=None)
def test_i3_nothing_at_all_stops_a_rollback(
    state: State, frozen: bool, locked: bool, strikes: int, until: float, now: float
) -> None:
    """I3: for every value of everything, W = 0 at the next decision."""
    weight = {State.CANARY: 500, State.CUTOVER: 10_000, State.RETIRED: 10_000}.get(state, 0)
    before = RouteStanding(ROUTE, state, 0, weight, 3, "e1", NOW, frozen, locked, strikes, until)
    for action in ("rollback", "alarm"):
        assert transition(before, action, None, POLICY, now, "").weight_bp == 0
