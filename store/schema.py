"""The tables. Cost follows routes and clusters, not requests: matches only move counters.

Names of constraints follow one convention, so that migrations find them on both databases.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, LargeBinary, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from store.text import KeyText, SafeText

ROUTE_BYTES = 800
NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


CLUSTERED = {"sqlite_with_rowid": False}
"""Rows that lie in the order of their key, in one tree instead of two: half the bytes and half the writing. PostgreSQL has no such."""


class Base(DeclarativeBase):
    """All tables of the store."""

    metadata = MetaData(naming_convention=NAMING)


def _route() -> Mapped[str]:
    return mapped_column(KeyText(ROUTE_BYTES), primary_key=True)


def _key() -> Mapped[str]:
    return mapped_column(KeyText(), primary_key=True)


def _number() -> Mapped[int]:
    return mapped_column(BigInteger, primary_key=True, autoincrement=False)


def _count() -> Mapped[int]:
    return mapped_column(BigInteger, default=0)


class Boot(Base):
    """One run of a proxy process. Once `closed`, its counts are final and nothing of it can end any more."""

    __tablename__ = "boot"
    boot: Mapped[str] = _key()
    node: Mapped[str] = mapped_column(SafeText)
    closed: Mapped[int] = mapped_column(Integer, default=0)
    closed_at: Mapped[float | None] = mapped_column(Float(53))


class Opening(Base):
    """How a boot's requests were opened and answered, by slot of `traffic.ledger`: absolute counts that only grow."""

    __tablename__ = "opening"
    __table_args__ = (Index(None, "route"), CLUSTERED)
    boot: Mapped[str] = _key()
    route: Mapped[str] = _route()
    slot: Mapped[int] = _number()
    count: Mapped[int] = _count()


class End(Base):
    """How a boot's exchanges ended."""

    __tablename__ = "ledger_end"
    __table_args__ = (Index(None, "route"), CLUSTERED)
    boot: Mapped[str] = _key()
    route: Mapped[str] = _route()
    ending: Mapped[str] = _key()
    reason: Mapped[str] = _key()
    count: Mapped[int] = _count()


class Writer(Base):
    """The number of the last batch of each writer that names its batches: the same batch twice changes nothing."""

    __tablename__ = "writer"
    name: Mapped[str] = _key()
    last: Mapped[int] = mapped_column(BigInteger)


class Epoch(Base):
    """A route's evidence in one epoch. n and k count closed units; windows that ended by `closed_until` take no more good units.

    `restarts` counts the attempts of this epoch that a roll-back ended; n and k began anew each time.
    """

    __tablename__ = "evidence"
    route: Mapped[str] = _route()
    epoch: Mapped[str] = _key()
    first_seen: Mapped[float] = mapped_column(Float(53))
    last_seen: Mapped[float] = mapped_column(Float(53))
    n: Mapped[int] = _count()
    k: Mapped[int] = _count()
    first_unit_at: Mapped[float | None] = mapped_column(Float(53))
    last_unit_at: Mapped[float | None] = mapped_column(Float(53))
    closed_until: Mapped[float] = mapped_column(Float(53), default=0.0)
    incident_base: Mapped[int] = _count()
    restarts: Mapped[int] = _count()


class Window(Base):
    """A window of a (route, epoch) whose units are open. `units` is at most a tenth more than there are: `counted` at the last count,
    and one for each row written since. Of a window that was full, units of `below` and higher ranks stay out."""

    __tablename__ = "evidence_window"
    route: Mapped[str] = _route()
    epoch: Mapped[str] = _key()
    ends_at: Mapped[float] = mapped_column(Float(53), primary_key=True)
    closes_at: Mapped[float] = mapped_column(Float(53), index=True)
    units: Mapped[int] = _count()
    counted: Mapped[int] = _count()
    below: Mapped[int | None] = mapped_column(BigInteger)


class OpenUnit(Base):
    """An evidence unit whose window is open: the worst verdict so far. `rank` is a hash of the key, by which surplus is dropped.

    `bad` is 0 or 1, or 2 for the mark of a late unit that was counted already (store.late_units).
    """

    __tablename__ = "evidence_unit"
    __table_args__ = CLUSTERED
    route: Mapped[str] = _route()
    epoch: Mapped[str] = _key()
    ends_at: Mapped[float] = mapped_column(Float(53), primary_key=True)
    rank: Mapped[int] = _number()
    unit: Mapped[str] = _key()
    bad: Mapped[int] = mapped_column(Integer)
    at: Mapped[float] = mapped_column(Float(53))


