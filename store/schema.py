"""The tables. Cost follows routes and clusters, not requests: matches only move counters. Those of evidence are in a room beside."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from store.evidence_schema import AlphaShare as AlphaShare
from store.evidence_schema import Epoch as Epoch
from store.evidence_schema import FrequentUnits as FrequentUnits
from store.evidence_schema import KnownShape as KnownShape
from store.evidence_schema import LatencyPair as LatencyPair
from store.evidence_schema import OpenUnit as OpenUnit
from store.evidence_schema import ServedUnits as ServedUnits
from store.evidence_schema import ShapeTotal as ShapeTotal
from store.evidence_schema import ShapeUnits as ShapeUnits
from store.evidence_schema import TrafficHour as TrafficHour
from store.evidence_schema import VerdictTotal as VerdictTotal
from store.evidence_schema import WeekUnits as WeekUnits
from store.evidence_schema import Window as Window
from store.schema_base import CLUSTERED, count_column, key_column, number_column, route_column
from store.schema_base import ROUTE_BYTES as ROUTE_BYTES
from store.schema_base import Base as Base
from store.text import KeyText, SafeText


class Boot(Base):
    """One run of a proxy process. Once `closed`, its counts are final and nothing of it can end any more."""

    __tablename__ = "boot"
    boot: Mapped[str] = key_column()
    node: Mapped[str] = mapped_column(SafeText)
    closed: Mapped[int] = mapped_column(Integer, default=0)
    closed_at: Mapped[float | None] = mapped_column(Float(53))


class Opening(Base):
    """How a boot's requests were opened and answered, by slot of `traffic.ledger`: absolute counts that only grow."""

    __tablename__ = "opening"
    __table_args__ = (Index(None, "route"), CLUSTERED)
    boot: Mapped[str] = key_column()
    route: Mapped[str] = route_column()
    slot: Mapped[int] = number_column()
    count: Mapped[int] = count_column()


class End(Base):
    """How a boot's exchanges ended."""

    __tablename__ = "ledger_end"
    __table_args__ = (Index(None, "route"), CLUSTERED)
    boot: Mapped[str] = key_column()
    route: Mapped[str] = route_column()
    ending: Mapped[str] = key_column()
    reason: Mapped[str] = key_column()
    count: Mapped[int] = count_column()


class Writer(Base):
    """The number of the last batch of each writer that names its batches: the same batch twice changes nothing."""

    __tablename__ = "writer"
    name: Mapped[str] = key_column()
    last: Mapped[int] = mapped_column(BigInteger)


class Tally(Base):
    """Verdicts per route, epoch and span of time, for charts: `span` seconds from `start` (Unix seconds), a minute, an hour or a day.

    Each exchange is in one row: minutes become hours, and hours days (store.rollup). Pruned by age. The span comes before the start, so
    that the minutes of a route lie together and leave whole pages of an index when they go.
    """

    __tablename__ = "tally"
    __table_args__ = CLUSTERED
    route: Mapped[str] = route_column()
    span: Mapped[int] = number_column()
    start: Mapped[int] = number_column()
    epoch: Mapped[str] = key_column()
    verdict: Mapped[str] = key_column()
    count: Mapped[int] = count_column()


class LatencyBucket(Base):
    """Latency histograms of an epoch in the buckets of `store.buckets`."""

    __tablename__ = "latency"
    __table_args__ = CLUSTERED
    route: Mapped[str] = route_column()
    epoch: Mapped[str] = key_column()
    side: Mapped[str] = key_column()
    bucket: Mapped[int] = number_column()
    count: Mapped[int] = count_column()


class RuleUse(Base):
    """What one version of a rule, preset or `drop_query` did on one route (differ.rule_use.RuleTally). `count`: responses."""

    __tablename__ = "rule_use"
    rule: Mapped[str] = key_column()
    version: Mapped[str] = key_column()
    route: Mapped[str] = route_column()
    count: Mapped[int] = count_column()
    differences: Mapped[int] = count_column()
    first_at: Mapped[float | None] = mapped_column(Float(53))
    last_at: Mapped[float | None] = mapped_column(Float(53))
    matched: Mapped[int] = count_column()
    sampled: Mapped[int] = count_column()
    alone: Mapped[int] = count_column()
    needed: Mapped[int] = count_column()
    covered: Mapped[int] = count_column()


class RuleDay(Base):
    """Responses in which a rule explained something, per UTC day; pruned by age."""

    __tablename__ = "rule_day"
    __table_args__ = CLUSTERED
    rule: Mapped[str] = key_column()
    version: Mapped[str] = key_column()
    route: Mapped[str] = route_column()
    day: Mapped[int] = number_column()
    count: Mapped[int] = count_column()


class JudgedDay(Base):
    """Responses judged per UTC day, by what scopes of rules ask for: out of how many a rule explained something. Pruned by age."""

    __tablename__ = "judged_day"
    __table_args__ = CLUSTERED
    route: Mapped[str] = route_column()
    status: Mapped[int] = number_column()
    media: Mapped[str] = key_column()
    day: Mapped[int] = number_column()
    count: Mapped[int] = count_column()


