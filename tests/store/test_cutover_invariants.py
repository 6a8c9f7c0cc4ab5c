"""The state machine through `store.cutover.act` on a real SQLite file: evidence, approvals, decisions and audit go with each move."""

from __future__ import annotations

import asyncio
import itertools
import math
import tempfile
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gate.decision import serves_candidate, verify
from gate.facts import Decision, Evidence, RouteStanding, State
from gate.machine import ACTIONS, Refused
from gate.overrides import policy_for
from gate.policy import DAY_S, HOUR_S
from gate.steps import most_increases
from store.audit import GENESIS, breaks, link_hash
from store.cutover import act, renew_leases, take_back_moved
from store.database import Store, open_store
from store.records import AuditRow, Batch, Ended
from store.standings import standing_text
from traffic.outcome import Ending

KEY = b"k" * 32
NOW = 1_800_000_000.0
WINDOW_S = 2.0
OVER_S = 10.0
"""After so long a window is closed, however late batches are written."""
DWELL_S = 60.0
POLICY = policy_for(
    "demo",
    0.95,
    0.05,
    {
        "span": {"min": 0.0},
        "approvals": {"count": 2},
        "canary": {"steps": [0.1, 0.5], "dwell": [DWELL_S, DWELL_S], "step_p0": 0.5, "step_clean": 5},
    },
)
ENOUGH = 75


