"""The tables of evidence: what the gate judges by, one row for each route and epoch, kind of request, hour or bucket."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, Integer
from sqlalchemy.orm import Mapped, mapped_column

from store.schema_base import CLUSTERED, Base, count_column, key_column, number_column, route_column
from store.text import SafeText


class Epoch(Base):
    """A route's evidence in one epoch. n and k count closed units; windows that ended by `closed_until` take no more good units.

    `restarts` counts the attempts of this epoch that a roll-back ended; n and k began anew each time.
    """

    __tablename__ = "evidence"
    route: Mapped[str] = route_column()
    epoch: Mapped[str] = key_column()
    first_seen: Mapped[float] = mapped_column(Float(53))
    last_seen: Mapped[float] = mapped_column(Float(53))
    n: Mapped[int] = count_column()
    k: Mapped[int] = count_column()
    first_unit_at: Mapped[float | None] = mapped_column(Float(53))
    last_unit_at: Mapped[float | None] = mapped_column(Float(53))
    closed_until: Mapped[float] = mapped_column(Float(53), default=0.0)
    incident_base: Mapped[int] = count_column()
    restarts: Mapped[int] = count_column()


class Window(Base):
    """A window of a (route, epoch) whose units are open. `units` is at most a tenth more than there are: `counted` at the last count,
    and one for each row written since. Of a window that was full, units of `below` and higher ranks stay out."""

    __tablename__ = "evidence_window"
    route: Mapped[str] = route_column()
    epoch: Mapped[str] = key_column()
    ends_at: Mapped[float] = mapped_column(Float(53), primary_key=True)
    closes_at: Mapped[float] = mapped_column(Float(53), index=True)
    units: Mapped[int] = count_column()
    counted: Mapped[int] = count_column()
    below: Mapped[int | None] = mapped_column(BigInteger)


class OpenUnit(Base):
    """An evidence unit whose window is open: the worst verdict so far. `rank` is a hash of the key, by which surplus is dropped.

    `bad` is 0 or 1, or 2 for the mark of a late unit that was counted already (store.late_units).
    """

    __tablename__ = "evidence_unit"
    __table_args__ = CLUSTERED
    route: Mapped[str] = route_column()
    epoch: Mapped[str] = key_column()
    ends_at: Mapped[float] = mapped_column(Float(53), primary_key=True)
    rank: Mapped[int] = number_column()
    unit: Mapped[str] = key_column()
    bad: Mapped[int] = mapped_column(Integer)
    served: Mapped[int] = mapped_column(Integer, default=0)
    """1 where a client got one of its answers from the candidate."""
    at: Mapped[float] = mapped_column(Float(53))


class AlphaShare(Base):
    """The share of alpha of a route (store.alpha_shares)."""

    __tablename__ = "alpha_share"
    route: Mapped[str] = route_column()
    share: Mapped[float] = mapped_column(Float(53))


class ShapeTotal(Base):
    """How many requests of a route were looked at; those of shapes beyond the bound are `other`."""

    __tablename__ = "shape_total"
    route: Mapped[str] = route_column()
    requests: Mapped[int] = count_column()
    shapes: Mapped[int] = count_column()
    other: Mapped[int] = count_column()


class KnownShape(Base):
    """A kind of request of a route, whatever the build: the catalogue of its traffic. `found` is the number of the first request."""

    __tablename__ = "shape"
    __table_args__ = CLUSTERED
    route: Mapped[str] = route_column()
    shape: Mapped[str] = key_column()
    found: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[float] = mapped_column(Float(53))
    seen: Mapped[int] = count_column()
    status_class: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(SafeText)


class ShapeUnits(Base):
    """Closed units of a shape in an epoch."""

    __tablename__ = "evidence_shape"
    __table_args__ = CLUSTERED
    route: Mapped[str] = route_column()
    epoch: Mapped[str] = key_column()
    shape: Mapped[str] = key_column()
    n: Mapped[int] = count_column()
    k: Mapped[int] = count_column()


class ServedUnits(Base):
    """Closed units of an epoch in which clients were served by the candidate, by the beginning of their window."""

    __tablename__ = "evidence_served"
    __table_args__ = CLUSTERED
    route: Mapped[str] = route_column()
    epoch: Mapped[str] = key_column()
    start: Mapped[float] = mapped_column(Float(53), primary_key=True)
    n: Mapped[int] = count_column()
    k: Mapped[int] = count_column()


class WeekUnits(Base):
    """Closed units of an epoch by hour of the week (0: Thursday 0 h UTC, as Unix time begins)."""

    __tablename__ = "evidence_week"
    __table_args__ = CLUSTERED
    route: Mapped[str] = route_column()
    epoch: Mapped[str] = key_column()
    cell: Mapped[int] = number_column()
    n: Mapped[int] = count_column()


class FrequentUnits(Base):
    """Units of the most frequent clients, or requests, of an epoch (gate.shares.Frequent) in one row, as JSON: they change together.

    `most` is what the most frequent one can have at most.
    """

    __tablename__ = "evidence_frequent"
    __table_args__ = CLUSTERED
    route: Mapped[str] = route_column()
    epoch: Mapped[str] = key_column()
    kind: Mapped[str] = key_column()
    counts: Mapped[str] = mapped_column(SafeText)
    missed: Mapped[int] = count_column()
    most: Mapped[int] = count_column()


class TrafficHour(Base):
    """Exchanges of a route by hour, compared or not: the profile of its week. Pruned after four of them."""

    __tablename__ = "traffic_hour"
    __table_args__ = CLUSTERED
    route: Mapped[str] = route_column()
    start: Mapped[int] = number_column()
    count: Mapped[int] = count_column()


class VerdictTotal(Base):
    """Verdicts per route and epoch, for the gate."""

    __tablename__ = "verdict_total"
    __table_args__ = CLUSTERED
    route: Mapped[str] = route_column()
    epoch: Mapped[str] = key_column()
    verdict: Mapped[str] = key_column()
    count: Mapped[int] = count_column()


class LatencyPair(Base):
    """Discordant pairs under thresholds that the first writer froze; counts under other thresholds are not mixed in."""

    __tablename__ = "latency_pair"
    route: Mapped[str] = route_column()
    epoch: Mapped[str] = key_column()
    tau: Mapped[str] = key_column()
    threshold_ms: Mapped[float] = mapped_column(Float(53))
    bound_ms: Mapped[float] = mapped_column(Float(53))
    primary_slow_only: Mapped[int] = count_column()
    candidate_slow_only: Mapped[int] = count_column()
