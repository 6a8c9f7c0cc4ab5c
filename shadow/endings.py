"""Builds the one `Ended` of an exchange: epoch, evidence unit, redacted differences and, now and then, an example."""

from __future__ import annotations

import asyncio
from bisect import insort
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import islice

from differ import VERSION
from differ.facts import Difference, Judgement
from differ.rule_use import Suppressed
from differ.samples import rank
from gate.epoch import epoch_of
from gate.shapes import Shape, shape_of
from gate.units import unit_of
from shadow.comparison import Compared
from shadow.modes import Modes
from shadow.redaction import DifferenceRedactor, redacted_answer
from store.records import DifferenceText, Ended, Example
from traffic.message import Exchange, Failure, Response, Side, header_values
from traffic.outcome import Ending, Lost, Skipped, Verdict
from traffic.redact import Redactor

_EVIDENCE = frozenset({Verdict.MATCH, Verdict.TOLERATED, Verdict.MISMATCH})
_SHOWN = frozenset({Verdict.MISMATCH, Verdict.CASCADE})
MAX_DIFFERENCES = 50
INLINE_BYTES = 16 * 1024
"""Bodies that are redacted on the event loop: a millisecond or two."""
REFRESH_S = 5.0
MAX_CLUSTERS = 10_000
MAX_SHAPES = 10_000
MAX_MEDIA_TYPES, MAX_MEDIA_LENGTH, MAX_MEDIA_ROUTES = 16, 100, 10_000


class ExampleOffers:
    """Which exchanges are worth the cost of an example: those that the store would keep.

    An exchange whose rank is among the `sampled` lowest that a cluster had here is offered, so that the store's lowest are those of all
    exchanges: their number grows with the logarithm of the traffic. One in REFRESH_S is offered besides, since the newest are kept, too.
    """

    def __init__(self, clock: Callable[[], float], sampled: int) -> None:
        self._clock, self._sampled = clock, sampled
        self._clusters: OrderedDict[str, tuple[list[int], float]] = OrderedDict()

    def wanted(self, cluster_ids: set[str], exchange_id: str) -> bool:
        """Whether any of the clusters should be offered this exchange now; notes the offer."""
        now, number = self._clock(), rank(exchange_id)
        wanted = False
        for cluster in cluster_ids:
            lowest, offered = self._clusters.get(cluster, ([], -REFRESH_S))
            if len(lowest) < self._sampled or number < lowest[-1]:
                insort(lowest, number)
                del lowest[self._sampled :]
                wanted = True
            wanted = wanted or now - offered >= REFRESH_S
            self._clusters[cluster] = (lowest, offered)
            self._clusters.move_to_end(cluster)
        if wanted:
            for cluster in cluster_ids:
                self._clusters[cluster] = (self._clusters[cluster][0], now)
        while len(self._clusters) > MAX_CLUSTERS:
            self._clusters.popitem(last=False)
        return wanted


class MediaTypes:
    """Keeps the media types of a route's answers few: those beyond MAX_MEDIA_TYPES, and what is no media type, are `other`."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, set[str]] = OrderedDict()

    def kept(self, route: str, media: str) -> str:
        """The media type to count under; no rule's scope names `other`, so such answers are in scope of unrestricted rules only."""
        known = self._known.setdefault(route, set())
        if len(self._known) > MAX_MEDIA_ROUTES:
            self._known.popitem(last=False)
        if media in known:
            return media
        if len(known) >= MAX_MEDIA_TYPES or len(media) > MAX_MEDIA_LENGTH or not media.isprintable():
            return "other"
        known.add(media)
        return media


@lru_cache(maxsize=10_000)
def _epoch(build: str, digest: str, route: str, mode: str) -> str:
    return epoch_of(build, digest, VERSION, route, mode)


