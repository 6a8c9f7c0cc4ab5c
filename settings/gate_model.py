"""The `[gate]` table. None means the profile's own value (gate.policy); gate.policies makes each route's policy of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from gate.policies import policies_for
from settings.section import Section
from settings.units import Duration
from traffic.route import parse_match


class Unit(Section):
    """How requests become evidence."""

    window: Duration | None = Field(None, gt=0, description="length of a unit's window (default 1h, demo 2s)")
    max_open: int = Field(20_000, ge=1, description="open units per route")
    max_share_client: float | None = Field(
        None, gt=0, le=1, description="share of an epoch's units that one client may have (default 0.05, demo 1)"
    )
    max_share_request: float | None = Field(
        None, gt=0, le=1, description="share of an epoch's units that one canonical request may have (default 0.2, demo 1)"
    )


class Span(Section):
    """How long evidence must have been gathered."""

    min: Duration | None = Field(None, ge=0, description="first to last unit (default 7d, strict 14d, demo 20s)")
    profile: float | None = Field(
        None, ge=0, le=1, description="share of the week's traffic in hours with evidence (default 0.95, demo 0)"
    )


class Latency(Section):
    """Margins of the latency claim: ratio and slack; the larger bound counts."""

    p50: tuple[float, Duration] | None = Field(None, description="e.g. [1.10, '5ms']")
    p95: tuple[float, Duration] | None = None
    p99: tuple[float, Duration] | None = None
    required: bool | None = Field(None, description="whether the latency claim blocks (default true, demo false)")
    calibrate: int | None = Field(None, ge=10, description="primary samples before the thresholds are frozen (default 5000)")


class Coverage(Section):
    """What must have been compared of each kind of request (shape) and status."""

    required: bool | None = Field(None, description="whether coverage blocks (default true, demo false)")
    unseen: float | None = Field(None, gt=0, lt=1, description="share of the traffic of unseen shapes at most (default 0.005)")
    delta: float | None = Field(None, gt=0, lt=1, description="error allowed in that claim (default 0.05)")
    shape_share: float | None = Field(None, ge=0, le=1, description="a shape with this share needs per_shape (default 0.005)")
    per_shape: int | None = Field(None, ge=1, description="units of each such shape (default 59)")
    class_share: float | None = Field(None, ge=0, le=1, description="a status class with this share (default 0.001)")
    per_status_class: int | None = Field(None, ge=1, description="needs so many units (default 299)")
    covered_traffic: float | None = Field(None, ge=0, le=1, description="share of the traffic of covered shapes (default 0.99)")
    max_shapes: int | None = Field(None, ge=1, le=100_000, description="shapes of a route that are told apart (default 2000)")


class Approvals(Section):
    """How many people must agree."""

    count: int | None = Field(None, ge=0, le=10)


class Canary(Section):
    """Steps between shadow and cutover, as shares of clients."""

    steps: tuple[float, ...] | None = Field(None, description="default [0.01, 0.05, 0.25, 0.50], demo []")
    dwell: tuple[Duration, ...] | None = Field(None, description="least time in each step; default ['1h', '4h', '24h', '24h']")
    step_p0: float | None = Field(None, gt=0, lt=1, description="parity that each step must show by itself (default 0.99)")
    step_clean: int | None = Field(None, ge=1, description="units of each step at least (default 363)")


class Overrides(Section):
    """What may differ from the `[gate]` tables of the same names."""

    parity: float | None = Field(None, gt=0, lt=1, description="the parity asked for (p0)")
    span: Span = Field(Span(), description="as [gate.span]")
    coverage: Coverage = Field(Coverage(), description="as [gate.coverage]")
    latency: Latency = Field(Latency(), description="as [gate.latency]")
    approvals: Approvals = Field(Approvals(), description="as [gate.approvals]")
    canary: Canary = Field(Canary(), description="as [gate.canary]")


class Tier(Overrides):
    """One tier."""


class Tiers(Section):
    """A: sign-in, payment; B: every other; C: little traffic. A number is the tier's parity; a table overrides more, as for a route."""

    A: Tier = Field(Tier(), description="0.9999, or a table")
    B: Tier = Field(Tier(), description="gate.parity, or a table")
    C: Tier = Field(Tier(), description="0.99, or a table")

    @field_validator("A", "B", "C", mode="before")
    @classmethod
    def _number_is_the_parity(cls, value: Any) -> Any:
        return {"parity": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


class RouteGate(Overrides):
    """One route's own thresholds: they win over its tier's, which win over `[gate]`."""

    route: str = Field(description="as `paritygate routes` prints it, e.g. 'POST /api/orders/'")
    tier: Literal["A", "B", "C"] = Field("B", description="its tier")
    weight: float | None = Field(
        None, gt=0, le=1, description="its share of gate.alpha; all of them and gate.reserve are 1 at the most together"
    )

    @field_validator("route")
    @classmethod
    def _check_route(cls, value: str) -> str:
        return " ".join(parse_match(value))


class Gate(Section):
    """What must hold before a route may move."""

    profile: Literal["default", "strict", "demo"] = "default"
    parity: float = Field(0.999, gt=0, lt=1, description="tier B's p0")
    alpha: float = Field(0.05, gt=0, lt=1, description="total error, spread over the routes")
    reserve: float = Field(1.0, gt=0, le=1, description="share of alpha for the routes that have no weight of their own")
    unit: Unit = Unit()
    span: Span = Span()
    coverage: Coverage = Coverage()
    latency: Latency = Latency()
    approvals: Approvals = Approvals()
    canary: Canary = Canary()
    tiers: Tiers = Tiers()
    routes: tuple[RouteGate, ...] = ()

    @model_validator(mode="after")
    def _one_parity_of_tier_b(self) -> Gate:
        other = self.tiers.B.parity
        if other is not None and "parity" in self.model_fields_set and other != self.parity:
            raise ValueError(f"parity = {self.parity} and tiers.B = {other} are both tier B's: give one of them")
        return self

    @model_validator(mode="after")
    def _makes_sense(self) -> Gate:
        policies_for(self.profile, self.parity, self.alpha, self.model_dump(exclude={"profile", "parity", "alpha"}))
        return self