class Tally(Base):
    """Verdicts per route, epoch and span of time, for charts: `span` seconds from `start` (Unix seconds), a minute, an hour or a day.

    Each exchange is in one row: minutes become hours, and hours days (store.rollup). Pruned by age. The span comes before the start, so
    that the minutes of a route lie together and leave whole pages of an index when they go.
    """

    __tablename__ = "tally"
    __table_args__ = CLUSTERED
    route: Mapped[str] = _route()
    span: Mapped[int] = _number()
    start: Mapped[int] = _number()
    epoch: Mapped[str] = _key()
    verdict: Mapped[str] = _key()
    count: Mapped[int] = _count()


class VerdictTotal(Base):
    """Verdicts per route and epoch, for the gate."""

    __tablename__ = "verdict_total"
    __table_args__ = CLUSTERED
    route: Mapped[str] = _route()
    epoch: Mapped[str] = _key()
    verdict: Mapped[str] = _key()
    count: Mapped[int] = _count()


class LatencyBucket(Base):
    """Latency histograms of an epoch in the buckets of `store.buckets`."""

    __tablename__ = "latency"
    __table_args__ = CLUSTERED
    route: Mapped[str] = _route()
    epoch: Mapped[str] = _key()
    side: Mapped[str] = _key()
    bucket: Mapped[int] = _number()
    count: Mapped[int] = _count()


class LatencyPair(Base):
    """Discordant pairs under thresholds that the first writer froze; counts under other thresholds are not mixed in."""

    __tablename__ = "latency_pair"
    route: Mapped[str] = _route()
    epoch: Mapped[str] = _key()
    tau: Mapped[str] = _key()
    threshold_ms: Mapped[float] = mapped_column(Float(53))
    bound_ms: Mapped[float] = mapped_column(Float(53))
    primary_slow_only: Mapped[int] = _count()
    candidate_slow_only: Mapped[int] = _count()


class RuleUse(Base):
    """What one version of a rule, preset or `drop_query` did on one route (differ.rule_use.RuleTally). `count`: responses."""

    __tablename__ = "rule_use"
    rule: Mapped[str] = _key()
    version: Mapped[str] = _key()
    route: Mapped[str] = _route()
    count: Mapped[int] = _count()
    differences: Mapped[int] = _count()
    first_at: Mapped[float | None] = mapped_column(Float(53))
    last_at: Mapped[float | None] = mapped_column(Float(53))
    matched: Mapped[int] = _count()
    sampled: Mapped[int] = _count()
    alone: Mapped[int] = _count()
    needed: Mapped[int] = _count()
    covered: Mapped[int] = _count()


class RuleDay(Base):
    """Responses in which a rule explained something, per UTC day; pruned by age."""

    __tablename__ = "rule_day"
    __table_args__ = CLUSTERED
    rule: Mapped[str] = _key()
    version: Mapped[str] = _key()
    route: Mapped[str] = _route()
    day: Mapped[int] = _number()
    count: Mapped[int] = _count()


class JudgedDay(Base):
    """Responses judged per UTC day, by what scopes of rules ask for: out of how many a rule explained something. Pruned by age."""

    __tablename__ = "judged_day"
    __table_args__ = CLUSTERED
    route: Mapped[str] = _route()
    status: Mapped[int] = _number()
    media: Mapped[str] = _key()
    day: Mapped[int] = _number()
    count: Mapped[int] = _count()


class RulePlace(Base):
    """Where a version of a rule hid something in the sample, up to a bound. `id` is a hash of everything but the count."""

    __tablename__ = "rule_place"
    id: Mapped[str] = _key()
    rule: Mapped[str] = mapped_column(KeyText(), index=True)
    version: Mapped[str] = mapped_column(KeyText())
    route: Mapped[str] = mapped_column(KeyText(ROUTE_BYTES))
    aspect: Mapped[str] = mapped_column(SafeText)
    path: Mapped[str] = mapped_column(SafeText)
    kind: Mapped[str] = mapped_column(SafeText)
    note: Mapped[str] = mapped_column(SafeText)
    count: Mapped[int] = _count()


class RuleLoaded(Base):
    """The versions of rules that shadows had loaded, and from when to when."""

    __tablename__ = "rule_loaded"
    rule: Mapped[str] = _key()
    version: Mapped[str] = _key()
    first_at: Mapped[float] = mapped_column(Float(53))
    last_at: Mapped[float] = mapped_column(Float(53))


class Cluster(Base):
    """All differences with one atom. `id` is the atom's own hash."""

    __tablename__ = "cluster"
    id: Mapped[str] = _key()
    route: Mapped[str] = mapped_column(KeyText(ROUTE_BYTES), index=True)
    statuses: Mapped[str] = mapped_column(SafeText)
    aspect: Mapped[str] = mapped_column(SafeText)
    path: Mapped[str] = mapped_column(SafeText)
    kind: Mapped[str] = mapped_column(SafeText)
    types: Mapped[str] = mapped_column(SafeText)
    count: Mapped[int] = _count()
    first_seen: Mapped[float] = mapped_column(Float(53))
    last_seen: Mapped[float] = mapped_column(Float(53), index=True)
    detail: Mapped[str] = mapped_column(SafeText, default="")


