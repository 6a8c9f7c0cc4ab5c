"""Watches every route for relations that one pair cannot show, and reports each once per epoch: a field that equals another in the
candidate's answers only, and a constant offset or factor behind a mask.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from differ.facts import Atom
from differ.field_relations import RelationCounts
from differ.field_rows import field_rows
from differ.masked_relations import MaskedRelations
from shadow.comparison import Compared
from store.records import Finding
from traffic.message import Answer, Response, Side

MAX_ROUTES = 2_000
LOOK_EVERY = 10
FIRST_ANSWERS, THEN_EVERY = 200, 10
"""Fields are compared in each of a claim's first answers, then in one of ten: reading them costs more than all the rest."""
REPORT_EVERY = 50


@dataclass(frozen=True, slots=True)
class _Seen:
    """A relation as it stands: where, what, in how many answers, in words."""

    path: str
    kind: str
    answers: int
    detail: str


@dataclass(slots=True)
class _Watched:
    fields: RelationCounts = field(default_factory=RelationCounts)
    masked: MaskedRelations = field(default_factory=MaskedRelations)
    answers: int = 0
    reported: dict[tuple[str, str], int] = field(default_factory=dict)

    def seen(self) -> Iterator[_Seen]:
        for relation in self.fields.found():
            detail = (
                f"{relation.field} equals {relation.other} in all {relation.answers} answers of the candidate and in none of "
                f"{relation.primary_answers} of the primary"
            )
            yield _Seen(relation.field, f"equals {relation.other}", relation.answers, detail)
        for hidden in self.masked.found():
            detail = (
                f"{hidden.rule} hides {hidden.path}, where the candidate's value is the primary's with {hidden.relation} in "
                f"{hidden.holds} of {hidden.answers} answers: that is no noise"
            )
            yield _Seen(hidden.path, f"{hidden.relation} behind {hidden.rule}", hidden.holds, detail)


class RelationWatch:
    """Per (route, epoch), bounded. `now` is Unix time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._watched: OrderedDict[tuple[str, str], _Watched] = OrderedDict()

    def observe(self, made: Compared) -> list[Finding]:
        """Takes both answers in; returns findings: a new relation with its whole count, later only what was added to it."""
        if not (_is_ok(made.primary) and _is_ok(made.candidate)):
            return []
        key = (made.exchange.route, made.epoch)
        watched = self._watched.get(key)
        if watched is None:
            watched = self._watched[key] = _Watched()
            if len(self._watched) > MAX_ROUTES:
                self._watched.popitem(last=False)
        watched.answers += 1
        watched.masked.observe(made.judgement.masked)
        if watched.answers <= FIRST_ANSWERS or watched.answers % THEN_EVERY == 0:
            rows = field_rows(made.primary_body or b"")
            watched.fields.observe(Side.PRIMARY, rows)
            same = made.candidate_body == made.primary_body
            watched.fields.observe(Side.CANDIDATE, rows if same else field_rows(made.candidate_body or b""))
        if watched.answers % LOOK_EVERY:
            return []
        findings = []
        for seen in watched.seen():
            before = watched.reported.get((seen.path, seen.kind))
            if before is None or seen.answers - before >= REPORT_EVERY:
                watched.reported[(seen.path, seen.kind)] = seen.answers
                findings.append(self._finding(made, seen, seen.answers - (before or 0)))
        return findings

    def _finding(self, made: Compared, seen: _Seen, count: int) -> Finding:
        assert isinstance(made.primary, Response)
        assert isinstance(made.candidate, Response)
        statuses = f"{made.primary.status}/{made.candidate.status}"
        atom = Atom(made.exchange.route, statuses, "relation", seen.path, seen.kind, "")
        return Finding(atom, self._now(), count, seen.detail, made.epoch)


def _is_ok(answer: Answer) -> bool:
    return isinstance(answer, Response) and 200 <= answer.status < 300 and not answer.truncated
