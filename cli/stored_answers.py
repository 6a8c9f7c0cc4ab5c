"""Stored answers as rules are asked about them: decoded bodies, and pairs that can be judged again. Reads the store, changes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

from cli.known_routes import seen
from differ.budget import LimitHit
from differ.facts import Judgement
from differ.headers import content_type, joined
from differ.json_exact import InvalidJson, parse_one
from differ.judge import judge
from rules.lint import StoredBody
from rules.model import Limits, RuleSet
from rules.narrower import Found, StoredPair
from settings.model import Settings
from store.database import Store, open_store
from store.errors import StoreError
from store.records import Example
from traffic.message import Failure, Response
from traffic.outcome import Verdict

MAX_EXAMPLES = 300
"""Examples that are read, those of the most frequent differences first."""
_CODING = (b"content-encoding", b"content-length")


@dataclass
class Stored:
    """What the store holds. `trouble` says why it could not be read; the rest is empty then."""

    bodies: list[StoredBody] = field(default_factory=list)
    pairs: list[StoredPair] = field(default_factory=list)
    routes: set[str] = field(default_factory=set)
    trouble: str = ""


def read_stored(settings: Settings, rules: RuleSet, today: date) -> Stored:
    """The answers in the configured store, of mismatches and of what rules hid. A store that cannot be read is `trouble`, no error."""

    async def read() -> tuple[list[Example], set[str]]:
        store = open_store(settings.store_url)
        try:
            await store.check_schema()
            return await _examples(store), await seen(store)
        finally:
            await store.close()

    try:
        examples, routes = asyncio.run(read())
    except (StoreError, OSError) as error:
        return Stored(trouble=str(error))
    stored = Stored(routes=routes)
    identity = frozenset({settings.candidate.build_header.lower()} if settings.candidate.build_header else ())
    for example in examples:
        if isinstance(example.primary, Failure) or isinstance(example.candidate, Failure):
            continue
        primary, candidate = plain(example.primary), plain(example.candidate)
        media = _media(primary)
        for answer in (primary, candidate):
            stored.bodies += _body(example.route, primary.status, media, answer, rules.limits)
        judging = _Judging(example, primary, candidate, identity, today)
        stored.pairs.append(StoredPair(example.route, judging.judged, judging.applied))
    return stored


def plain(answer: Response) -> Response:
    """Stored bodies are decoded: the name of their coding would have them decoded again."""
    return replace(answer, headers=tuple(pair for pair in answer.headers if pair[0].lower() not in _CODING))


async def _examples(store: Store) -> list[Example]:
    found: dict[str, Example] = {}
    for cluster in await store.clusters():
        if len(found) >= MAX_EXAMPLES:
            break
        for example in await store.examples(cluster.id):
            found.setdefault(example.id, example)
    for hidden in (await store.rule_usage()).examples:
        if len(found) >= 2 * MAX_EXAMPLES:
            break
        kept = None if hidden.example_id in found else await store.example(hidden.example_id)
        if kept is not None:
            found[kept.id] = kept
    return list(found.values())


def _media(answer: Response) -> str:
    return content_type(joined(answer.headers)).partition(";")[0].strip().lower()


def _body(route: str, status: int, media: str, answer: Response, limits: Limits) -> list[StoredBody]:
    if answer.truncated or not answer.body or not _media(answer).endswith("json"):
        return []
    try:
        document = parse_one(answer.body, limits)
    except (InvalidJson, LimitHit):
        return []
    return [] if document.duplicates else [StoredBody(route, status, media, document.value)]


class _Judging:
    """Judges one pair; the last judgement is kept for whoever asks more about it."""

    def __init__(self, example: Example, primary: Response, candidate: Response, identity: frozenset[str], today: date) -> None:
        self._judge = partial(judge, example.request, example.route, primary, candidate, today=today, identity_headers=identity)
        self._last: tuple[RuleSet, Judgement] | None = None

    def _judgement(self, rules: RuleSet) -> Judgement:
        if self._last is None or self._last[0] is not rules:
            self._last = (rules, self._judge(rules=rules))
        return self._last[1]

    def judged(self, rules: RuleSet) -> frozenset[Found] | None:
        result = self._judgement(rules)
        if result.verdict is Verdict.INCONCLUSIVE or result.truncated:
            return None
        return frozenset(
            (item.atom.aspect, item.atom.path, f"{item.atom.kind} {item.atom.types}", item.location)
            for item in result.differences
        )

    def applied(self, rules: RuleSet) -> frozenset[str]:
        return frozenset(self._judgement(rules).tolerated)
