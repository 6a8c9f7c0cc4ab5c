"""Asking again tells bugs, noise and races apart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from differ.again import Round, moved_apart, settle
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

    settled = settle(pair(*first), [Round(pair(first[0], second[0]), pair(*second))], pending)

    assert (settled.verdict.value, settled.paths) == (verdict, paths)


@pytest.mark.parametrize("failed", ["primary", "candidate"])
def test_a_second_answer_that_failed_leaves_an_unconfirmed_mismatch(failed: str, reply: Callable[..., Response]) -> None:
    one, other = reply({"x": 1}), reply({"x": 2})
    p2: Answer = Failure("timeout") if failed == "primary" else one
    c2: Answer = Failure("timeout") if failed == "candidate" else other

    settled = settle(pair(one, other), [Round(pair(one, p2), pair(p2, c2))], False)

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

    settled = settle(pair(one, other), [Round(pair(one, again[0]), pair(again[0], again[1]))], True)

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

    settled = settle(pair(p1, c1), [Round(pair(p1, p2), pair(p2, c2))], False)

    assert (settled.verdict.value, settled.reason) == (verdict, reason)


def settled(values: list[tuple[Any, Any]], pending: bool, reply: Callable[..., Response]) -> Judgement:
    """The settlement of (P1, C1), (P2, C2) and so on."""
    answers = [(reply(ours), reply(theirs)) for ours, theirs in values]
    rounds = [Round(pair(answers[0][0], ours), pair(ours, theirs)) for ours, theirs in answers[1:]]
    return settle(pair(*answers[0]), rounds, pending)


@pytest.mark.parametrize(
    ("values", "pending", "verdict", "reason"),
    [
        # a coin that both sides toss: it took the second round to see the primary's other face
        ([(1, 2), (1, 2), (2, 1)], False, "noise", "the primary disagrees with itself there"),
        ([(1, 2), (1, 1), (2, 1)], False, "noise", "the primary disagrees with itself there"),
        # the first round that shows the primary to move decides
        ([(1, 2), (3, 4), (5, 5)], False, "noise", "the primary disagrees with itself there"),
        ([(5, 4), (4, 4), (3, 9)], False, "raced", "gone when asked again"),
        # the primary was behind
        ([(5, 4), (5, 4), (4, 4)], False, "raced", "gone when asked again"),
        # the mirrored write arrived between the two rounds, or had arrived before the first
        ([(5, 4), (5, 4), (5, 5)], True, "raced", "gone when asked again"),
        ([(5, 4), (5, 5), (5, 5)], True, "raced", "gone when asked again"),
        # no write was on its way: the candidate changes by itself
        ([(5, 4), (5, 4), (5, 5)], False, "mismatch", "unstable: only the candidate's answer changed"),
        ([(5, 4), (5, 5), (5, 4)], False, "mismatch", "unstable: only the candidate's answer changed"),
        ([(5, 4), (5, 5), (5, 4)], True, "mismatch", "unstable: only the candidate's answer changed"),
        # a bug
        ([(5, 4), (5, 4), (5, 4)], True, "mismatch", "confirmed"),
        ([(5, 4), (5, 3), (5, 2)], False, "mismatch", "confirmed"),
    ],
)
def test_settling_with_two_rounds(
    values: list[tuple[int, int]], pending: bool, verdict: str, reason: str, reply: Callable[..., Response]
) -> None:
    made = settled([({"x": ours}, {"x": theirs}) for ours, theirs in values], pending, reply)
    assert (made.verdict.value, made.reason) == (verdict, reason)


def test_noise_of_the_first_round_and_of_the_second_leave_the_bug_between_them(reply: Callable[..., Response]) -> None:
    values = [
        ({"a": 1, "b": 1, "x": 5}, {"a": 2, "b": 2, "x": 6}),
        ({"a": 3, "b": 1, "x": 5}, {"a": 4, "b": 2, "x": 6}),
        ({"a": 1, "b": 3, "x": 5}, {"a": 2, "b": 4, "x": 6}),
    ]
    made = settled(values, False, reply)
    assert (made.verdict.value, made.paths, made.reason) == ("mismatch", ["$.x"], "confirmed")


@pytest.mark.parametrize("first_is_useless", [True, False])
def test_a_round_of_another_kind_is_left_out(first_is_useless: bool, reply: Callable[..., Response]) -> None:
    one, other, throttled = reply({"x": 1}), reply({"x": 2}), reply({"detail": "slow down"}, status=429)
    useless = Round(pair(one, throttled), pair(throttled, other))
    noisy = Round(pair(one, reply({"x": 3})), pair(reply({"x": 3}), reply({"x": 4})))
    rounds = [useless, noisy] if first_is_useless else [noisy, useless]

    assert settle(pair(one, other), rounds, False).verdict.value == "noise"
    assert settle(pair(one, other), [useless, useless], False).reason.startswith("unconfirmed: asked again, the primary")


def test_places_where_the_candidate_followed_the_primary_are_no_proof_of_noise(reply: Callable[..., Response]) -> None:
    p1, p2, c2 = reply({"a": 1, "b": 1}), reply({"a": 2, "b": 2}), reply({"a": 2, "b": 3})

    assert [difference.atom.path for difference in moved_apart(Round(pair(p1, p2), pair(p2, c2)))] == ["$.b"]
    assert moved_apart(Round(pair(p1, p1), pair(p1, c2))) == ()
