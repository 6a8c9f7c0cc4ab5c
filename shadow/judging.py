"""Asks the differ, kept off the event loop where an answer is large, and turns its faults into one clear error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from differ.facts import Atom, Difference, Judgement
from differ.judge import judge
from differ.key_names import RouteKeyNames
from rules.model import RuleSet
from shadow.faults import place_of
from traffic.message import Answer, Request, Response

log = structlog.get_logger("paritygate.shadow")

INLINE_BYTES = 16 * 1024
MAX_KINDS = 100


class DifferFailed(Exception):
    """The differ raised: the exchange is `lost: differ_failed`."""


class Judging:
    """Judges pairs under one rule set. `now` is Unix time; rules expire by its UTC date."""

    def __init__(self, rules: RuleSet, identity_headers: frozenset[str], now: Callable[[], float]) -> None:
        self._rules, self._identity, self._now = rules, identity_headers, now
        self._logged: set[str] = set()
        self.key_names = RouteKeyNames()
        """Which nodes of bodies have names that are data, over all answers judged here."""

    async def judge(self, request: Request, route: str, primary: Answer, candidate: Answer) -> Judgement:
        """The judgement of one pair. Raises DifferFailed."""
        today = datetime.fromtimestamp(self._now(), UTC).date()

        def work() -> Judgement:
            return judge(request, route, primary, candidate, self._rules, today, identity_headers=self._identity)

        try:
            return work() if _is_quick(primary, candidate) else await asyncio.to_thread(work)
        except Exception as error:
            kind = type(error).__name__
            if kind not in self._logged and len(self._logged) < MAX_KINDS:
                self._logged.add(kind)
                log.error("the differ failed; more faults of this kind are counted only", route=route, fault=place_of(error))
            raise DifferFailed(kind) from error

    def named(self, judgement: Judgement) -> Judgement:
        """A settled judgement as it is recorded: names that are data over many answers are generalised, equal atoms are one."""
        differences = self.named_differences(judgement.differences)
        return judgement if differences == judgement.differences else replace(judgement, differences=differences)

    def named_differences(self, differences: tuple[Difference, ...]) -> tuple[Difference, ...]:
        """The differences with generalised names, the first one of each atom."""
        made: dict[Atom, Difference] = {}
        for difference in differences:
            atom = difference.atom
            if atom.aspect == "body":
                path = self.key_names.learn(atom.route, atom.path)
                if path != atom.path:
                    atom = replace(atom, path=path)
                    difference = replace(difference, atom=atom)
            made.setdefault(atom, difference)
        return tuple(made.values())


def _is_quick(primary: Answer, candidate: Answer) -> bool:
    """Whether a pair costs less than a thread: little is parsed, or nothing because the bodies are the same."""
    if not isinstance(primary, Response) or not isinstance(candidate, Response):
        return True
    return len(primary.body) + len(candidate.body) <= INLINE_BYTES or primary.body == candidate.body
