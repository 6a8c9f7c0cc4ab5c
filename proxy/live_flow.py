"""What the live path knows about one request while it is under way."""

from __future__ import annotations

from dataclasses import dataclass

from mitmproxy.http import HTTPFlow

from proxy.tee import Tee
from traffic.message import Headers, Side
from traffic.outcome import Refused, Skipped
from traffic.route import RouteMatch

KEY = "paritygate.live"


@dataclass(slots=True)
class LiveFlow:
    """One client request. `skip` is set as soon as it is known that no copy will be sent; times are monotonic but for `started`."""

    flow: HTTPFlow
    label: str
    match: RouteMatch
    client: str
    method: str
    target: bytes
    headers: Headers
    started: float
    begun: float
    live_side: Side = Side.PRIMARY
    decided_by: int = 0
    """The seq of the decision that gave it to the candidate."""
    skip: Skipped | None = None
    refusal: Refused | None = None
    timed_out: bool = False
    request_tee: Tee | None = None
    request_ended: float | None = None
    answer_tee: Tee | None = None
    answer_headers: Headers = ()
    answer_begun: float | None = None
    answer_ended: float | None = None
    answered: int | None = None
    """The status of the complete answer, while the rest of the request is still to come."""
    endless: bool = False
    """The answer's length is unknown while it runs."""
    left: float | None = None
    """When the client closed its sending side; it may still read, or be gone."""
    settled: bool = False
    client_id: str = ""

    def forget_bodies(self) -> None:
        """Frees the copies; bodies that still pass keep passing."""
        for tee in (self.request_tee, self.answer_tee):
            if tee is not None:
                tee.drop()


def live_of(flow: HTTPFlow) -> LiveFlow | None:
    """What `requestheaders` has noted about this flow."""
    found = flow.metadata.get(KEY)
    return found if isinstance(found, LiveFlow) else None