class Endings:
    """Makes ends. `now` is Unix time, `versions` are the rules' by name. Nothing unredacted leaves it."""

    def __init__(
        self,
        redactor: Redactor,
        rules_digest: str,
        window_s: float,
        offers: ExampleOffers,
        modes: Modes,
        now: Callable[[], float],
        versions: Mapping[str, str] | None = None,
    ) -> None:
        self._redactor, self._digest, self._window = redactor, rules_digest, window_s
        self._versions = versions or {}
        self._media = MediaTypes()
        self._differences = DifferenceRedactor(redactor)
        self._offers, self._modes, self._now = offers, modes, now
        self._shapes: dict[str, Shape] = {}

    def epoch(self, exchange: Exchange, build: str) -> str:
        """The epoch of evidence this exchange belongs to."""
        return _epoch(build, self._digest, exchange.route, self._modes.of(exchange.route, exchange.live_side))

    def lost(self, exchange: Exchange, reason: Lost) -> Ended:
        """An exchange that was mirrored, or was about to be, and could not be judged."""
        return Ended(exchange.boot, exchange.route, self._now(), Ending.LOST, reason, client=exchange.client)

    def skipped(self, exchange: Exchange, reason: Skipped) -> Ended:
        """An exchange that the shadow declined."""
        return Ended(exchange.boot, exchange.route, self._now(), Ending.SKIPPED, reason, client=exchange.client)

    def compared(self, made: Compared) -> Ended:
        """An exchange with a verdict, or with a candidate that gave no complete answer; redacted here and now."""
        ended, wanted = self._counted(made)
        if not wanted:
            return ended
        return replace(ended, example=self.example(made, ended.differences, made.exchange.id, made.judgement.reason))

    async def compared_beside(self, made: Compared) -> Ended:
        """The same; the large bodies of an example are redacted off the event loop."""
        ended, wanted = self._counted(made)
        if not wanted:
            return ended
        name, reason = made.exchange.id, made.judgement.reason
        return replace(ended, example=await self.example_beside(made, ended.differences, name, reason))

    def _counted(self, made: Compared) -> tuple[Ended, bool]:
        """The end without an example, and whether one is wanted."""
        exchange, judgement = made.exchange, made.judgement
        failed = isinstance(made.candidate, Failure)
        ending = Ending.CANDIDATE_ERROR if failed else Ending.COMPARED
        reason = made.candidate.reason if isinstance(made.candidate, Failure) else judgement.verdict
        evidence = failed or judgement.verdict in _EVIDENCE
        status = made.primary.status if isinstance(made.primary, Response) else None
        shown: tuple[Difference, ...] = ()
        if failed or judgement.verdict in _SHOWN:
            shown = judgement.differences[:MAX_DIFFERENCES]
        texts = self.texts(shown)
        shape = shape_of(exchange.request, exchange.route, status)
        wanted = bool(shown) and self._offers.wanted({text.atom.cluster_id for text in texts}, exchange.id)
        ended = Ended(
            boot=exchange.boot,
            route=exchange.route,
            at=self._now(),
            ending=ending,
            reason=str(reason),
            epoch=made.epoch,
            client=exchange.client,
            unit=unit_of(exchange.request, shape.digest, exchange.client) if evidence else None,
            window_s=self._window,
            primary_ms=made.primary_ms if isinstance(made.primary, Response) else None,
            candidate_ms=made.candidate_ms if not failed else None,
            tolerated=judgement.tolerated,
            differences=texts,
            judged=self._judged(made),
            suppressed=self._suppressed(judgement),
            shape=self._shape(shape),
            served=exchange.live_side is Side.CANDIDATE,
        )
        return ended, wanted

    def _shape(self, shape: Shape) -> Shape:
        """The shape as it may be kept: the same object for the same shape, while it is remembered."""
        known = self._shapes.get(shape.digest)
        if known is None:
            known = self._shapes[shape.digest] = replace(shape, text=self._redactor.text(shape.text))
            if len(self._shapes) > MAX_SHAPES:
                self._shapes.pop(next(iter(self._shapes)))
        return known

    def _judged(self, made: Compared) -> tuple[int, str] | None:
        """What scopes of rules ask for, where rules were asked."""
        both = isinstance(made.primary, Response) and isinstance(made.candidate, Response)
        if not both or made.judgement.verdict is Verdict.INCONCLUSIVE:
            return None
        assert isinstance(made.primary, Response)
        types = b", ".join(header_values(made.primary.headers, b"content-type")).decode("latin-1")
        media = types.partition(";")[0].strip().lower()
        return made.primary.status, self._media.kept(made.exchange.route, media)

    def _suppressed(self, judgement: Judgement) -> tuple[Suppressed, ...]:
        differences = Counter(pair.rule for pair in judgement.masked)
        return tuple(Suppressed(name, self._versions.get(name, ""), max(1, differences[name])) for name in judgement.tolerated)

    def texts(self, differences: Iterable[Difference]) -> tuple[DifferenceText, ...]:
        """The differences as they may be kept, at most MAX_DIFFERENCES."""
        return tuple(self._differences.text(difference) for difference in islice(differences, MAX_DIFFERENCES))

    async def example_beside(self, made: Compared, texts: tuple[DifferenceText, ...], name: str, reason: str) -> Example:
        """The same as `example`; large bodies are redacted off the event loop."""
        size = len(made.exchange.request.body) + len(made.primary_body or b"") + len(made.candidate_body or b"")
        if size <= INLINE_BYTES:
            return self.example(made, texts, name, reason)
        return await asyncio.to_thread(self.example, made, texts, name, reason)

    def example(self, made: Compared, texts: tuple[DifferenceText, ...], name: str, reason: str) -> Example:
        """The exchange as an example of that id, redacted."""
        exchange = made.exchange
        return Example(
            id=name,
            route=exchange.route,
            at=exchange.started,
            live_side=exchange.live_side.value,
            client=exchange.client,
            request=self._redactor.request(exchange.request),
            primary=redacted_answer(self._redactor, made.primary, made.primary_body),
            candidate=redacted_answer(self._redactor, made.candidate, made.candidate_body),
            differences=texts,
            tolerated=made.judgement.tolerated,
            build=made.build,
            rules_digest=self._digest,
            reason=reason,
            primary_ms=made.primary_ms,
            candidate_ms=made.candidate_ms,
        )
