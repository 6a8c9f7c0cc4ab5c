"""The state machine: its table, its three laws, and traces of any length (I1 to I4, I10, I14, I19, I20)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gate.facts import GateVerdict, Guard, RouteStanding, State
from gate.machine import ACTIONS, TABLE, Refused, transition
from gate.overrides import policy_for
from gate.policy import DAY_S, HOUR_S

ROUTE = "GET /a"
NOW = 1_000_000.0
POLICY = policy_for("default", 0.999, 0.05, {})
DEMO = policy_for("demo", 0.999, 0.05, {})
SHADOW = RouteStanding(ROUTE)
SERVED = {State.CANARY, State.CUTOVER, State.RETIRED}


def verdict_of(holds: bool | None = True, epoch: str = "e1", approvals: tuple[str, ...] = ("anna", "ben")) -> GateVerdict:
    """A verdict whose parity guard holds or not; an unrelated non-blocking guard never does."""
    guards = (
        Guard("parity", holds, "figure", "threshold", "" if holds else "more needed"),
        Guard("age", False, "", "", "old", False),
    )
    said = {True: "pass", False: "fail", None: "undecided"}[holds]
    return GateVerdict(ROUTE, said, ("said so",), guards, 1, 0, 0.999, 0.05, 0.0, 0.0, 1.0, 0, epoch, approvals)


PASS = verdict_of()


def moved(
    standing: RouteStanding, action: str, verdict: GateVerdict | None = PASS, now: float = NOW, **more: bool
) -> RouteStanding:
    """One transition under the default profile."""
    return transition(standing, action, verdict, POLICY, now, "salt", **more)


def standing_in(state: State, **change: object) -> RouteStanding:
    """A route that has come to this state."""
    weight = {State.CANARY: 100, State.CUTOVER: 10_000, State.RETIRED: 10_000}.get(state, 0)
    step = 1 if state is State.CANARY else 0
    return replace(RouteStanding(ROUTE, state, step, weight, 5, "e1"), **change)  # type: ignore[arg-type]


def test_promotion_climbs_every_configured_step() -> None:
    """I2: shadow, 1 %, 5 %, 25 %, 50 %, cut-over; each promotion is one step and one seq."""
    standing, seen = SHADOW, []
    for _ in range(5):
        standing = moved(standing, "promote")
        seen.append((standing.state, standing.step, standing.weight_bp, standing.seq))

    canary = State.CANARY
    assert seen == [
        (canary, 1, 100, 1),
        (canary, 2, 500, 2),
        (canary, 3, 2500, 3),
        (canary, 4, 5000, 4),
        (State.CUTOVER, 0, 10_000, 5),
    ]
    with pytest.raises(Refused, match="promote is not possible in state cutover"):
        moved(standing, "promote")


def test_without_steps_a_promotion_is_the_cutover() -> None:
    """The demo profile has no canary."""
    standing = transition(SHADOW, "promote", PASS, DEMO, NOW, "")

    assert (standing.state, standing.weight_bp, standing.epoch, standing.since) == (State.CUTOVER, 10_000, "e1", NOW)


def test_changed_steps_never_lower_or_repeat_a_weight() -> None:
    """A canary at 5 % under new steps goes to the next one above it."""
    policy = policy_for("default", 0.999, 0.05, {"canary": {"steps": [0.01, 0.02, 0.05, 0.1]}})
    standing = transition(standing_in(State.CANARY, weight_bp=500), "promote", PASS, policy, NOW, "salt")

    assert (standing.step, standing.weight_bp) == (4, 1000)
    finer = policy_for("default", 0.999, 0.05, {"canary": {"steps": [0.02, 0.05]}})
    assert transition(standing_in(State.CANARY, step=1, weight_bp=100), "promote", PASS, finer, NOW, "salt").weight_bp == 200


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (None, "no data is never a pass"),
        (verdict_of(None), "parity: more needed"),
        (verdict_of(False), "parity: more needed"),
        (verdict_of(epoch=""), "names no epoch"),
        (replace(PASS, verdict="undecided"), "the gate says undecided: said so"),
        (replace(PASS, guards=()), "does not speak of it"),
        (replace(PASS, guards=(replace(PASS.guards[0], blocking=False),)), "does not speak of it"),
        (replace(PASS, route="GET /b"), "the verdict is on 'GET /b'"),
    ],
)
def test_only_a_whole_verdict_promotes(verdict: GateVerdict | None, reason: str) -> None:
    """A missing, undecided, failed, foreign or empty verdict raises nothing."""
    with pytest.raises(Refused, match=reason):
        moved(SHADOW, "promote", verdict)


@pytest.mark.parametrize(
    ("change", "now", "reason"),
    [
        ({"frozen": True}, NOW, "frozen"),
        ({"locked": True}, NOW, "locked"),
        ({"cooldown_until": NOW + 1}, NOW, "cooldown"),
        ({"cooldown_until": math.nan}, NOW, "cooldown"),
        ({"since": NOW + 1}, NOW, "clock"),
        ({}, math.nan, "clock"),
    ],
)
def test_i1_a_stop_holds_whatever_the_verdict_says(change: dict[str, object], now: float, reason: str) -> None:
    """I1: frozen, locked, resting or without a clock nothing raises the weight."""
    for state in (State.SHADOW, State.CANARY):
        with pytest.raises(Refused, match=reason):
            moved(standing_in(state, **change), "promote", now=now)


def test_i1_a_weight_belongs_to_the_epoch_that_earned_it() -> None:
    """I1: evidence of another epoch does not raise it."""
    with pytest.raises(Refused, match="earned in epoch e1, the verdict is on e2"):
        moved(standing_in(State.CANARY), "promote", verdict_of(epoch="e2"))
    assert moved(standing_in(State.SHADOW), "promote", verdict_of(epoch="e2")).epoch == "e2"


def test_a_refusal_carries_every_reason() -> None:
    """People fix all of it at once."""
    with pytest.raises(Refused) as caught:
        moved(standing_in(State.SHADOW, frozen=True, locked=True, cooldown_until=NOW + 60), "promote", verdict_of(None))

    assert [reason.partition(":")[0] for reason in caught.value.reasons] == ["parity", "frozen", "locked", "cooldown"]
    assert str(caught.value) == "; ".join(caught.value.reasons)


def test_a_canary_needs_a_salt() -> None:
    """Without one every installation would draw the same clients."""
    with pytest.raises(Refused, match="needs a salt"):
        transition(SHADOW, "promote", PASS, POLICY, NOW, "")


@pytest.mark.parametrize("action", ["rollback", "alarm"])
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("now", [NOW, 0.0, -1e9, math.nan, math.inf])
@pytest.mark.parametrize("verdict", [None, PASS, verdict_of(False)])
def test_i3_going_back_is_never_refused(action: str, state: State, now: float, verdict: GateVerdict | None) -> None:
    """I3: from any state, frozen, locked, resting, without a verdict, with any clock: W = 0 at once."""
    before = standing_in(state, frozen=True, locked=True, strikes=3, cooldown_until=NOW + DAY_S, since=NOW + 5)
    after = moved(before, action, verdict, now)

    assert (after.weight_bp, after.step, after.seq) == (0, 0, before.seq + 1)
    assert after.state is (State.ROLLED_BACK if state in SERVED else state)
    assert after.cooldown_until >= before.cooldown_until
    assert after.strikes == before.strikes + (state in SERVED)
    assert after.frozen
    assert after.locked


def test_a_rollback_is_a_strike_and_a_second_one_locks() -> None:
    """1 h of rest, then 2 h and a lock; strikes are forgotten 7 days after the last."""
    first = moved(standing_in(State.CANARY), "alarm")
    assert (first.strikes, first.locked, first.cooldown_until, first.since) == (1, False, NOW + HOUR_S, NOW)
    again = replace(first, state=State.CANARY, weight_bp=100)
    second = moved(again, "rollback", now=NOW + 7 * DAY_S - 1)
    assert (second.strikes, second.locked, second.cooldown_until) == (2, True, NOW + 7 * DAY_S - 1 + 2 * HOUR_S)
    late = moved(again, "rollback", now=NOW + 7 * DAY_S)
    assert (late.strikes, late.locked) == (1, False)


def test_a_hard_trip_locks_at_once() -> None:
    """One event is enough."""
    assert moved(standing_in(State.CANARY), "alarm", hard=True).locked


def test_without_a_clock_a_rolled_back_route_stays_locked() -> None:
    """There is nothing to count a cooldown from."""
    after = moved(standing_in(State.CUTOVER), "rollback", now=math.nan)

    assert (after.weight_bp, after.locked, after.strikes) == (0, True, 1)


def test_after_its_rest_a_route_returns_to_shadow_only() -> None:
    """I19: ROLLED_BACK leads to SHADOW, once the cooldown is over, or to OFF."""
    rolled_back = standing_in(State.ROLLED_BACK, cooldown_until=NOW)

    with pytest.raises(Refused, match="rests for another 1 s"):
        moved(rolled_back, "shadow", now=NOW - 1)
    assert moved(rolled_back, "shadow").state is State.SHADOW
    assert moved(rolled_back, "off").state is State.OFF
    for action in ("promote", "retire"):
        with pytest.raises(Refused, match="not possible in state rolled_back"):
            moved(rolled_back, action)


@pytest.mark.parametrize("state", State)
def test_i4_freezing_moves_nothing(state: State) -> None:
    """I4: freeze changes the flag and seq alone; thawing, with two people, gives the route back as it was."""
    before = standing_in(state)
    frozen = moved(before, "freeze", None)

    assert frozen == replace(before, frozen=True, seq=6)
    assert moved(frozen, "unfreeze") == replace(before, seq=7)


@pytest.mark.parametrize(("action", "flag"), [("unfreeze", "frozen"), ("unlock", "locked")])
def test_taking_a_stop_away_needs_as_many_people_as_a_promotion(action: str, flag: str) -> None:
    """I14: (T11, T12) two distinct people, whatever the evidence says; under the demo profile nobody."""
    stopped = standing_in(State.SHADOW, strikes=2, **{flag: True})

    for verdict in (None, verdict_of(approvals=()), verdict_of(approvals=("anna", "anna"))):
        with pytest.raises(Refused, match="more must approve"):
            moved(stopped, action, verdict)
    after = moved(stopped, action, verdict_of(False))
    assert not getattr(after, flag)
    assert after.strikes == 2
    assert not getattr(transition(stopped, action, None, DEMO, NOW, ""), flag)


@pytest.mark.parametrize("state", State)
def test_off_needs_an_exposure_of_nothing(state: State) -> None:
    """T10: only if W = 0."""
    if state in SERVED:
        with pytest.raises(Refused, match="roll back first"):
            moved(standing_in(state), "off")
    else:
        assert moved(standing_in(state), "off").state is State.OFF


def test_i20_retirement_needs_a_long_cutover_parity_and_people() -> None:
    """I20: (T9) only from CUTOVER, after 30 days, with a passing verdict and two approvals."""
    cut_over = standing_in(State.CUTOVER, since=NOW - 30 * DAY_S)

    assert moved(cut_over, "retire").state is State.RETIRED
    assert moved(cut_over, "retire").weight_bp == 10_000
    for refused in (
        (replace(cut_over, since=NOW - 29 * DAY_S), PASS),
        (cut_over, None),
        (cut_over, verdict_of(None)),
        (cut_over, verdict_of(approvals=("anna",))),
        (standing_in(State.CANARY), PASS),
    ):
        with pytest.raises(Refused):
            moved(refused[0], "retire", refused[1])
    with pytest.raises(Refused):
        moved(cut_over, "retire", now=math.nan)


@pytest.mark.parametrize("state", [State.CANARY, State.CUTOVER])
def test_a_new_build_takes_a_route_back_to_shadow(state: State) -> None:
    """T6, T7: without any guard, and W = 0."""
    after = moved(standing_in(state), "shadow", None)

    assert (after.state, after.weight_bp, after.step) == (State.SHADOW, 0, 0)


def test_what_is_not_in_the_table_is_refused_with_what_is() -> None:
    """The sentence lists what is possible here; an unknown action is a ValueError."""
    with pytest.raises(Refused, match="promote is not possible in state off; possible are shadow, rollback, freeze"):
        moved(standing_in(State.OFF), "promote")
    with pytest.raises(ValueError, match="choose one of shadow, promote"):
        moved(SHADOW, "demote")


def test_the_table_is_closed() -> None:
    """Every row's state and action exist, and every state can be rolled back, frozen and switched off."""
    assert {action for _, action in TABLE} == set(ACTIONS)
    assert all((state, action) in TABLE for state in State for action in ("rollback", "alarm", "freeze", "off", "unlock"))


