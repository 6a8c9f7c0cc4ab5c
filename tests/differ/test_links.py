"""Redirect targets resolve against what the client asked; an inner address in a public link stays a difference."""

from __future__ import annotations

from datetime import date

import pytest

from differ.judge import judge
from rules.load import EMPTY
from traffic.message import Request, Response
from traffic.outcome import Verdict

ASKED = ((b"Host", b"shop.example"), (b"X-Forwarded-Proto", b"https"))


def redirect(location: bytes) -> Response:
    return Response(302, ((b"Location", location),))


@pytest.mark.parametrize(
    ("asked", "location", "verdict"),
    [
        (ASKED, b"https://shop.example/a/", Verdict.MATCH),
        (ASKED, b"http://shop.example/a/", Verdict.MISMATCH),
        (ASKED, b"https://shop.example.evil/a/", Verdict.MISMATCH),
        (ASKED, b"https://shop.example/b/", Verdict.MISMATCH),
        (ASKED[:1], b"https://shop.example/a/", Verdict.MISMATCH),
        ((), b"https://shop.example/a/", Verdict.MISMATCH),
    ],
)
def test_relative_redirect_equals_the_absolute_one_to_the_same_origin(asked, location: bytes, verdict: Verdict) -> None:  # type: ignore[no-untyped-def]
    judgement = judge(Request("GET", b"/a", asked), "GET /a", redirect(b"/a/"), redirect(location), EMPTY, date(2026, 1, 1))
    assert judgement.verdict is verdict


def test_an_inner_address_in_a_body_link_stays_a_difference() -> None:
    def page(link: bytes) -> Response:
        return Response(200, ((b"Content-Type", b"application/json"),), b'{"next":"' + link + b'"}')

    asked = Request("GET", b"/a", ASKED)
    public, inner = page(b"https://shop.example/a?page=2"), page(b"http://fastapi.internal:8001/a?page=2")
    assert judge(asked, "GET /a", public, inner, EMPTY, date(2026, 1, 1)).paths == ["$.next"]
