"""The cutover state machine of one route.

Everything that decides whether a route may change its place lives here, and nothing here knows of stores, proxies or clocks: a
transition is a pure function of the standing, the gate's verdict, the policy and the time.

    OFF --shadow--> SHADOW --promote--> CANARY(1) --promote--> ... --promote--> CUTOVER --retire--> RETIRED
     ^                ^  |                  |                                      |                   |
     |                |  +--- promote, where no step is configured, goes to CUTOVER                    |
     |                |                     |                                      |                   |
     |                +---- shadow ---------+--------------------------------------+                   |
     |                |                     v rollback, alarm                      v                   v
     +---- off ---- SHADOW, ROLLED_BACK <---+--------------------------------------+-------------------+
                              ROLLED_BACK --shadow--> SHADOW, once its cooldown is over

Exposure W is the share of clients that the candidate serves: `weight_bp` ten-thousandths, more than 0 in CANARY, CUTOVER and RETIRED
only. Three laws carry the whole table:

1. *Up is hard.* Only `promote` raises W, by one configured step, and only when every blocking guard of a verdict on the present epoch
   holds and the route is neither frozen, locked nor resting. These three are looked at again here, whatever the verdict says.
2. *Down is free.* `rollback` and `alarm` are never refused: not by freeze, lock, approvals, cooldown, a missing verdict or a broken
   clock. They lead to W = 0 in one step, never one step down. Where W is 0 already they change nothing but `seq`.
3. *Nothing else moves W.* freeze, unfreeze, unlock and retire leave it as it is; shadow and off leave it at 0.

Each roll-back is a strike: the route rests for 1 h, 2 h, 4 h ... up to 24 h, and the second strike within 7 days locks it. A strike
is forgotten 7 days after the last one; when that was is known from the cooldown it caused. A hard trip locks at once. `unfreeze` and
`unlock` need as many people as a promotion does.

WARNING: `TABLE` has one row for each permitted (state, action). A new action needs its rows, its place in `ACTIONS` and a sentence in
the drawing above; a row that raises W must have `_promotable` among its conditions.
`seq` rises by one with every transition: proxies take nothing that is not newer than what they have.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from gate.facts import GateVerdict, RouteStanding, State
from gate.policy import Policy
from gate.steps import next_stop
from gate.wording import duration_text

ACTIONS = ("shadow", "promote", "rollback", "freeze", "unfreeze", "unlock", "off", "retire", "alarm")


class Refused(Exception):
    """The transition is not permitted; `reasons` are all of them, as sentences for people."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Move:
    """One attempted transition and everything it may look at."""

    standing: RouteStanding
    verdict: GateVerdict | None
    policy: Policy
    now: float
    salt: str
    hard: bool


@dataclass(frozen=True, slots=True)
class Row:
    """What must hold (each condition lists its objections), and the standing that results, `seq` aside."""

    conditions: tuple[Callable[[Move], list[str]], ...]
    effect: Callable[[Move], RouteStanding]


def transition(
    standing: RouteStanding,
    action: str,
    verdict: GateVerdict | None,
    policy: Policy,
    now: float,
    salt: str,
    *,
    hard: bool = False,
) -> RouteStanding:
    """The standing after `action`. Raises Refused with every reason, ValueError for an action that does not exist.

    `salt` is what a sticky canary is drawn with (`gate.decision.issue` decides whether the old one stays). `hard` marks an alarm
    raised by a hard trip.
    """
    if action not in ACTIONS:
        raise ValueError(f"{action!r} is no action of the cutover: choose one of {', '.join(ACTIONS)}")
    row = TABLE.get((standing.state, action))
    if row is None:
        possible = [name for name in ACTIONS if (standing.state, name) in TABLE and name != "alarm"]
        raise Refused((f"{action} is not possible in state {standing.state}; possible are {', '.join(possible)}",))
    move = Move(standing, verdict, policy, now, salt, hard)
    objections = [objection for condition in row.conditions for objection in condition(move)]
    if objections:
        raise Refused(tuple(dict.fromkeys(objections)))
    return replace(row.effect(move), seq=standing.seq + 1)


def _promotable(move: Move) -> list[str]:
    """Everything holds that a higher weight needs: a verdict that passes on this epoch, and no freeze, lock or cooldown."""
    found = _judged(move)
    standing, verdict = move.standing, move.verdict
    if standing.frozen:
        found.append("frozen: the route is frozen: `cutover unfreeze`")
    if standing.locked:
        found.append("locked: the route is locked: `cutover unlock` once the cause is fixed")
    found += _rested(move)
    if verdict is not None and not verdict.epoch:
        found.append("epoch: the verdict names no epoch to bind the weight to")
    if verdict is not None and standing.weight_bp > 0 and verdict.epoch != standing.epoch:
        found.append(
            f"epoch: the weight was earned in epoch {standing.epoch or 'none'}, the verdict is on {verdict.epoch or 'none'}"
        )
    if not move.now >= standing.since:
        found.append("clock: it stands before the route's last change: are the clocks right?")
    stop = next_stop(standing, move.policy)
    if stop is not None and stop.state is State.CANARY and not move.salt:
        found.append("a canary needs a salt to draw its clients with")
    return found


