"""Asking again tells bugs, noise and races apart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from differ.again import settle
from differ.facts import Judgement
from differ.judge import judge
from rules.load import EMPTY
from traffic.message import Answer, Failure, Request, Response

TODAY = date(2026, 11, 21)


def pair(a: Answer, b: Answer) -> Judgement:
    return judge(Request("GET", b"/"), "GET /", a, b, EMPTY, TODAY)


@pytest.mark.parametrize(
    ("p1", "c1", "p2", "c2", "pending", "verdict", "paths"),
    [
        ({"x": 1}, {"x": 2}, {"x": 1}, {"x": 2}, False, "mismatch", ["$.x"]),
        ({"x": 1}, {"x": 2}, {"x": 3}, {"x": 4}, False, "noise", []),
        ({"x": 1}, {"x": 2}, {"x": 2}, {"x": 2}, False, "raced", []),
        ({"x": 1}, {"x": 2}, {"x": 1}, {"x": 1}, True, "raced", []),
        ({"x": 1}, {"x": 2}, {"x": 1}, {"x": 1}, False, "mismatch", ["$.x"]),
        ({"x": 1, "n": 1}, {"x": 2, "n": 2}, {"x": 1, "n": 3}, {"x": 2, "n": 4}, False, "mismatch", ["$.x"]),
    ],
)
def test_settling(
    p1: Any, c1: Any, p2: Any, c2: Any, pending: bool, verdict: str, paths: list[str], reply: Callable[..., Response]
) -> None:
    first, second = (reply(p1), reply(c1)), (reply(p2), reply(c2))

    settled = settle(pair(*first), pair(first[0], second[0]), pair(*second), pending)

    assert (settled.verdict.value, settled.paths) == (verdict, paths)


@pytest.mark.parametrize("failed", ["primary", "candidate"])
def test_a_second_answer_that_failed_leaves_an_unconfirmed_mismatch(failed: str, reply: Callable[..., Response]) -> None:
    one, other = reply({"x": 1}), reply({"x": 2})
    p2: Answer = Failure("timeout") if failed == "primary" else one
    c2: Answer = Failure("timeout") if failed == "candidate" else other

    settled = settle(pair(one, other), pair(one, p2), pair(p2, c2), False)

    assert settled.verdict.value == "mismatch"
    assert settled.reason.startswith("unconfirmed")


@pytest.mark.parametrize(
    ("p2", "c2"),
    [
        (429, 200),
        (503, 200),
        (401, 200),
        (404, 200),
        (429, 429),
        (503, 503),
        (404, 404),
        (200, 429),
        (200, 500),
        (200, 404),
    ],
)
def test_a_second_answer_of_another_kind_excuses_nothing(p2: int, c2: int, reply: Callable[..., Response]) -> None:
    """A wrong price stays a mismatch when the primary or the candidate throttles, fails or has nothing more to show."""
    one, other = reply({"x": 1, "n": 1}), reply({"x": 2, "n": 2})
    again = [reply({"x": 3, "n": 3} if status == 200 else {"detail": "no"}, status=status) for status in (p2, c2)]

    settled = settle(pair(one, other), pair(one, again[0]), pair(again[0], again[1]), True)

    assert (settled.verdict.value, settled.paths) == ("mismatch", ["$.n", "$.x"])
    assert settled.reason.startswith("unconfirmed: asked again, ")


@pytest.mark.parametrize(
    ("statuses", "verdict", "reason"),
    [
        ((200, 404, 404, 404), "raced", "gone when asked again"),
        ((200, 404, 404, 200), "noise", "the primary disagrees with itself there"),
        ((200, 500, 200, 500), "mismatch", "confirmed"),
        ((429, 200, 429, 200), "mismatch", "confirmed"),
        ((200, 500, 500, 500), "mismatch", "unconfirmed: asked again, the primary answered 500"),
        ((200, 404, 429, 429), "mismatch", "unconfirmed: asked again, the primary answered 429"),
        ((500, 200, 200, 200), "raced", "gone when asked again"),
    ],
)
def test_settling_a_status(
    statuses: tuple[int, int, int, int], verdict: str, reason: str, reply: Callable[..., Response]
) -> None:
    p1, c1, p2, c2 = (reply({}, status=status) for status in statuses)

    settled = settle(pair(p1, c1), pair(p1, p2), pair(p2, c2), False)

    assert (settled.verdict.value, settled.reason) == (verdict, reason)
