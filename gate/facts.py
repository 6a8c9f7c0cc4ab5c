"""What the gate is told and what it says. Rates are shares of 1, times are Unix seconds, latencies milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    """Where a route stands on its way."""

    OFF = "off"
    SHADOW = "shadow"
    CANARY = "canary"
    CUTOVER = "cutover"
    ROLLED_BACK = "rolled_back"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class LatencyEvidence:
    """One quantile's frozen thresholds and its two discordant counts (gate reference 2b)."""

    tau: str
    threshold_ms: float
    bound_ms: float
    primary_slow_only: int
    candidate_slow_only: int


@dataclass(frozen=True, slots=True)
class ShapeEvidence:
    """One kind of request: how often it was seen at all, and its closed units in this epoch. `text` describes it to people."""

    shape: str
    seen: int
    n: int
    k: int
    status_class: int
    """First digit of the primary's status, 0 where it gave no answer."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class ServedWindow:
    """A closed window's units in which clients were served by the candidate. `start` is when the first of them was seen."""

    start: float
    n: int
    k: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of a route's kinds of requests, over all epochs but for the units of each."""

    requests: int = 0
    """Requests that were looked at."""
    discovered: tuple[int, ...] = ()
    """The numbers of the requests, from 1 and rising, that brought a new shape."""
    shapes: tuple[ShapeEvidence, ...] = ()
    other: int = 0
    """Requests of shapes beyond the bound of how many are told apart."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What happened to all routes. Times are Unix seconds."""

    rolled_back_at: tuple[float, ...] = ()
    """When routes that served clients from the candidate were rolled back: the newest, as many as matter."""
    first_steps: float = 0.0
    """Share of all traffic that the candidate serves in first canary steps, of other routes."""
    traffic: float | None = None
    """This route's share of all traffic; None where it is not known."""
    drilled_at: float | None = None
    """When every proxy last took a rehearsed roll-back in time."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known about one route in its current epoch. n and k count closed units, the verdicts count exchanges."""

    route: str
    epoch: str = ""
    n: int = 0
    k: int = 0
    open_units: int = 0
    first_unit_at: float | None = None
    last_unit_at: float | None = None
    verdicts: dict[str, int] = field(default_factory=dict)
    candidate_errors: int = 0
    incident_skips: int = 0
    attempt: int = 1
    routes_total: int = 1
    latency: tuple[LatencyEvidence, ...] = ()
    latency_samples: int = 0
    approvals: tuple[str, ...] = ()
    ledger_violations: tuple[str, ...] = ()
    coverage: Coverage = Coverage()
    alpha_share: float | None = None
    """The route's share of alpha, for ever; None where it was given none: all routes of now share then."""
    fleet: Fleet | None = None
    """None where nothing of the other routes was read."""
    week_share: float | None = None
    """Share of the week's traffic, by hour of the week, in hours that have units in this epoch."""
    served: tuple[ServedWindow, ...] = ()
    """What was compared where the candidate served, oldest first: the evidence of canary steps."""
    top_client: int = 0
    """Units that the most frequent client can have at most, of n."""
    top_request: int = 0
    """The same of one canonical request."""


@dataclass(frozen=True, slots=True)
class Guard:
    """One condition of a promotion. `holds` is None while there is too little data, which never counts as true."""

    name: str
    holds: bool | None
    figure: str
    threshold: str
    missing: str = ""
    blocking: bool = True


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """May this route move? `verdict` is `pass`, `fail` or `undecided`; `reasons` are sentences for people."""

    route: str
    verdict: str
    reasons: tuple[str, ...]
    guards: tuple[Guard, ...]
    n: int
    k: int
    parity: float
    alpha: float
    log_e: float
    lower: float
    upper: float
    clean_needed: int
    epoch: str = ""
    """The epoch that was judged; a promotion binds the route to it."""
    approvals: tuple[str, ...] = ()
    """The distinct people who approved in this epoch, sorted."""


@dataclass(frozen=True, slots=True)
class RouteStanding:
    """A route's place in the state machine, as the store keeps it."""

    route: str
    state: State = State.SHADOW
    step: int = 0
    weight_bp: int = 0
    seq: int = 0
    epoch: str = ""
    since: float = 0.0
    frozen: bool = False
    locked: bool = False
    strikes: int = 0
    cooldown_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What a proxy enforces for one route: `weight_bp` ten-thousandths of its clients go to the candidate."""

    route: str
    seq: int
    state: State
    epoch: str
    weight_bp: int
    salt: str
    issued: float
    lease_until: float | None
    actor: str
    reason: str
    mac: str = ""