class OpenStore:
    """One SQLite file and one loop for all lives; each has a route of its own."""

    def __init__(self, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self.store: Store = open_store(f"sqlite+aiosqlite:///{folder / 'store.db'}", POLICY.unit_limits)
        self.run(self.store.upgrade())
        self.routes = (f"GET /x{number}" for number in itertools.count())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def close(self) -> None:
        self.run(self.store.close())
        self._runner.close()


class Lives(RuleBasedStateMachine):
    """I5, I6, I7, I8, I9, I10, I13, I15: what the store holds is what was done, whatever was done."""

    opened: OpenStore

    def __init__(self) -> None:
        super().__init__()
        self.route = next(self.opened.routes)
        self.now = NOW
        self.epoch = 1
        self.counts = {1: (0, 0)}
        self.compared_at = NOW
        self.standing = RouteStanding(self.route)
        self.decision: Decision | None = None
        self.approved: dict[str, float] = {}
        self.raised: list[float] = []
        self.links = 0
        self.units = itertools.count()
        self.compare(1, 0)

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.opened.run(work)

    def write(self, epoch: int, at: float, good: int, bad: int, served: bool = False) -> None:
        """So many units, each of a client of its own."""
        verdicts = ["match"] * good + ["mismatch"] * bad
        rows = [
            Ended(
                boot="boot", route=self.route, at=at, ending=Ending.COMPARED, reason=verdict, unit=f"u{next(self.units)}",
                window_s=WINDOW_S, epoch=f"e{epoch}", client="c", served=served,
            )
            for verdict in verdicts
        ]  # fmt: skip
        self.do(self.opened.store.write(Batch(ended=tuple(rows)), 5))
        self.do(self.opened.store.close_units(self.now))

    @rule(seconds=st.sampled_from([1.0, DWELL_S, HOUR_S, DAY_S - 1, DAY_S]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(good=st.integers(1, 100), bad=st.sampled_from([0, 0, 0, 1, 20]))
    def compare(self, good: int, bad: int) -> None:
        """Units of the current epoch; they count once their window is over."""
        at = self.compared_at = self.now
        self.now += OVER_S
        self.write(self.epoch, at, good, bad, served=self.standing.weight_bp > 0)
        n, k = self.counts[self.epoch]
        self.counts[self.epoch] = (n + good + bad, k + bad)

    @rule(good=st.integers(1, 200), ago=st.sampled_from([0.0, 1.0, HOUR_S]))
    def samples_of_closed_windows_come_late(self, good: int, ago: float) -> None:
        """I7: they change nothing."""
        self.write(self.epoch, self.compared_at - ago, good, 0)

    @rule(good=st.integers(1, 200), bad=st.integers(0, 200))
    def samples_of_an_old_epoch_come_late(self, good: int, bad: int) -> None:
        """I6: they count in no other epoch."""
        if self.epoch > 1:
            self.write(self.epoch - 1, NOW - 1.0, good, bad)

    @rule()
    def a_new_build_comes(self) -> None:
        """I5: its first comparison begins an epoch of its own, from nothing."""
        self.epoch += 1
        self.counts[self.epoch] = (0, 0)
        self.approved = {}
        self.compare(1, 0)

    @rule(name=st.sampled_from(["ann", "ben", " ann ", "ben", "shadow", "unknown", " "]))
    def approve(self, name: str) -> None:
        """I8: only people, and the same person once."""
        try:
            self.do(self._act("approve", name, self.now, False))
        except Refused:
            assert name.strip() in ("shadow", "unknown", "")
            return
        assert name.strip() in ("ann", "ben")
        self.links += 1
        self.approved[name.strip()] = self.now

    @rule(times=st.integers(1, 4))
    def all_goes_well(self, times: int) -> None:
        """Clean units, two people and a promotion."""
        for _ in range(times):
            self.now += DWELL_S
            self.compare(ENOUGH, 0)
            self.approve("ann")
            self.approve("ben")
            self.take("promote", False, False)

    @rule()
    def people_clear_the_way(self) -> None:
        """Two people for each of what stops a route, and back to shadow."""
        self.now += HOUR_S
        for action in ("unlock", "unfreeze", "shadow"):
            self.approve("ann")
            self.approve("ben")
            self.take(action, False, False)

    @rule(action=st.sampled_from([*ACTIONS, *["promote"] * 4]), hard=st.booleans(), clock=st.booleans())
    def take(self, action: str, hard: bool, clock: bool) -> None:
        """One action, now and then without a clock: exactly one link, or nothing at all."""
        known, before = self.approved_now(), self.standing
        now = math.nan if clock and action in ("rollback", "alarm") else self.now
        try:
            decision: Decision = self.do(self._act(action, "carl", now, hard))
        except Refused:
            assert action not in ("rollback", "alarm", "freeze"), "I3"
            return
        after: RouteStanding = self.do(self.opened.store.standing(self.route))
        assert after.seq > before.seq, "I10"
        if after.weight_bp > before.weight_bp:
            n, k = self.counts[self.epoch]
            assert n >= 71, "I1, I17"
            assert k < 0.05 * n, "I1"
            assert after.epoch == f"e{self.epoch}", "I5: bound to what runs now"
            assert before.state is not State.SHADOW or known == {"ann", "ben"}, "I8"
            self.raised.append(self.now)
            assert sum(at > self.now - DAY_S for at in self.raised) <= most_increases(POLICY), "I15"
        if before.weight_bp > 0 and after.weight_bp == 0:
            self.counts[self.epoch] = (0, 0)
        self.standing, self.decision, self.approved = after, decision, {}
        self.links += 1

    def _act(self, action: str, actor: str, now: float, hard: bool) -> Coroutine[Any, Any, Decision]:
        return act(self.opened.store, action, self.route, actor, "why", POLICY, KEY, now, "salt", routes_total=1, hard=hard)

    def approved_now(self) -> set[str]:
        """I9: an approval of exactly 24 hours ago has expired."""
        return {name for name, at in self.approved.items() if at > self.now - DAY_S}

    @invariant()
    def the_evidence_is_of_the_current_epoch_and_attempt(self) -> None:
        """I5, I6, I7, S14: n and k are those of the epoch, closed units only, from the last roll-back on."""
        found: Evidence = self.do(self.opened.store.evidence(self.route, now=self.now))
        assert found.epoch == f"e{self.epoch}"
        assert (found.n, found.k) == self.counts[self.epoch]
        assert set(found.approvals) == self.approved_now()

    @invariant()
    def the_log_tells_the_standing(self) -> None:
        """I13: one link for each thing done, none for what was refused, and the last one is what stands."""
        rows = [row for row in self.do(self.opened.store.audit(60)) if row.route == self.route]
        if self.links < 60:
            assert len(rows) == self.links
        assert self.do(self.opened.store.standing(self.route)) == self.standing
        assert not rows or rows[0].after == standing_text(self.standing)
        folded = [(row.before, row.after) for row in reversed(rows)]
        assert all(one[1] == other[0] for one, other in itertools.pairwise(folded))

    @invariant()
    def the_decision_is_the_standing_signed(self) -> None:
        """I10, I12: the same weight and number; without a weight it serves nobody."""
        if self.decision is None:
            return
        assert verify(self.decision, KEY)
        assert (self.decision.weight_bp, self.decision.seq, self.decision.state) == (
            self.standing.weight_bp,
            self.standing.seq,
            self.standing.state,
        )
        if self.standing.weight_bp == 0:
            assert not any(serves_candidate(self.decision, f"user{number}", self.now) for number in range(20))


@pytest.fixture(scope="module", autouse=True)
def opened() -> Iterator[OpenStore]:
    with tempfile.TemporaryDirectory() as folder:
        made = Lives.opened = OpenStore(Path(folder))
        yield made
        try:
            assert made.run(made.store.check()) == []  # I13: the chain of all lives verifies
        finally:
            made.close()


USUAL = settings(deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
TestLives = Lives.TestCase
TestLives.settings = settings(USUAL, max_examples=4, stateful_step_count=20)


@pytest.mark.soak
class TestManyLives(Lives.TestCase):  # type: ignore[misc, name-defined]
    """I5, I6, I7, I8, I9, I10, I13, I15: the same for longer."""

    settings = settings(USUAL, max_examples=12, stateful_step_count=40)


def chain(length: int) -> list[AuditRow]:
    """So many links that hold."""
    rows: list[AuditRow] = []
    before = GENESIS
    for number in range(1, length + 1):
        row = AuditRow(number, float(number), "ann", "freeze", f"GET /{number}", "{}", '{"seq":1}', "{}", "")
        rows.append(replace(row, hash=link_hash(before, row)))
        before = rows[-1].hash
    return rows


FIELDS = {"at": 0.5, "actor": "mallory", "action": "unlock", "route": "GET /y", "before": "", "after": "{}", "detail": "x"}


@given(st.integers(2, 12), st.data())
@settings(deadline=None, max_examples=60)
def test_i13_no_link_can_be_changed_removed_or_moved(length: int, data: st.DataObject) -> None:
    """I13: any edit, removal or exchange of links but of the newest, which the standing tells, breaks the chain."""
    rows = chain(length)
    assert breaks(rows) == []
    at = data.draw(st.integers(0, length - 1))
    name = data.draw(st.sampled_from(sorted(FIELDS)))
    other = data.draw(st.integers(0, length - 1).filter(lambda found: found != at))

    assert breaks([*rows[:at], replace(rows[at], **{name: FIELDS[name]}), *rows[at + 1 :]])
    assert at == length - 1 or breaks([*rows[:at], *rows[at + 1 :]])
    swapped = list(rows)
    swapped[at], swapped[other] = replace(rows[other], seq=rows[at].seq), replace(rows[at], seq=rows[other].seq)
    assert breaks(swapped)


def test_i5_a_new_build_takes_its_canary_back(opened: OpenStore) -> None:
    """I5: (T6) what comes after the build that earned a weight serves nobody; no lease is renewed for it, and its evidence is its own."""
    life = Lives()
    life.all_goes_well(1)
    assert life.standing.state is State.CANARY
    assert opened.run(take_back_moved(opened.store, POLICY, KEY, life.now, "new")) == []
    life.a_new_build_comes()

    (down,) = opened.run(take_back_moved(opened.store, POLICY, KEY, life.now, "new"))

    assert (down.route, down.state, down.weight_bp, down.seq) == (life.route, State.SHADOW, 0, life.standing.seq + 1)
    assert opened.run(opened.store.standing(life.route)).strikes == 0
    assert opened.run(take_back_moved(opened.store, POLICY, KEY, life.now, "new")) == []
    assert life.route not in {decision.route for decision in opened.run(renew_leases(opened.store, POLICY, KEY, life.now))}
    assert opened.run(opened.store.evidence(life.route)).n == 0


def test_i9_an_approval_expires_at_the_very_instant(opened: OpenStore) -> None:
    """I9: 24 hours old to the second is too old; a lease says the same of its own end (tests/gate/test_decision.py)."""
    route = next(opened.routes)
    opened.run(act(opened.store, "approve", route, "ann", "why", POLICY, KEY, NOW, "salt"))

    for at, names in ((NOW + DAY_S - 0.001, ("ann",)), (NOW + DAY_S, ())):
        assert opened.run(opened.store.evidence(route, now=at)).approvals == names


def test_i15_a_sixth_increase_within_a_day_is_refused(opened: OpenStore) -> None:
    """I15: whatever the evidence and the people say; a day after the first one it may be tried again."""
    route, store = next(opened.routes), opened.store
    policy = replace(POLICY, approvals=0, cooldown_s=0.0, cooldown_max_s=0.0, lock_after=99, steps=(), dwell_s=())
    begun = NOW

    def take(action: str, now: float) -> Decision:
        made: Decision = opened.run(act(store, action, route, "ann", "why", policy, KEY, now, "salt", routes_total=1))
        return made

    def fill(now: float) -> None:
        rows = [
            Ended(
                boot="boot", route=route, at=now, ending=Ending.COMPARED, reason="match", unit=f"{now}-{number}", epoch="e1",
                window_s=WINDOW_S, client="c",
            )
            for number in range(200)
        ]  # fmt: skip
        opened.run(store.write(Batch(ended=tuple(rows)), 5))
        opened.run(store.close_units(now + OVER_S))

    for turn in range(5):
        at = begun + 100 * turn
        fill(at)
        assert take("promote", at + OVER_S).weight_bp == 10_000
        take("shadow", at + 2 * OVER_S)
    fill(begun + 500)
    with pytest.raises(Refused, match="increases: the weight rose 5 times within 24 h"):
        take("promote", begun + 500 + OVER_S)
    fill(begun + DAY_S)
    assert take("promote", begun + DAY_S + OVER_S).weight_bp == 10_000
