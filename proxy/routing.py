"""Where a request goes: its route and its live side are decided once, when its head is complete, and never again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from traffic.message import Side

if TYPE_CHECKING:  # the parent of the workers needs a backend's address, and none of mitmproxy
    from mitmproxy.http import HTTPFlow, Request

    from proxy.live_flow import LiveFlow


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a backend listens. Comes from the configuration only, never from a request."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Backend:
        """The backend behind a URL of the configuration."""
        parts = urlsplit(url)
        return cls(parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


def point(request: Request, backend: Backend) -> None:
    """Sends the request to `backend`. The fields are set beneath mitmproxy's setters, which would rewrite Host."""
    request.data.host = backend.host
    request.data.port = backend.port
    request.data.scheme = backend.scheme.encode("ascii")
    request.data.authority = b""


def direct(live: LiveFlow, side: Side, primary: Backend, candidate: Backend) -> None:
    """Sends the flow to one side, with the path that side knows it by."""
    request = live.flow.request
    live.live_side = side
    if side is Side.PRIMARY:
        point(request, primary)
        request.data.path = live.target
        return
    point(request, candidate)
    path = live.match.candidate_path()
    if path is not None:
        _, question, query = live.target.partition(b"?")
        request.data.path = path + question + query


def backend_of(flow: HTTPFlow) -> Backend:
    """The backend that mitmproxy itself would use, in `mitmdump --mode reverse:URL`."""
    data = flow.request.data
    return Backend(data.scheme.decode("ascii"), data.host, data.port)
