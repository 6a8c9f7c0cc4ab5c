"""Short ways to make answers for tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from differ.facts import Judgement
from differ.judge import judge
from rules.load import rules_from_case
from rules.model import RuleSet
from traffic.message import Headers, Request, Response

TODAY = date(2026, 11, 21)
BASES = {"bases": {"primary": ["http://django.internal:8000"], "candidate": ["http://fastapi.internal:8001"]}}


def answer(
    body: Any = b"", status: int = 200, headers: dict[str, str] | None = None, kind: str = "application/json"
) -> Response:
    """A response; a body that is no bytes is dumped as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs: Headers = tuple((name.encode(), value.encode()) for name, value in (headers or {}).items())
    if kind:
        pairs = ((b"Content-Type", kind.encode()), *pairs)
    return Response(status, pairs, raw)


def ruleset(*rules: dict[str, Any], presets: tuple[str, ...] = (), **settings: Any) -> RuleSet:
    """A rule set in the case file's form."""
    return rules_from_case({"rules": list(rules), "presets": list(presets), "settings": {**BASES, **settings}})


def judged(
    primary: Response,
    candidate: Response,
    *rules: dict[str, Any],
    presets: tuple[str, ...] = (),
    method: str = "GET",
    **settings: Any,
) -> Judgement:
    """The judgement of a pair."""
    made = ruleset(*rules, presets=presets, **settings)
    return judge(Request(method, b"/api/items/"), f"{method} /api/items/", primary, candidate, made, TODAY)


def said(judgement: Judgement) -> tuple[str, list[str]]:
    """Verdict and paths."""
    return judgement.verdict.value, judgement.paths


@pytest.fixture(scope="session")
def reply() -> Callable[..., Response]:
    """Makes a response: `reply(body, status, headers, kind)`."""
    return answer


@pytest.fixture(scope="session")
def judge_pair() -> Callable[..., Judgement]:
    """Judges a pair: `judge_pair(primary, candidate, *rules, presets=(), method="GET", **settings)`."""
    return judged


@pytest.fixture(scope="session")
def say() -> Callable[..., tuple[str, list[str]]]:
    """Verdict and paths of two JSON bodies: `say(a, b, *rules, presets=())`."""

    def both(a: Any, b: Any, *rules: dict[str, Any], **more: Any) -> tuple[str, list[str]]:
        return said(judged(answer(a), answer(b), *rules, **more))

    return both