class ClusterClient(Base):
    """The clients a cluster was seen with, up to a bound."""

    __tablename__ = "cluster_client"
    cluster_id: Mapped[str] = mapped_column(KeyText(), ForeignKey("cluster.id", ondelete="CASCADE"), primary_key=True)
    client: Mapped[str] = _key()


class StoredExample(Base):
    """A redacted exchange: compressed, with a digest of what was compressed. Large bodies lie in `body`, `size` counts them too."""

    __tablename__ = "example"
    id: Mapped[str] = _key()
    route: Mapped[str] = mapped_column(KeyText(ROUTE_BYTES))
    at: Mapped[float] = mapped_column(Float(53), index=True)
    client: Mapped[str] = mapped_column(KeyText(), index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(KeyText())
    blob: Mapped[bytes] = mapped_column(LargeBinary)


class Body(Base):
    """A redacted body of examples, compressed, once however many examples have it. `digest` is that of the body itself."""

    __tablename__ = "body"
    digest: Mapped[str] = _key()
    blob: Mapped[bytes] = mapped_column(LargeBinary)


class ExampleBody(Base):
    """Which bodies an example has."""

    __tablename__ = "example_body"
    example_id: Mapped[str] = mapped_column(KeyText(), ForeignKey("example.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[str] = mapped_column(KeyText(), ForeignKey("body.digest"), primary_key=True, index=True)


class ExampleLink(Base):
    """Which examples a cluster keeps."""

    __tablename__ = "example_link"
    cluster_id: Mapped[str] = mapped_column(KeyText(), ForeignKey("cluster.id", ondelete="CASCADE"), primary_key=True)
    example_id: Mapped[str] = mapped_column(KeyText(), ForeignKey("example.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[float] = mapped_column(Float(53))
    __table_args__ = (Index(None, "example_id"),)


class RuleExample(Base):
    """The examples of what a version of a rule hides on a route: those of the lowest ranks."""

    __tablename__ = "rule_example"
    rule: Mapped[str] = _key()
    version: Mapped[str] = _key()
    route: Mapped[str] = _route()
    example_id: Mapped[str] = mapped_column(KeyText(), ForeignKey("example.id", ondelete="CASCADE"), primary_key=True)
    rank: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[float] = mapped_column(Float(53))
    __table_args__ = (Index(None, "example_id"),)


class DataNode(Base):
    """A node of a route's bodies whose names are data (differ.key_names): its clusters are one."""

    __tablename__ = "data_node"
    route: Mapped[str] = _route()
    node: Mapped[str] = mapped_column(KeyText(600), primary_key=True)


class ClusterAlias(Base):
    """Under which id a cluster goes on that was merged into another one: links to the old id stay good."""

    __tablename__ = "cluster_alias"
    id: Mapped[str] = _key()
    cluster_id: Mapped[str] = mapped_column(KeyText(), index=True)


class Standing(Base):
    """Where a route stands, as JSON of its RouteStanding."""

    __tablename__ = "standing"
    route: Mapped[str] = _route()
    document: Mapped[str] = mapped_column(SafeText)


class SignedDecision(Base):
    """The last decision of each route as the proxies take it, signed."""

    __tablename__ = "decision"
    route: Mapped[str] = _route()
    seq: Mapped[int] = mapped_column(BigInteger)
    document: Mapped[str] = mapped_column(SafeText)


class Approval(Base):
    """One person's approval of a route's promotion, for one epoch."""

    __tablename__ = "approval"
    route: Mapped[str] = _route()
    epoch: Mapped[str] = _key()
    actor: Mapped[str] = _key()
    at: Mapped[float] = mapped_column(Float(53))
    reason: Mapped[str] = mapped_column(SafeText)


class AuditLink(Base):
    """The audit chain: each hash covers the one before it."""

    __tablename__ = "audit"
    seq: Mapped[int] = _number()
    at: Mapped[float] = mapped_column(Float(53))
    actor: Mapped[str] = mapped_column(SafeText)
    action: Mapped[str] = mapped_column(SafeText)
    route: Mapped[str] = mapped_column(SafeText)
    before: Mapped[str] = mapped_column(SafeText)
    after: Mapped[str] = mapped_column(SafeText)
    detail: Mapped[str] = mapped_column(SafeText)
    hash: Mapped[str] = mapped_column(SafeText)
