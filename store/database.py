"""The store's one door. A Store is cheap to make and does no IO until it is used; it belongs to the event loop that uses it first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager

from sqlalchemy.ext.asyncio import AsyncConnection

from differ.rule_use import LoadedRule, RuleUsage
from gate.facts import Decision, Evidence, RouteStanding
from gate.shares import USUAL, UnitLimits
from store import (
    accounts,
    alpha_shares,
    audit,
    clusters,
    data_nodes,
    engine,
    evidence,
    examples,
    forgetting,
    integrity,
    overview,
    retention,
    rule_uses,
    standings,
    tallies,
    units,
    vacuum,
)
from store.errors import SQLITE, NotKept, StoreError, checked_url
from store.forgetting import Forgotten
from store.records import AuditRow, Batch, ClusterRow, Example, RouteRow, TallyRow
from store.steps import Step
from store.writer import Token, write_counts, write_kept
from traffic.ledger import Ledger

__all__ = ["Store", "StoreError", "open_store"]

MIGRATION_S = 3600.0
"""How long one statement of a migration may take on PostgreSQL: some write a large table anew."""


class Store:
    """Everything that is kept. All methods raise StoreError where the database cannot do what is asked.

    Reads see one moment. Writes are kept as a whole or not at all, from any number of processes.
    """

    def __init__(self, url: str, limits: UnitLimits) -> None:
        self._url = checked_url(url)
        self._engine = engine.make_engine(self._url)
        self._limits = limits

    async def upgrade(self, make: bool = True) -> None:
        """Migrates the store to this release. Where there is none, makes one if `make`, else raises NoStore."""
        from store import migrate  # Alembic takes a third of the import time, and a proxy never migrates

        if self._url.drivername == SQLITE:
            await migrate.upgrade(self._engine, self._url, make)
            return
        patient = engine.make_engine(self._url, command_s=MIGRATION_S)
        try:
            await migrate.upgrade(patient, self._url, make)
        finally:
            await patient.dispose()

    async def check_schema(self) -> None:
        """Raises StoreError unless the store is there, of this release, and readable."""
        from store import migrate

        await migrate.check_schema(self._engine, self._url)

    async def close(self) -> None:
        """Gives the connections back. The store may be used again afterwards, also by another event loop."""
        await self._engine.dispose()

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction for several reads of one moment; for the modules of this room."""
        return engine.reading(self._engine, self._url)

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that writes; for the modules of this room."""
        return engine.writing(self._engine, self._url)

    async def write(self, batch: Batch, keep_examples: int, token: Token | None = None) -> None:
        """Writes a batch. With a token (writer's name, growing number) writing it again after an unclear failure changes nothing.

        Raises NotKept where all is counted and only the examples could not be written: writing it again under another token would
        count it twice.
        """
        async with self.writing() as connection:
            offers = await write_counts(connection, batch, keep_examples, self._limits, token)
        if not offers and not any(sample.examples for sample in batch.samples):
            return
        try:
            async with self.writing() as connection:
                await write_kept(connection, offers, batch.samples, keep_examples)
        except Exception as error:
            text = str(error) if isinstance(error, StoreError) else type(error).__name__
            raise NotKept(f"{text} (the counts are stored, these examples are not)") from error

    async def close_units(self, now: float) -> int:
        """Folds the evidence units whose window is over, of quiet routes too, in short transactions. Returns how many."""
        folded, done = 0, False
        while not done:
            async with self.writing() as connection:
                some, done = await units.close_units(connection, now, self._limits)
            folded += some
        return folded

    async def ended_counts(self, boot: str) -> dict[str, int]:
        """How many exchanges of a proxy's boot have ended, by route."""
        async with self.reading() as connection:
            return await accounts.ended_counts(connection, boot)

    async def ledgers(self) -> dict[str, Ledger]:
        """The ledger of each route."""
        async with self.reading() as connection:
            return await accounts.read_ledgers(connection)

    async def route_rows(self, policy_routes_total: int | None = None, now: float | None = None) -> list[RouteRow]:
        """The parity table. `policy_routes_total` is the number of routes that share alpha; with `now` old approvals are left out."""
        async with self.reading() as connection:
            return await overview.read_route_rows(connection, policy_routes_total, _approved_since(now))

    async def evidence(self, route: str, routes_total: int | None = None, now: float | None = None) -> Evidence:
        """One route's evidence in its current epoch; empty where nothing is known. With `now` old approvals are left out."""
        async with self.reading() as connection:
            return await evidence.read_one(connection, route, routes_total, _approved_since(now))

    async def standing(self, route: str) -> RouteStanding:
        """Where a route stands; one that was never acted upon is in shadow."""
        async with self.reading() as connection:
            return await standings.read_standing(connection, route)

    async def decisions(self) -> list[Decision]:
        """The last signed decision of each route; one that is damaged is left out (`check` names it)."""
        async with self.reading() as connection:
            return await standings.read_decisions(connection)

    async def clusters(self, route: str | None = None) -> list[ClusterRow]:
        """All clusters, or a route's, most frequent first."""
        async with self.reading() as connection:
            return await clusters.read_clusters(connection, route)

    async def cluster(self, cluster_id: str) -> ClusterRow | None:
        """One cluster, None where there is none of that id. An id that was merged into another cluster leads there."""
        async with self.reading() as connection:
            current = await data_nodes.current_id(connection, cluster_id)
            return next(iter(await clusters.read_clusters(connection, cluster_id=current)), None)

    async def example(self, example_id: str) -> Example | None:
        """One example, None where it is not kept (any more)."""
        async with self.reading() as connection:
            return await examples.read_example(connection, example_id)

    async def examples(self, cluster_id: str) -> list[Example]:
        """A cluster's examples, oldest first. An id that was merged into another cluster leads there."""
        async with self.reading() as connection:
            return await examples.read_examples(connection, await data_nodes.current_id(connection, cluster_id))

    async def tallies(self, route: str, since: float) -> list[TallyRow]:
        """A route's verdicts and candidate errors per minute, hour or day from `since` (Unix seconds) on, oldest first."""
        async with self.reading() as connection:
            return await tallies.read_tallies(connection, route, since)

    async def rule_hits(self) -> list[tuple[str, str, int]]:
        """(rule, route, responses), most frequent first."""
        async with self.reading() as connection:
            return await rule_uses.read_rule_hits(connection)

    async def rule_usage(self) -> RuleUsage:
        """What is known of the use of rules, for `differ.audit`."""
        async with self.reading() as connection:
            return await rule_uses.read_rule_usage(connection)

    async def share_alpha(self, routes: Collection[str]) -> int:
        """Gives the routes that have none yet their share of alpha, for ever; how many."""
        async with self.writing() as connection:
            return await alpha_shares.assign_shares(connection, routes)

    async def note_loaded(self, loaded: Sequence[LoadedRule]) -> None:
        """Notes which versions of rules a shadow has loaded: an audit counts from then on."""
        async with self.writing() as connection:
            await rule_uses.write_loaded(connection, loaded)

    async def data_nodes(self) -> list[tuple[str, str]]:
        """(route, generalised path) of the nodes whose names are data."""
        async with self.reading() as connection:
            found = await data_nodes.read_data_nodes(connection)
        return sorted((route, node) for route, nodes in found.items() for node in nodes)

    async def audit(self, limit: int) -> list[AuditRow]:
        """The newest links of the audit chain, newest first."""
        async with self.reading() as connection:
            return await audit.read_audit(connection, limit)

    async def prune(
        self, before: float, now: float, most_bytes: int | None = None, tell: Callable[[Step], None] = lambda step: None
    ) -> int:
        """Takes out what is older than `before`, and the oldest examples while all take more than `most_bytes`; how many rows went.

        `before` and `now` are Unix seconds. Works in short transactions; `tell` hears of each. Counters and the audit stay.
        """
        gone = 0
        async for step in retention.prune(self.writing, before, now, most_bytes):
            gone += step.rows
            tell(step)
        async for step in vacuum.give_back(self._engine, self._url):
            tell(step)
        return gone

    async def forget(self, clients: Collection[str], example_ids: Collection[str], texts: Collection[str]) -> Forgotten:
        """Deletes the examples of these clients, of these ids, and those in which one of the texts occurs, and what clusters show of
        them. Counts stay."""
        gone = await forgetting.forget(self.reading, self.writing, clients, example_ids, texts)
        await vacuum.overwrite(self._engine, self._url)
        return gone

    async def compact(self) -> None:
        """Takes all free room out: writes a SQLite file anew, while writers wait, and PostgreSQL's indexes, while they do not."""
        await vacuum.compact(self._engine, self._url)

    async def check(self) -> list[str]:
        """What is wrong in the store, one sentence each; empty when nothing is."""
        async with self.reading() as connection:
            return await integrity.problems(connection)


def open_store(url: str, limits: UnitLimits = USUAL) -> Store:
    """The store at a SQLAlchemy URL (sqlite+aiosqlite or postgresql+asyncpg). Does no IO. Raises StoreError for any other URL.

    `limits` are those of `[gate.unit]`.
    """
    return Store(url, limits)


def _approved_since(now: float | None) -> float | None:
    return None if now is None else now - standings.APPROVAL_LIFE_S
