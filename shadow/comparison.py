"""What is known of one compared exchange once it is judged; what the counting parts are told."""

from __future__ import annotations

from dataclasses import dataclass

from differ.facts import Judgement
from traffic.message import Answer, Exchange


@dataclass(frozen=True, slots=True)
class Compared:
    """An exchange with both answers by role. Bodies are the decoded ones, None where there is none or it cannot be decoded."""

    exchange: Exchange
    epoch: str
    build: str
    primary: Answer
    candidate: Answer
    primary_body: bytes | None
    candidate_body: bytes | None
    primary_ms: float
    candidate_ms: float
    judgement: Judgement
