"""Redirect targets resolve against what the client asked; an inner address in a public link stays a difference."""

from __future__ import annotations

from datetime import date

import pytest

from differ.judge import judge
from rules.load import EMPTY, rules_from_case
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


DJANGO, FASTAPI = "http://django.internal:8000", "http://fastapi.internal:8001"
INNER_ASKED = ((b"Host", b"django.internal:8000"), (b"X-Forwarded-Proto", b"http"))


@pytest.mark.parametrize("form", ["{}", "<{}>; rel=next"])
@pytest.mark.parametrize(
    ("asked", "ours", "theirs", "verdict"),
    [
        # the client asked at a public address: an inner one on one side only is out of its reach
        (ASKED, "/login", f"{FASTAPI}/login", Verdict.MISMATCH),
        (ASKED, "https://shop.example/login", f"{FASTAPI}/login", Verdict.MISMATCH),
        (ASKED, f"{DJANGO}/login", "/login", Verdict.MISMATCH),
        (ASKED, "/login", f"{DJANGO}/login", Verdict.MISMATCH),
        (ASKED, f"{DJANGO}/login", f"{FASTAPI}/login", Verdict.MATCH),
        (ASKED, "/login", "https://shop.example/login", Verdict.MATCH),
        # at one of the backends, or not known where: each side's own address is as good as none
        (INNER_ASKED, "/login", f"{FASTAPI}/login", Verdict.MATCH),
        (INNER_ASKED, f"{DJANGO}/login", f"{FASTAPI}/login", Verdict.MATCH),
        (INNER_ASKED, "/login", f"{DJANGO}/login", Verdict.MATCH),
        ((), "/login", f"{FASTAPI}/login", Verdict.MATCH),
        ((), f"{DJANGO}/login", "/login", Verdict.MATCH),
        ((), "/login", f"{DJANGO}/login", Verdict.MISMATCH),
        ((), f"{FASTAPI}/login", "/login", Verdict.MISMATCH),
        ((), f"{DJANGO}/login", f"{DJANGO}/login/", Verdict.MISMATCH),
    ],
)
def test_an_inner_address_counts_as_none_only_where_the_client_may_have_asked_there(
    asked: tuple[tuple[bytes, bytes], ...], ours: str, theirs: str, verdict: Verdict, form: str
) -> None:
    rules = rules_from_case({"settings": {"bases": {"primary": [DJANGO], "candidate": [FASTAPI]}}})
    name = b"Location" if form == "{}" else b"Link"
    answers = [Response(302, ((name, form.format(target).encode()),)) for target in (ours, theirs)]

    assert judge(Request("GET", b"/a", asked), "GET /a", *answers, rules, date(2026, 1, 1)).verdict is verdict


@pytest.mark.parametrize(("asked", "verdict"), [(ASKED, Verdict.MISMATCH), ((), Verdict.TOLERATED)])
def test_a_dropped_query_does_not_bring_an_inner_address_back(asked: tuple[tuple[bytes, bytes], ...], verdict: Verdict) -> None:
    settings = {"bases": {"primary": [DJANGO], "candidate": [FASTAPI]}, "drop_query": [["page", "1"]]}
    answers = redirect(b"/a/"), redirect(f"{FASTAPI}/a/?page=1".encode())

    rules = rules_from_case({"settings": settings})
    assert judge(Request("GET", b"/a", asked), "GET /a", *answers, rules, date(2026, 1, 1)).verdict is verdict
