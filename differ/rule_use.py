"""What is counted about rules: facts that add up from any number of processes, in any order.

A rule is counted by its name and version (`rules.subset.version_of`), so that a rule that was changed starts anew. Days are UTC
days since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Suppressed:
    """One rule applied in one pair of answers: `differences` it explained, at least one, counted up to what a judgement keeps."""

    rule: str
    version: str = ""
    differences: int = 1


@dataclass(frozen=True, slots=True)
class RuleTally:
    """The counts of one rule on one route. Times are Unix seconds, None where unknown.

    `differences` it explained in `responses`. Of the sampled exchanges: `matched` it could explain something; `sampled` it was
    applied and left out, whereupon in `alone` the answer turned into a mismatch, in `needed` something came back, and in
    `covered` the answers were held equal all the same.
    """

    rule: str
    version: str
    route: str
    differences: int = 0
    responses: int = 0
    first_at: float | None = None
    last_at: float | None = None
    matched: int = 0
    sampled: int = 0
    alone: int = 0
    needed: int = 0
    covered: int = 0

    def plus(self, other: RuleTally) -> RuleTally:
        """Both together, under this one's name; associative and commutative."""
        firsts = [at for at in (self.first_at, other.first_at) if at is not None]
        lasts = [at for at in (self.last_at, other.last_at) if at is not None]
        return replace(
            self,
            differences=self.differences + other.differences,
            responses=self.responses + other.responses,
            first_at=min(firsts, default=None),
            last_at=max(lasts, default=None),
            matched=self.matched + other.matched,
            sampled=self.sampled + other.sampled,
            alone=self.alone + other.alone,
            needed=self.needed + other.needed,
            covered=self.covered + other.covered,
        )


@dataclass(frozen=True, slots=True)
class HiddenPlace:
    """Where a rule hid something in the sample: differences by generalised path, kind and note, never their values."""

    rule: str
    version: str
    route: str
    aspect: str
    path: str
    kind: str
    note: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class JudgedKind:
    """Responses judged on one UTC day: of one route, with this status and media type of the primary's answer."""

    route: str
    status: int
    media: str
    day: int
    count: int


@dataclass(frozen=True, slots=True)
class DayUse:
    """Responses in which a rule explained something on one UTC day."""

    rule: str
    version: str
    route: str
    day: int
    responses: int


@dataclass(frozen=True, slots=True)
class LoadedRule:
    """A version of a rule that shadows had loaded, from its first to its last sign of life (Unix seconds)."""

    rule: str
    version: str
    first_at: float
    last_at: float


@dataclass(frozen=True, slots=True)
class HiddenExample:
    """An example, by id, of what a rule hides on a route."""

    rule: str
    version: str
    route: str
    example_id: str


@dataclass(frozen=True, slots=True)
class RuleUsage:
    """Everything that is known of the use of rules. `judged` and `days` reach back as far as the retention, `tallies` for ever."""

    tallies: tuple[RuleTally, ...] = ()
    places: tuple[HiddenPlace, ...] = ()
    judged: tuple[JudgedKind, ...] = ()
    days: tuple[DayUse, ...] = ()
    loaded: tuple[LoadedRule, ...] = ()
    examples: tuple[HiddenExample, ...] = ()
