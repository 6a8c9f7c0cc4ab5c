"""Settles a mismatch of a safe request by asking both sides again: bug, noise or race.

P1 and C1 are the first answers, P2 and C2 the second. At the place of each difference between P1 and C1:

- the primary moved (P1 and P2 differ there) and P2 and C2 differ there too: noise, the primary disagrees with itself;
- the primary moved and P2 and C2 agree there: raced, the data changed between the first two answers;
- the primary did not move and P2 and C2 agree: raced while a mirrored write was pending, else the candidate is unstable;
- the primary did not move and P2 and C2 differ: a mismatch, confirmed.

Second answers that answer something else say nothing about the first: one that is throttled, fails or wants a log-in, or has
another status than the first while the difference to settle is not the status. They leave the mismatch standing, unconfirmed.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from differ.facts import Difference, Judgement
from traffic.outcome import Verdict

_STOPPERS = ("status", "transport")
_DECLINING = frozenset({"401", "403", "407", "408", "425", "429"})


class _Settled(StrEnum):
    NOISE = "noise"
    RACED = "raced"
    UNSTABLE = "unstable"
    CONFIRMED = "confirmed"


def settle(first: Judgement, primary_again: Judgement, candidate_again: Judgement, write_pending: bool) -> Judgement:
    """The settled judgement. `first` is judge(P1, C1), `primary_again` judge(P1, P2), `candidate_again` judge(P2, C2).

    Only a mismatch is settled. Second answers that `useless` speaks of leave it standing, unconfirmed. On mismatch only the
    differences that are not noise stay.
    """
    if first.verdict is not Verdict.MISMATCH:
        return first
    why = useless(first, primary_again, candidate_again)
    if why:
        return replace(first, reason=_joined(f"unconfirmed: {why}", first.reason))
    settled = [_settled(d, primary_again, candidate_again, write_pending) for d in first.differences]
    left = [
        replace(difference, note=difference.note or "unstable") if how is _Settled.UNSTABLE else difference
        for difference, how in zip(first.differences, settled, strict=True)
        if how in (_Settled.CONFIRMED, _Settled.UNSTABLE)
    ]
    if left:
        reason = "confirmed" if _Settled.CONFIRMED in settled else "unstable: only the candidate's answer changed"
        return replace(first, differences=tuple(left), reason=_joined(reason, first.reason))
    if first.truncated:
        return replace(first, reason=_joined("unconfirmed: too many differences to settle each", first.reason))
    raced = _Settled.RACED in settled
    reason = "gone when asked again" if raced else "the primary disagrees with itself there"
    return replace(first, verdict=Verdict.RACED if raced else Verdict.NOISE, reason=_joined(reason, first.reason))


def useless(first: Judgement, primary_again: Judgement, candidate_again: Judgement) -> str:
    """Why the second answers settle and prove nothing; empty where they can be held against the first."""
    for judgement in (primary_again, candidate_again):
        if judgement.verdict is Verdict.INCONCLUSIVE or any(d.atom.aspect == "transport" for d in judgement.differences):
            return "asking again gave no complete answers"
    about_status = any(difference.atom.aspect == "status" for difference in first.differences)
    once = _statuses(first)
    # Answers without a difference have one status, or two that a rule holds for one: nothing moved there.
    for at, name, judgement in ((0, "primary", primary_again), (1, "candidate", candidate_again)):
        before, after = once[at], _statuses(judgement)[1]
        if not before or not after or before == after:
            continue
        if after in _DECLINING or after.startswith("5"):
            return f"asked again, the {name} answered {after}"
        if not about_status:
            return f"asked again, the {name} answered {after} instead of {before}"
    return ""


def _statuses(judgement: Judgement) -> tuple[str, str]:
    """Of the two answers; empty where there is no difference to tell them."""
    for difference in judgement.differences:
        one, _, other = difference.atom.statuses.partition("/")
        return one, other
    return "", ""


def _settled(difference: Difference, primary_again: Judgement, candidate_again: Judgement, write_pending: bool) -> _Settled:
    moved = _differs_at(primary_again, difference)
    gone = not _differs_at(candidate_again, difference)
    if moved:
        return _Settled.RACED if gone else _Settled.NOISE
    if gone:
        return _Settled.RACED if write_pending else _Settled.UNSTABLE
    return _Settled.CONFIRMED


def _differs_at(judgement: Judgement, difference: Difference) -> bool:
    """Whether a judgement has a difference at this place or around it. A differing status stands around everything."""
    if judgement.verdict is not Verdict.MISMATCH:
        return False
    if judgement.truncated:
        return True
    return any(_covers(other, difference) for other in judgement.differences)


def _covers(other: Difference, difference: Difference) -> bool:
    if other.atom.aspect in _STOPPERS:
        return True
    if other.atom.aspect != difference.atom.aspect:
        # another media type ends the comparison of bodies
        return other.atom.path == "content-type" and difference.atom.aspect == "body"
    outer, inner = other.atom.path, difference.atom.path
    if outer == inner or inner.startswith((outer + ".", outer + "[")):
        return True
    return outer.startswith("html:") and inner.startswith("html:")  # only the first differing token of a page is known


def _joined(reason: str, known: str) -> str:
    return f"{reason}; {known}" if known else reason
