"""Settles a mismatch of a safe request by asking both sides again, once or twice: bug, noise or race.

P1 and C1 are the first answers, P2 and C2 the second, P3 and C3 the third. At the place of each difference between P1 and C1:

- the primary moved (P1 and P2 differ there, or P1 and P3). The first round of answers that shows it decides: where its P and C
  differ too it is noise, the primary disagrees with itself; where they agree it is raced, the data changed in between;
- the primary did not move and the last P and C agree: raced while a mirrored write was pending, else the candidate is unstable;
- the primary did not move and the last P and C differ: a mismatch, confirmed; unstable if they agreed the time before.

Answers that answer something else say nothing about the first: those that are throttled, fail or want a log-in, or have another
status than the first while the difference to settle is not the status. Such a round is left out; if none is left, the mismatch
stands, unconfirmed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class Round:
    """What both sides answered when they were asked again, together."""

    primary: Judgement
    """Of P1 and this round's P."""
    candidate: Judgement
    """Of this round's P and C."""


def settle(first: Judgement, rounds: Sequence[Round], write_pending: bool) -> Judgement:
    """The settled judgement. `first` is judge(P1, C1); `rounds`, at least one, are in the order in which they were asked.

    Only a mismatch is settled. Rounds that are `useless` are left out; where no other is left it stands, unconfirmed. On mismatch
    only the differences that are neither noise nor raced stay.
    """
    if first.verdict is not Verdict.MISMATCH:
        return first
    useful = [one for one in rounds if not useless(first, one)]
    if not useful:
        return replace(first, reason=_joined(f"unconfirmed: {useless(first, rounds[-1])}", first.reason))
    settled = [_settled(difference, useful, write_pending) for difference in first.differences]
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


def useless(first: Judgement, asked: Round) -> str:
    """Why a round settles and proves nothing; empty where its answers can be held against the first."""
    for judgement in (asked.primary, asked.candidate):
        if judgement.verdict is Verdict.INCONCLUSIVE or any(d.atom.aspect == "transport" for d in judgement.differences):
            return "asking again gave no complete answers"
    about_status = any(difference.atom.aspect == "status" for difference in first.differences)
    once = _statuses(first)
    # Answers without a difference have one status, or two that a rule holds for one: nothing moved there.
    for at, name, judgement in ((0, "primary", asked.primary), (1, "candidate", asked.candidate)):
        before, after = once[at], _statuses(judgement)[1]
        if not before or not after or before == after:
            continue
        if after in _DECLINING or after.startswith("5"):
            return f"asked again, the {name} answered {after}"
        if not about_status:
            return f"asked again, the {name} answered {after} instead of {before}"
    return ""


def moved_apart(asked: Round) -> tuple[Difference, ...]:
    """Where a round shows the primary to disagree with itself, and the candidate not to have followed it: proven noise."""
    if asked.primary.verdict is not Verdict.MISMATCH:
        return ()
    # A place where the primary moved and the candidate followed is a race: it must not excuse a later difference there.
    apart = {(difference.atom.aspect, difference.atom.path) for difference in asked.candidate.differences}
    return tuple(d for d in asked.primary.differences if (d.atom.aspect, d.atom.path) in apart)


def _statuses(judgement: Judgement) -> tuple[str, str]:
    """Of the two answers; empty where there is no difference to tell them."""
    for difference in judgement.differences:
        one, _, other = difference.atom.statuses.partition("/")
        return one, other
    return "", ""


def _settled(difference: Difference, rounds: Sequence[Round], write_pending: bool) -> _Settled:
    apart = []
    for asked in rounds:
        apart.append(_differs_at(asked.candidate, difference))
        if _differs_at(asked.primary, difference):
            return _Settled.NOISE if apart[-1] else _Settled.RACED
    if not apart[-1]:
        return _Settled.RACED if write_pending else _Settled.UNSTABLE
    return _Settled.CONFIRMED if all(apart) else _Settled.UNSTABLE


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
