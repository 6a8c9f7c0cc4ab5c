"""Compared exchanges of one route, made up, and a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass

from differ.facts import Atom, Difference, Judgement
from shadow.comparison import Compared
from traffic.message import Answer, Exchange, Request, Response, Side
from traffic.outcome import Verdict


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def compared(
    verdict: Verdict = Verdict.MATCH,
    live_side: Side = Side.CANDIDATE,
    primary: Answer | None = None,
    candidate: Answer | None = None,
    client: str = "c",
    build: str = "b1",
    primary_ms: float = 5.0,
    candidate_ms: float = 5.0,
    path: str = "$.a",
) -> Compared:
    differences = (Difference(Atom("GET /a", "200/200", "body", path, "value"), "1", "2", path),)
    judgement = Judgement(verdict, differences if verdict is Verdict.MISMATCH else ())
    exchange = Exchange("b", 1, "GET /a", client, live_side, 1.0, 1.0, Request("GET", b"/a"), Response(200))
    return Compared(
        exchange,
        "epoch",
        build,
        primary or Response(200),
        candidate or Response(200),
        b"",
        b"",
        primary_ms,
        candidate_ms,
        judgement,
    )
