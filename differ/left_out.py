"""What each rule hides: a pair is judged again with one applied rule left out at a time, and what comes back is what it hid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from differ.facts import Difference, Judgement
from differ.judge import judge
from rules.subset import Subsets
from traffic.message import Answer, Request
from traffic.outcome import Verdict

MAX_LEFT_OUT = 20
"""Names left out for one pair, each for one more judgement."""
_EQUAL = (Verdict.MATCH, Verdict.TOLERATED)


@dataclass(frozen=True, slots=True)
class Hidden:
    """One name left out of the rules. `differences` are those that came back, not there while it held."""

    rule: str
    verdict_with: Verdict
    verdict_without: Verdict
    differences: tuple[Difference, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether it alone turned the answer from mismatch to tolerated."""
        return self.verdict_with is Verdict.TOLERATED and self.verdict_without is Verdict.MISMATCH

    @property
    def needed(self) -> bool:
        """Whether anything came back, also where the answer is a mismatch all the same."""
        return bool(self.differences)

    @property
    def covered(self) -> bool:
        """Whether the pair is held equal without it too: another rule, or a representation normaliser, explains all of it.

        Neither `needed` nor `covered`: nothing is known, e.g. where a mismatch stands at the very place that the rule hides.
        """
        return self.verdict_with is Verdict.TOLERATED and self.verdict_without in _EQUAL


@dataclass(frozen=True, slots=True)
class Examined:
    """A pair judged under all rules; the names of all rules that explain some difference, also those a report does not name."""

    judgement: Judgement
    matching: frozenset[str] = frozenset()
    hidden: tuple[Hidden, ...] = ()


def examine(
    request: Request,
    route: str,
    primary: Answer,
    candidate: Answer,
    subsets: Subsets,
    today: date,
    *,
    identity_headers: frozenset[str] = frozenset(),
    urgency: Callable[[str], float] = lambda name: 0.0,
) -> Examined:
    """Judges a pair once more under all rules of `subsets`, then without each name that applied; never raises on hostile answers.

    Of more than MAX_LEFT_OUT names those with the least `urgency` value are left out in turn. Each judgement is a fresh one:
    `correlate` rules hold within the pair.
    """
    matching: set[str] = set()
    whole = judge(
        request, route, primary, candidate, subsets.rules, today, identity_headers=identity_headers, matching=matching
    )
    there = {(difference.atom, difference.location) for difference in whole.differences}
    hidden = []
    for name in sorted(whole.tolerated, key=lambda name: (urgency(name), name))[:MAX_LEFT_OUT]:
        rest = judge(request, route, primary, candidate, subsets.without(name), today, identity_headers=identity_headers)
        back = tuple(found for found in rest.differences if (found.atom, found.location) not in there)
        hidden.append(Hidden(name, whole.verdict, rest.verdict, back))
    return Examined(whole, frozenset(matching) | frozenset(whole.tolerated), tuple(hidden))
