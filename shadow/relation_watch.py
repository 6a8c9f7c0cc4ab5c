"""Watches every route for relations between fields that only the candidate's answers have, and reports each once per epoch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from differ.facts import Atom
from shadow.comparison import Compared
from shadow.fields import field_rows
from shadow.relations import Relation, RelationCounts
from store.records import Finding
from traffic.message import Answer, Response, Side

MAX_ROUTES = 2_000
LOOK_EVERY = 10
REPORT_EVERY = 50


@dataclass(slots=True)
class _Watched:
    counts: RelationCounts = field(default_factory=RelationCounts)
    answers: int = 0
    reported: dict[tuple[str, str], int] = field(default_factory=dict)


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
        watched.counts.observe(Side.PRIMARY, field_rows(made.primary_body or b""))
        watched.counts.observe(Side.CANDIDATE, field_rows(made.candidate_body or b""))
        watched.answers += 1
        if watched.answers % LOOK_EVERY:
            return []
        findings = []
        for relation in watched.counts.found():
            before = watched.reported.get((relation.field, relation.other))
            if before is None or relation.answers - before >= REPORT_EVERY:
                watched.reported[(relation.field, relation.other)] = relation.answers
                findings.append(self._finding(made, relation, relation.answers - (before or 0)))
        return findings

    def _finding(self, made: Compared, relation: Relation, count: int) -> Finding:
        assert isinstance(made.primary, Response)
        assert isinstance(made.candidate, Response)
        statuses = f"{made.primary.status}/{made.candidate.status}"
        detail = (
            f"{relation.field} equals {relation.other} in all {relation.answers} answers of the candidate and in none of "
            f"{relation.primary_answers} of the primary"
        )
        atom = Atom(made.exchange.route, statuses, "relation", relation.field, f"equals {relation.other}", "")
        return Finding(atom, self._now(), count, detail, made.epoch)


def _is_ok(answer: Answer) -> bool:
    return isinstance(answer, Response) and 200 <= answer.status < 300 and not answer.truncated
