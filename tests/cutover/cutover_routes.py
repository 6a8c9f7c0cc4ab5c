"""Which backend was allowed to answer whom at which time: decisions in the order in which they came into force, and what follows."""

from __future__ import annotations

from dataclasses import dataclass, field

from cutover_clients import Seen

from gate.decision import bucket
from gate.facts import Decision, State
from traffic.client import client_key
from traffic.message import Request

GRACE_S = 1.0
"""Weight changes take effect within a second."""


def route_of(segment: str) -> str:
    return f"GET /{segment}/{{id}}"


@dataclass(frozen=True, slots=True)
class Era:
    """From `begun` on a decision may be in force, from `settled` on the one before it is not: Unix seconds. None: the primary serves."""

    begun: float
    settled: float
    decision: Decision | None
    name: str = ""


@dataclass
class Ruling:
    """The eras of each route, by the first segment of its paths."""

    key: bytes
    eras: dict[str, list[Era]] = field(default_factory=dict)

    def begin(self, segment: str, begun: float, settled: float, decision: Decision | None, name: str) -> None:
        self.eras.setdefault(segment, [Era(0.0, 0.0, None, "shadow")]).append(Era(begun, settled, decision, name))

    def by_candidate(self, decision: Decision | None, segment: str, user: str) -> bool:
        """Whether this client is the candidate's under a decision whose lease holds, by the published formula."""
        if decision is None or decision.weight_bp == 0:
            return False
        if decision.state is not State.CANARY:
            return True
        headers = ((b"cookie", f"sessionid={user}".encode()),)
        known = client_key(Request("GET", b"/", headers), "", self.key)
        return bool(user) and bucket(decision.salt, route_of(segment), known) < decision.weight_bp

    def allowed(self, seen: Seen) -> bool:
        """Whether the backend that answered was one that some decision of that time allowed."""
        eras = self.eras.get(seen.segment, [Era(0.0, 0.0, None)])
        for era, following in zip(eras, [*eras[1:], None], strict=True):
            over = following is not None and seen.asked > following.settled + GRACE_S
            if (
                era.begun <= seen.ended
                and not over
                and self.by_candidate(era.decision, seen.segment, seen.user) == seen.by_candidate
            ):
                return True
        return False

    def alone(self, seen: Seen) -> Era | None:
        """The only era that an answer can belong to; None where two were possible."""
        eras = self.eras.get(seen.segment, [Era(0.0, 0.0, None)])
        possible = [
            era
            for era, following in zip(eras, [*eras[1:], None], strict=True)
            if era.begun <= seen.ended and (following is None or seen.asked <= following.settled + GRACE_S)
        ]
        return possible[0] if len(possible) == 1 else None
