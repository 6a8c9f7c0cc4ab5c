"""A store that keeps what it is given and can be told to fail, before or after it has committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from differ.rule_use import LoadedRule, RuleUsage
from gate.facts import Evidence
from store.errors import StoreError
from store.records import Batch, Ended, RuleSample


class ListStore:
    """Applies each token once, like the real one."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.tokens: set[tuple[str, int]] = set()
        self.down = False
        self.full = False
        self.lose_answer = False
        self.refuse: str | None = None
        self.calls = 0
        self.epoch = ""
        self.pruned: list[float] = []
        self.usage = RuleUsage()
        self.loaded: list[LoadedRule] = []
        self.nodes: list[tuple[str, str]] = []
        self.refusals = 0

    async def write(self, batch: Batch, keep_examples: int, token: tuple[str, int] | None = None) -> None:
        self.calls += 1
        if self.down:
            raise StoreError("the store is down")
        if self.refuse and any(self.refuse in item.client and item.reason == "match" for item in batch.ended):
            raise StoreError("the store does not like this batch", about_data=True)
        if self.full and batch != Batch():
            raise StoreError("the disk is full")
        if token is None or token not in self.tokens:
            self.batches.append(batch)
            if token is not None:
                self.tokens.add(token)
        if self.lose_answer:
            self.lose_answer = False
            raise StoreError("the connection broke during the commit")

    async def share_alpha(self, routes: Collection[str]) -> int:
        """Nothing is judged here."""
        return 0

    async def close_units(self, now: float) -> int:
        return 0

    async def prune(self, before: float, now: float, most_bytes: int) -> int:
        self.pruned.append(before)
        if self.down:
            raise StoreError("the store is down")
        return 0

    async def ended_counts(self, boot: str) -> dict[str, int]:
        if self.down:
            raise StoreError("the store is down")
        counts: Counter[str] = Counter()
        for item in self.ended:
            if item.boot == boot:
                counts[item.route] += item.count
        return dict(counts)

    async def evidence(self, route: str, routes_total: int | None = None) -> Evidence:
        return Evidence(route, epoch=self.epoch)

    async def note_loaded(self, loaded: Sequence[LoadedRule]) -> None:
        if self.down:
            self.refusals += 1
            raise StoreError("the store is down")
        self.loaded += loaded

    async def rule_usage(self) -> RuleUsage:
        return self.usage

    async def data_nodes(self) -> list[tuple[str, str]]:
        return self.nodes

    @property
    def samples(self) -> list[RuleSample]:
        return [item for batch in self.batches for item in batch.samples]

    @property
    def ended(self) -> list[Ended]:
        return [item for batch in self.batches for item in batch.ended]

    def reasons(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for item in self.ended:
            counts[f"{item.ending}:{item.reason}"] += item.count
        return dict(counts)
