"""Pairs of answers that make a careless comparison slow: each has to end within a second of CPU time.

`CASES` of the modules beside this one maps a name to what makes a pair from a size, and the size that counts.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from differ.facts import Judgement
from differ.judge import judge
from rules.load import rules_from_case
from traffic.message import Headers, Request, Response

Rules = tuple[dict[str, Any], ...]
TODAY = date(2026, 11, 21)


class Pair(NamedTuple):
    """Two answers and the rules they are judged under."""

    primary: Response
    candidate: Response
    rules: Rules = ()
    presets: tuple[str, ...] = ()
    settings: dict[str, Any] | None = None


def judged_pair(pair: Pair) -> Judgement:
    """The judgement of a costly pair; its rules are loaded on the way, as `compare` does."""
    document = {"rules": list(pair.rules), "presets": list(pair.presets), "settings": pair.settings or {}}
    request = Request("GET", b"/api/items/")
    return judge(request, "GET /api/items/", pair.primary, pair.candidate, rules_from_case(document), TODAY)


def raw(body: bytes, kind: str = "application/json", headers: Headers = ()) -> Response:
    """A response with these bytes."""
    return Response(200, ((b"Content-Type", kind.encode()), *headers), body)


def spelled(value: Any) -> Response:
    """A response with `value` as JSON."""
    return raw(json.dumps(value).encode())


def documents(a: Any, b: Any, *rules: dict[str, Any]) -> Pair:
    """A pair of JSON documents under rules."""
    return Pair(spelled(a), spelled(b), rules)


def rule(path: str, action: str, **parameters: Any) -> dict[str, Any]:
    """One rule in the case file's form."""
    return {"path": path, "action": action, **parameters}


UNORDERED = rule("$", "unordered")
KEYED = rule("$", "keyed", by="id")
DEEP_UNORDERED = rule("$..*", "unordered")
Sized = tuple[Callable[[int], Pair], int]


def shuffled(items: list[Any], seed: int = 1) -> list[Any]:
    """A shuffled copy."""
    made = list(items)
    random.Random(seed).shuffle(made)
    return made


def nested(depth: int, leaf: str, opening: str = "[") -> bytes:
    """A document of so many levels."""
    return (opening * depth + leaf + ("]" if opening == "[" else "}") * depth).encode()
