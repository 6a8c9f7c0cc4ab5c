"""What is written to the store and read from it, as plain facts. Whatever is in an Example or a DifferenceText is redacted already."""

from __future__ import annotations

from dataclasses import dataclass, field

from differ.facts import Atom
from differ.rule_use import HiddenPlace, RuleTally, Suppressed
from gate.facts import Evidence, RouteStanding
from gate.shapes import Shape
from store.opening_counts import OpeningCounts as OpeningCounts
from traffic.ledger import Ledger
from traffic.message import Answer, Request
from traffic.outcome import Ending


@dataclass(frozen=True, slots=True)
class DifferenceText:
    """A difference as it is kept: its atom's identity and redacted texts."""

    atom: Atom
    primary: str | None
    candidate: str | None
    location: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One exchange kept as an example, redacted, bodies decoded. `id` is the exchange's id."""

    id: str
    route: str
    at: float
    live_side: str
    client: str
    request: Request
    primary: Answer
    candidate: Answer
    differences: tuple[DifferenceText, ...]
    tolerated: tuple[str, ...] = ()
    build: str = ""
    rules_digest: str = ""
    reason: str = ""
    primary_ms: float | None = None
    candidate_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """One exchange that leaves `pending`, counted exactly once, in the transaction that stores everything about it."""

    boot: str
    route: str
    at: float
    ending: Ending
    reason: str
    epoch: str = ""
    client: str = ""
    unit: str | None = None
    """Key of the evidence unit (shape, client bucket, canonical request), None where the exchange is no evidence."""
    window_s: float = 3600.0
    """Length of the unit's window; the window's number is int(at // window_s)."""
    primary_ms: float | None = None
    candidate_ms: float | None = None
    tolerated: tuple[str, ...] = ()
    differences: tuple[DifferenceText, ...] = ()
    """The mismatching differences; each distinct atom counts one in its cluster."""
    count: int = 1
    """How many exchanges: more than 1 where nothing that is stored tells them apart (shadow.spool), or nothing else is known of them."""
    example: Example | None = None
    """Offered for every cluster of `differences`; the store keeps at most `keep_examples` per cluster."""
    judged: tuple[int, str] | None = None
    """Status and media type of the primary's answer, by which rules' scopes go; None where rules were not asked."""
    suppressed: tuple[Suppressed, ...] = ()
    served: bool = False
    """Whether the client got the candidate's answer."""
    shape: Shape | None = None
    """The kind of request, its description redacted; None where the exchange was not looked at."""
    """More about the names in `tolerated`; a name that is not here counts as version "" with one difference."""


@dataclass(frozen=True, slots=True)
class LatencyCounts:
    """Increments of one quantile's discordant pairs under thresholds frozen for (route, epoch, tau)."""

    route: str
    epoch: str
    tau: str
    threshold_ms: float
    bound_ms: float
    primary_slow_only: int
    candidate_slow_only: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding about many exchanges (aspect `latency` or `relation`): its cluster, how often it was seen, one sentence of detail."""

    atom: Atom
    at: float
    count: int
    detail: str
    epoch: str = ""
    example: Example | None = None


@dataclass(frozen=True, slots=True)
class RuleSample:
    """What a sample showed of one version of a rule on one route: increments, and examples of what it hid, redacted."""

    tally: RuleTally
    places: tuple[HiddenPlace, ...] = ()
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction writes. `data_nodes` are (route, generalised path) of nodes whose names turned out to be data."""

    ended: tuple[Ended, ...] = ()
    openings: tuple[OpeningCounts, ...] = ()
    latency: tuple[LatencyCounts, ...] = ()
    findings: tuple[Finding, ...] = ()
    samples: tuple[RuleSample, ...] = ()
    data_nodes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """A cluster as people see it."""

    id: str
    atom: Atom
    count: int
    clients: int
    first_seen: float
    last_seen: float
    detail: str
    example_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteRow:
    """One line of the parity table; everything the gate needs is in `evidence` and `standing`."""

    route: str
    standing: RouteStanding
    evidence: Evidence
    ledger: Ledger
    clusters: int
    primary_p50_ms: float | None = None
    candidate_p50_ms: float | None = None
    primary_p95_ms: float | None = None
    candidate_p95_ms: float | None = None
    tolerated: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TallyRow:
    """Verdict counts of one route in `span` seconds from `at` (Unix seconds): a minute, an hour or a day."""

    at: int
    span: int
    verdicts: dict[str, int]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One link of the audit chain."""

    seq: int
    at: float
    actor: str
    action: str
    route: str
    before: str
    after: str
    detail: str
    hash: str
