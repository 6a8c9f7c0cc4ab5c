"""Finds out on a sample what each rule hides, beside the judging and never in its way.

The sample is a hash of the exchange's id, so it does not depend on verdicts, and the first few exchanges of each rule on each
route, so that rare rules get data. One exchange is examined at a time, for at most TIME_SHARE of the time; what comes faster
than that is left out and counted.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import structlog

from differ.left_out import Examined, Hidden, examine
from differ.rule_use import HiddenPlace, RuleTally
from differ.samples import in_sample, rank
from rules.model import RuleSet
from rules.subset import Subsets
from shadow.comparison import Compared
from shadow.endings import Endings
from shadow.faults import place_of
from shadow.judging import Judging
from store.records import DifferenceText, Example, RuleSample
from traffic.message import Response

log = structlog.get_logger("paritygate.shadow")

SHARE = 0.01
FIRST_FEW = 5
TIME_SHARE = 0.05
MAX_WAITING = 16
MAX_WAITING_BYTES = 8 * 1024 * 1024
MAX_USES = 20_000
MAX_NOTE = 100

Use = tuple[str, str]
"""(rule, route)"""


class RuleSamples:
    """`put` takes what a sample showed. `now` is Unix time, `clock` monotonic seconds, `versions` are the rules' by name."""

    def __init__(
        self,
        rules: RuleSet,
        versions: Mapping[str, str],
        identity_headers: frozenset[str],
        judging: Judging,
        endings: Endings,
        put: Callable[[Sequence[RuleSample]], None],
        now: Callable[[], float],
        clock: Callable[[], float],
        keep_examples: int,
        share: float = SHARE,
        first_few: int = FIRST_FEW,
    ) -> None:
        self._subsets, self._versions, self._identity = Subsets(rules), versions, identity_headers
        self._judging, self._endings, self._put = judging, endings, put
        self._now, self._clock, self._keep, self._share, self._first = now, clock, keep_examples, share, first_few
        self._waiting: deque[tuple[Compared, int]] = deque()
        self._bytes = 0
        self._due = asyncio.Event()
        self._met: OrderedDict[Use, int] = OrderedDict()
        self._kept: OrderedDict[Use, list[int]] = OrderedDict()
        self._failed_kinds: set[str] = set()
        self.counts: Counter[str] = Counter()
        """`taken` into the sample, `left_out` of it for want of time; of those taken `done` and `failed`."""

    def observe(self, made: Compared) -> None:
        """Puts an exchange in line if it belongs to the sample. Never raises, never waits."""
        applied = made.judgement.tolerated
        if not applied or not isinstance(made.primary, Response) or not isinstance(made.candidate, Response):
            return
        uses = [(name, made.exchange.route) for name in applied]
        rare = any(self._met.get(use, 0) < self._first for use in uses)
        if not rare and not in_sample(made.exchange.id, self._share):
            return
        size = (
            len(made.primary.body) + len(made.candidate.body) + len(made.primary_body or b"") + len(made.candidate_body or b"")
        )
        if len(self._waiting) >= MAX_WAITING or self._bytes + size > MAX_WAITING_BYTES:
            self.counts["left_out"] += 1
            return
        for use in uses:
            self._met[use] = self._met.get(use, 0) + 1
            self._met.move_to_end(use)
        while len(self._met) > MAX_USES:
            self._met.popitem(last=False)
        self._bytes += size
        self._waiting.append((made, size))
        self.counts["taken"] += 1
        self._due.set()

    async def run(self) -> None:
        """Examines what waits, until it is cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                made, size = self._waiting.popleft()
                self._bytes -= size
                begun = self._clock()
                await self._examine(made)
                spent = max(0.0, self._clock() - begun)
                await asyncio.sleep(spent / TIME_SHARE - spent)

    async def _examine(self, made: Compared) -> None:
        try:
            examined = await asyncio.to_thread(self._examined, made)
            self._put(await self._samples(made, examined))
            self.counts["done"] += 1
        except Exception as error:
            self.counts["failed"] += 1
            kind = type(error).__name__
            if kind not in self._failed_kinds:
                self._failed_kinds.add(kind)
                log.error(
                    "what rules hide cannot be examined; more faults of this kind are counted only", fault=place_of(error)
                )

    def _examined(self, made: Compared) -> Examined:
        exchange = made.exchange
        return examine(
            exchange.request,
            exchange.route,
            made.primary,
            made.candidate,
            self._subsets,
            datetime.fromtimestamp(self._now(), UTC).date(),
            identity_headers=self._identity,
            urgency=lambda name: self._met.get((name, exchange.route), 0),
        )

    async def _samples(self, made: Compared, examined: Examined) -> list[RuleSample]:
        hidden = {item.rule: item for item in examined.hidden}
        return [await self._sample(made, name, hidden.get(name)) for name in sorted(examined.matching)]

    async def _sample(self, made: Compared, name: str, hidden: Hidden | None) -> RuleSample:
        version, route = self._versions.get(name, ""), made.exchange.route
        if hidden is None:  # it matched and was not named, or there was no time to leave it out
            return RuleSample(RuleTally(name, version, route, matched=1))
        tally = RuleTally(
            name,
            version,
            route,
            matched=1,
            sampled=1,
            alone=int(hidden.alone),
            needed=int(hidden.needed),
            covered=int(hidden.covered),
        )
        texts = self._endings.texts(self._judging.named_differences(hidden.differences))
        places = tuple(
            HiddenPlace(name, version, route, text.atom.aspect, text.atom.path, text.atom.kind, text.note[:MAX_NOTE])
            for text in texts
        )
        return RuleSample(tally, places, await self._examples(made, name, version, hidden, texts))

    async def _examples(
        self, made: Compared, name: str, version: str, hidden: Hidden, texts: tuple[DifferenceText, ...]
    ) -> tuple[Example, ...]:
        """The exchange, where its rank is among the lowest met here: the store keeps the lowest of all."""
        if not hidden.needed:
            return ()
        example_id = f"{made.exchange.id}.{version[:8] or 'rule'}"
        number, use = rank(example_id), (name, made.exchange.route)
        kept = self._kept.setdefault(use, [])
        if len(self._kept) > MAX_USES:
            self._kept.popitem(last=False)
        insort(kept, number)
        del kept[self._keep :]
        if number not in kept:
            return ()
        reason = f"what {name} hides: without it this answer is {hidden.verdict_without}"
        return (await self._endings.example_beside(made, texts, example_id, reason),)
