"""Judged exchanges as a shadow ends them, made up but shaped like traffic: what the benchmarks of the store write."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from differ.facts import Atom
from gate.shapes import shape_of
from gate.units import unit_key
from store.records import DifferenceText, Ended, Example
from traffic.message import Request, Response
from traffic.outcome import CandidateError, Ending, Verdict

SHAPE = shape_of(Request("GET", b"/?limit=10"), "GET /", 200)
BEGUN = 1_700_000_400.0
"""A whole hour in Unix seconds."""


class Traffic:
    """An endless stream of ends. Routes and clients are asked after as usual: few much, many little (Zipf).

    Of the exchanges `matches` match; the others are mismatches, tolerated, or the candidate's failures. Every tenth mismatch brings
    an example of 4 KiB of JSON on each side. The same seed makes the same stream.
    """

    epoch = "0123456789abcdef"

    def __init__(self, routes: int = 200, per_second: float = 20_000.0, matches: float = 0.99, seed: int = 1) -> None:
        self._chance = random.Random(seed)
        self.routes = [f"GET /api/v1/section-{number:03}/items/{{id}}" for number in range(routes)]
        self._weights = [sum(1 / (rank + 1) for rank in range(number + 1)) for number in range(routes)]
        self._typical = [self._chance.lognormvariate(3.0, 0.8) for _ in range(routes)]
        self._per_second, self._matches = per_second, matches
        self._number = 0
        self._body = (b'{"items": [' + b", ".join(b'{"id": %d, "name": "thing %d"}' % (n, n * 7) for n in range(110)) + b"]}")[
            :4096
        ]

    def ends(self, count: int) -> list[Ended]:
        """The next ones."""
        return list(self._stream(count))

    def times(self, count: int) -> list[float]:
        """Latencies in milliseconds."""
        return [self._chance.lognormvariate(3.0, 0.8) for _ in range(count)]

    def _stream(self, count: int) -> Iterator[Ended]:
        chance = self._chance
        picked = chance.choices(range(len(self.routes)), cum_weights=self._weights, k=count)
        for number in picked:
            self._number += 1
            route = self.routes[number]
            at = BEGUN + self._number / self._per_second
            client = f"c{int(chance.paretovariate(0.7)) % 5_000:04}"
            unit = unit_key(SHAPE.digest, client, f"{route} {int(chance.paretovariate(0.5)) % 100_000}")
            times = [self._typical[number] * math.exp(chance.gauss(0, 0.4)) for _ in range(2)]
            yield self._end(route, at, client, unit, times)

    def _end(self, route: str, at: float, client: str, unit: str, times: list[float]) -> Ended:
        roll = self._chance.random()
        more: dict[str, object] = {}
        ending, reason = Ending.COMPARED, str(Verdict.MATCH)
        if roll >= self._matches:
            kind = self._number % 4
            if kind <= 1:
                reason = str(Verdict.MISMATCH)
                found = (DifferenceText(Atom(route, "200/200", "body", f"$.items[*].f{kind}", "value", "text>text"), "a", "b"),)
                more = {"differences": found, "example": self._example(route, at, found) if self._number % 40 < 2 else None}
            elif kind == 2:
                reason, more = str(Verdict.TOLERATED), {"tolerated": ("moved-slashes",)}
            else:
                ending, reason = Ending.CANDIDATE_ERROR, str(CandidateError.RESET)
        return Ended(
            boot="bench",
            route=route,
            at=at,
            ending=ending,
            reason=reason,
            epoch=self.epoch,
            client=client,
            unit=unit,
            primary_ms=times[0],
            candidate_ms=times[1],
            judged=(200, "application/json"),
            shape=SHAPE,
            **more,  # type: ignore[arg-type]  # the three of _end's own that not every end has
        )

    def _example(self, route: str, at: float, found: tuple[DifferenceText, ...]) -> Example:
        head = ((b"Content-Type", b"application/json"),)
        return Example(
            id=f"x{self._number}",
            route=route,
            at=at,
            live_side="primary",
            client="c",
            request=Request("GET", b"/api/v1/x", ((b"Accept", b"*/*"),), b""),
            primary=Response(200, head, self._body + b"%d" % self._number),
            candidate=Response(200, head, self._body),
            differences=found,
        )