def _judged(move: Move) -> list[str]:
    """A verdict that passes, is of this route, and says so in its guards as well."""
    verdict = move.verdict
    if verdict is None:
        return ["the gate has not been evaluated, and no data is never a pass"]
    found = [
        f"{guard.name}: {guard.missing or guard.figure}"
        for guard in verdict.guards
        if guard.blocking and guard.holds is not True
    ]
    if verdict.route != move.standing.route:
        found.append(f"the verdict is on {verdict.route!r}, not on {move.standing.route!r}")
    if not any(guard.name == "parity" and guard.blocking for guard in verdict.guards):
        found.append("parity: the verdict does not speak of it")
    if not found and verdict.verdict != "pass":
        found.append(f"the gate says {verdict.verdict}: {'; '.join(verdict.reasons)}")
    return found


def _rested(move: Move) -> list[str]:
    """The rest after a roll-back is over."""
    until = move.standing.cooldown_until
    if move.now >= until:
        return []
    return [f"cooldown: the route rests for another {duration_text(until - move.now)} after its roll-back"]


def _agreed(move: Move) -> list[str]:
    """As many people as a promotion takes; asked for where a stop set by the machine or a person is taken away."""
    names = move.verdict.approvals if move.verdict is not None else ()
    short = move.policy.approvals - len(set(names))
    return [f"approvals: {short} more must approve: `cutover approve`"] if short > 0 else []


def _agreed_to_unfreeze(move: Move) -> list[str]:
    """Where the route is frozen, as many people agree as a promotion takes."""
    return _agreed(move) if move.standing.frozen else []


def _agreed_to_unlock(move: Move) -> list[str]:
    """Where the route is locked, as many people agree as a promotion takes."""
    return _agreed(move) if move.standing.locked else []


def _long_cut_over(move: Move) -> list[str]:
    """The route has been cut over for as long as the policy asks for."""
    left = move.standing.since + move.policy.retire_after_s - move.now
    if left <= 0:  # false for NaN
        return []
    return [
        f"the primary may be retired after {duration_text(move.policy.retire_after_s)} of cut-over: {duration_text(left)} to go"
    ]


def _unserved(move: Move) -> list[str]:
    """No client is served by the candidate."""
    return (
        [] if move.standing.weight_bp == 0 else [f"the candidate serves {move.standing.weight_bp / 100:g} %: roll back first"]
    )


def _to_next_stop(move: Move) -> RouteStanding:
    stop = next_stop(move.standing, move.policy)
    if stop is None or move.verdict is None or stop.weight_bp <= move.standing.weight_bp:
        raise Refused((f"nothing leads up from {move.standing.state}",))
    return replace(
        move.standing,
        state=stop.state,
        step=stop.step,
        weight_bp=stop.weight_bp,
        epoch=move.verdict.epoch,
        since=move.now,
    )


def _rolled_back(move: Move) -> RouteStanding:
    standing, policy, now = move.standing, move.policy, move.now
    down = replace(standing, state=State.ROLLED_BACK, step=0, weight_bp=0)
    if not math.isfinite(now):
        # Nothing to count from: the route stays locked until people look at it, and is still rolled back.
        return replace(down, strikes=standing.strikes + 1, locked=True)
    last = standing.cooldown_until - policy.cooldown_after(standing.strikes)
    forgotten = now - last >= policy.strike_memory_s
    strikes = 1 if forgotten else standing.strikes + 1
    return replace(
        down,
        since=now,
        strikes=strikes,
        cooldown_until=max(standing.cooldown_until, now + policy.cooldown_after(strikes)),
        locked=standing.locked or move.hard or strikes >= policy.lock_after,
    )


def _unmoved(move: Move) -> RouteStanding:
    return replace(move.standing, weight_bp=0)


def _shadowed(move: Move) -> RouteStanding:
    return replace(move.standing, state=State.SHADOW, step=0, weight_bp=0, since=move.now)


def _off(move: Move) -> RouteStanding:
    return replace(move.standing, state=State.OFF, step=0, weight_bp=0, since=move.now)


def _retired(move: Move) -> RouteStanding:
    return replace(move.standing, state=State.RETIRED, since=move.now)


_SERVED = (State.CANARY, State.CUTOVER, State.RETIRED)
_UNSERVED = (State.OFF, State.SHADOW, State.ROLLED_BACK)

TABLE: dict[tuple[State, str], Row] = {
    (State.OFF, "shadow"): Row((), _shadowed),  # T1
    (State.SHADOW, "shadow"): Row((), _unmoved),
    (State.SHADOW, "promote"): Row((_promotable,), _to_next_stop),  # T2
    (State.CANARY, "promote"): Row((_promotable,), _to_next_stop),  # T3, T4
    (State.CANARY, "shadow"): Row((), _shadowed),  # T6: a new build
    (State.CUTOVER, "shadow"): Row((), _shadowed),  # T7: a new build and no pool of the old one
    (State.ROLLED_BACK, "shadow"): Row((_rested,), _shadowed),  # T8
    (State.CUTOVER, "retire"): Row((_judged, _agreed, _long_cut_over), _retired),  # T9
    **{(state, "off"): Row((_unserved,), _off) for state in State},  # T10
    **{(state, "freeze"): Row((), lambda move: replace(move.standing, frozen=True)) for state in State},  # T11
    **{(state, "unfreeze"): Row((_agreed_to_unfreeze,), lambda move: replace(move.standing, frozen=False)) for state in State},
    **{
        (state, "unlock"): Row((_agreed_to_unlock,), lambda move: replace(move.standing, locked=False)) for state in State
    },  # T12
    **{(state, action): Row((), _rolled_back) for state in _SERVED for action in ("rollback", "alarm")},  # T5
    **{(state, action): Row((), _unmoved) for state in _UNSERVED for action in ("rollback", "alarm")},
}