class RulePlace(Base):
    """Where a version of a rule hid something in the sample, up to a bound. `id` is a hash of everything but the count."""

    __tablename__ = "rule_place"
    id: Mapped[str] = key_column()
    rule: Mapped[str] = mapped_column(KeyText(), index=True)
    version: Mapped[str] = mapped_column(KeyText())
    route: Mapped[str] = mapped_column(KeyText(ROUTE_BYTES))
    aspect: Mapped[str] = mapped_column(SafeText)
    path: Mapped[str] = mapped_column(SafeText)
    kind: Mapped[str] = mapped_column(SafeText)
    note: Mapped[str] = mapped_column(SafeText)
    count: Mapped[int] = count_column()


class RuleLoaded(Base):
    """The versions of rules that shadows had loaded, and from when to when."""

    __tablename__ = "rule_loaded"
    rule: Mapped[str] = key_column()
    version: Mapped[str] = key_column()
    first_at: Mapped[float] = mapped_column(Float(53))
    last_at: Mapped[float] = mapped_column(Float(53))


class Cluster(Base):
    """All differences with one atom. `id` is the atom's own hash."""

    __tablename__ = "cluster"
    id: Mapped[str] = key_column()
    route: Mapped[str] = mapped_column(KeyText(ROUTE_BYTES), index=True)
    statuses: Mapped[str] = mapped_column(SafeText)
    aspect: Mapped[str] = mapped_column(SafeText)
    path: Mapped[str] = mapped_column(SafeText)
    kind: Mapped[str] = mapped_column(SafeText)
    types: Mapped[str] = mapped_column(SafeText)
    count: Mapped[int] = count_column()
    first_seen: Mapped[float] = mapped_column(Float(53))
    last_seen: Mapped[float] = mapped_column(Float(53), index=True)
    detail: Mapped[str] = mapped_column(SafeText, default="")


class ClusterClient(Base):
    """The clients a cluster was seen with, up to a bound."""

    __tablename__ = "cluster_client"
    cluster_id: Mapped[str] = mapped_column(KeyText(), ForeignKey("cluster.id", ondelete="CASCADE"), primary_key=True)
    client: Mapped[str] = key_column()


class StoredExample(Base):
    """A redacted exchange: compressed, with a digest of what was compressed. Large bodies lie in `body`, `size` counts them too."""

    __tablename__ = "example"
    id: Mapped[str] = key_column()
    route: Mapped[str] = mapped_column(KeyText(ROUTE_BYTES))
    at: Mapped[float] = mapped_column(Float(53), index=True)
    client: Mapped[str] = mapped_column(KeyText(), index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(KeyText())
    blob: Mapped[bytes] = mapped_column(LargeBinary)


class Body(Base):
    """A redacted body of examples, compressed, once however many examples have it. `digest` is that of the body itself."""

    __tablename__ = "body"
    digest: Mapped[str] = key_column()
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
    rule: Mapped[str] = key_column()
    version: Mapped[str] = key_column()
    route: Mapped[str] = route_column()
    example_id: Mapped[str] = mapped_column(KeyText(), ForeignKey("example.id", ondelete="CASCADE"), primary_key=True)
    rank: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[float] = mapped_column(Float(53))
    __table_args__ = (Index(None, "example_id"),)


class DataNode(Base):
    """A node of a route's bodies whose names are data (differ.key_names): its clusters are one."""

    __tablename__ = "data_node"
    route: Mapped[str] = route_column()
    node: Mapped[str] = mapped_column(KeyText(600), primary_key=True)


class ClusterAlias(Base):
    """Under which id a cluster goes on that was merged into another one: links to the old id stay good."""

    __tablename__ = "cluster_alias"
    id: Mapped[str] = key_column()
    cluster_id: Mapped[str] = mapped_column(KeyText(), index=True)


class Standing(Base):
    """Where a route stands, as JSON of its RouteStanding."""

    __tablename__ = "standing"
    route: Mapped[str] = route_column()
    document: Mapped[str] = mapped_column(SafeText)


class SignedDecision(Base):
    """The last decision of each route as the proxies take it, signed."""

    __tablename__ = "decision"
    route: Mapped[str] = route_column()
    seq: Mapped[int] = mapped_column(BigInteger)
    document: Mapped[str] = mapped_column(SafeText)


class Approval(Base):
    """One person's approval of a route's promotion, for one epoch."""

    __tablename__ = "approval"
    route: Mapped[str] = route_column()
    epoch: Mapped[str] = key_column()
    actor: Mapped[str] = key_column()
    at: Mapped[float] = mapped_column(Float(53))
    reason: Mapped[str] = mapped_column(SafeText)


class AuditLink(Base):
    """The audit chain: each hash covers the one before it."""

    __tablename__ = "audit"
    seq: Mapped[int] = number_column()
    at: Mapped[float] = mapped_column(Float(53))
    actor: Mapped[str] = mapped_column(SafeText)
    action: Mapped[str] = mapped_column(SafeText)
    route: Mapped[str] = mapped_column(SafeText)
    before: Mapped[str] = mapped_column(SafeText)
    after: Mapped[str] = mapped_column(SafeText)
    detail: Mapped[str] = mapped_column(SafeText)
    hash: Mapped[str] = mapped_column(SafeText)
