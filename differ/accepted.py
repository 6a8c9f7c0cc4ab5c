"""Which content codings a client takes (RFC 9110, 12.5.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from traffic.message import Request, header_values

MAX_LISTED = 100
"""Codings of a request that are read; a client names a handful."""
_ZERO = re.compile(r";\s*q\s*=\s*0(?:\.0*)?\s*(?:;|\Z)", re.IGNORECASE)
_ALIASES = {"x-gzip": "gzip", "x-compress": "compress"}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The codings a request lists, true for those it takes; None where it says nothing, which takes all."""

    listed: dict[str, bool] | None

    def admit(self, codings: list[str]) -> bool:
        """Whether a body with these codings (in lower case, none for a plain one) can be sent. Every layer has to be taken."""
        if self.listed is None:
            return True
        listed, others = self.listed, self.listed.get("*")
        if not codings:
            return listed.get("identity", others is not False)
        return all(listed.get(_ALIASES.get(coding, coding), others is True) for coding in codings)


def accepted_codings(request: Request) -> Accepted:
    """What the request's Accept-Encoding says. A weight that is none counts as taken."""
    lines = header_values(request.headers, b"accept-encoding")
    if not lines:
        return Accepted(None)
    listed: dict[str, bool] = {}
    for part in b",".join(lines).decode("latin-1").lower().split(",", MAX_LISTED)[:MAX_LISTED]:
        name = part.partition(";")[0].strip()
        if name:
            listed.setdefault(_ALIASES.get(name, name), _ZERO.search(part) is None)
    return Accepted(listed)