class Traces(RuleBasedStateMachine):
    """Any sequence of actions, verdicts and clock readings, forwards and back, keeps the laws."""

    def __init__(self) -> None:
        super().__init__()
        self.standing = SHADOW
        self.now = NOW
        self.climbed: list[int] = []

    @rule(seconds=st.one_of(st.floats(0, 3 * DAY_S), st.floats(25 * DAY_S, 50 * DAY_S), st.floats(-DAY_S, 0)))
    def time_passes(self, seconds: float) -> None:
        """The clock may also go back."""
        self.now += seconds

    @rule(times=st.integers(1, 5), retire=st.booleans())
    def all_goes_well(self, times: int, retire: bool) -> None:
        """Some steps up with nothing in the way but stops set before, so that traces get far at all."""
        self.now = max(self.now, self.standing.since, self.standing.cooldown_until)
        epoch = self.standing.epoch if self.standing.weight_bp else "e1"
        for _ in range(times):
            self.act("promote", True, epoch, ("anna", "ben"), False)
        if retire:
            self.now += 31 * DAY_S
            self.act("retire", True, epoch, ("anna", "ben"), False)

    @rule()
    def people_clear_the_way(self) -> None:
        """Whatever stops the route is taken away by two people, and it is back in shadow."""
        self.now = max(self.now, self.standing.cooldown_until)
        for action in ("unlock", "unfreeze", "shadow"):
            self.act(action, None, "e1", ("anna", "ben"), False)

    @rule(
        action=st.sampled_from([*ACTIONS, *["promote"] * 8, *["shadow"] * 3]),
        holds=st.sampled_from([True, True, True, None, False]),
        epoch=st.sampled_from(["e1", "e1", "e1", "e2", ""]),
        people=st.sampled_from([(), ("anna",), ("anna", "ben")]),
        hard=st.booleans(),
    )
    def act(self, action: str, holds: bool | None, epoch: str, people: tuple[str, ...], hard: bool) -> None:
        """One attempt; what is refused changes nothing."""
        before, verdict = self.standing, verdict_of(holds, epoch, people)
        try:
            after = moved(before, action, verdict, self.now, hard=hard)
        except Refused:
            assert action not in ("rollback", "alarm", "freeze")  # I3
            return
        self.standing = after
        assert after.seq == before.seq + 1  # I10
        if after.weight_bp > before.weight_bp:  # I1
            assert action == "promote"
            assert holds is True
            assert not before.frozen
            assert not before.locked
            assert self.now >= before.cooldown_until
            assert before.weight_bp == 0 or before.epoch == epoch
            assert after.epoch == epoch != ""
            self.climbed.append(after.weight_bp)
        if action in ("rollback", "alarm"):  # I3
            assert after.weight_bp == 0
        if action in ("freeze", "unfreeze", "unlock", "retire"):  # I4
            assert after.weight_bp == before.weight_bp
        if before.locked and not after.locked:  # I14
            assert action == "unlock"
            assert len(set(people)) >= 2
        if after.state is State.ROLLED_BACK and before.state is not State.ROLLED_BACK:  # I14
            assert after.strikes == before.strikes + 1 or (after.strikes == 1 and self.now - before.cooldown_until > 6 * DAY_S)
            assert after.locked or after.strikes < 2
        else:
            assert after.strikes == before.strikes
        if before.state is State.ROLLED_BACK:  # I19
            assert after.state in (State.ROLLED_BACK, State.SHADOW, State.OFF)
        if after.state is State.RETIRED and before.state is not State.RETIRED:  # I20
            assert before.state is State.CUTOVER
            assert self.now - before.since >= 30 * DAY_S
        if after.weight_bp == 0:
            self.climbed = []

    @precondition(lambda self: self.standing.state in SERVED)
    @invariant()
    def climbed_every_step(self) -> None:
        """I2: what is served now was reached through every configured step."""
        assert self.climbed == [100, 500, 2500, 5000, 10_000][: len(self.climbed)]
        assert self.standing.weight_bp == self.climbed[-1]

    @invariant()
    def exposure_fits_the_state(self) -> None:
        """W > 0 exactly in CANARY, CUTOVER and RETIRED."""
        assert (self.standing.weight_bp > 0) == (self.standing.state in SERVED)
        assert (self.standing.step > 0) == (self.standing.state is State.CANARY)


TestTraces = Traces.TestCase
TestTraces.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
