"""A cookie whose attributes changed says which ones."""

from __future__ import annotations

from datetime import date

import pytest

from differ.judge import judge
from rules.load import EMPTY
from traffic.message import Request, Response


def answer(cookie: bytes) -> Response:
    return Response(200, ((b"Set-Cookie", cookie),))


@pytest.mark.parametrize(
    ("primary", "candidate", "note"),
    [
        (b"a=1; HttpOnly; Path=/", b"a=1; path=/", "httponly lost"),
        (b"a=1", b"a=1; samesite=lax", "samesite=lax added"),
        (b"a=1; Path=/", b"a=1; Path=/shop; Secure", "path=/ became /shop, secure added"),
    ],
)
def test_note_names_the_attributes_that_changed(primary: bytes, candidate: bytes, note: str) -> None:
    judgement = judge(Request("GET", b"/"), "GET /", answer(primary), answer(candidate), EMPTY, date(2026, 1, 1))
    assert [(item.atom.kind, item.note) for item in judgement.differences] == [("attributes", note)]
