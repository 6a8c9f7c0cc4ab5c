"""A content coding that the client refused is a difference; any other is representation."""

from __future__ import annotations

import gzip
from datetime import date

import brotli
import pytest

from differ.judge import judge
from rules.load import EMPTY, rules_from_case
from rules.model import RuleSet
from traffic.message import Request, Response

BODY = b'{"a": 1}'
CODED = {
    "": BODY,
    "identity": BODY,
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY),
    "br": brotli.compress(BODY),
    "gzip, br": brotli.compress(gzip.compress(BODY)),
}


def paths(accept: str | None, primary: str, candidate: str, rules: RuleSet = EMPTY, method: str = "GET") -> list[str]:
    request = Request(method, b"/", ((b"Accept-Encoding", accept.encode()),) if accept is not None else ())
    answers = [
        Response(
            200,
            ((b"Content-Type", b"application/json"), *([(b"Content-Encoding", coding.encode())] if coding else ())),
            CODED[coding] if method != "HEAD" else b"",
        )
        for coding in (primary, candidate)
    ]
    judgement = judge(request, f"{method} /", answers[0], answers[1], rules, date(2026, 1, 1))
    return judgement.paths


@pytest.mark.parametrize(
    ("accept", "primary", "candidate"),
    [
        ("identity", "", "gzip"),
        ("gzip", "", "br"),
        ("gzip", "gzip", "br"),
        ("gzip", "gzip", "gzip, br"),
        ("", "", "gzip"),
        ("gzip;q=0", "", "gzip"),
        ("gzip; Q=0.000", "", "gzip"),
        ("*;q=0, identity", "", "gzip"),
        ("br;q=0, *", "gzip", "br"),
        ("gzip, identity;q=0", "gzip", ""),
        ("gzip, *;q=0", "gzip", ""),
    ],
)
def test_a_refused_coding_is_a_difference(accept: str, primary: str, candidate: str) -> None:
    assert paths(accept, primary, candidate) == ["content-encoding"]


@pytest.mark.parametrize(
    ("accept", "primary", "candidate"),
    [
        (None, "", "br"),
        ("gzip", "", "gzip"),
        ("gzip", "gzip", ""),
        ("GZIP", "", "x-gzip"),
        ("x-gzip", "", "gzip"),
        ("*", "", "br"),
        ("gzip;q=0.001", "", "gzip"),
        ("*;q=0, identity", "gzip", ""),
        ("gzip, br", "gzip", "gzip, br"),
        ("gzip", "gzip", "identity"),
        ("identity", "gzip", "br"),
        ("identity", "gzip", ""),
    ],
)
def test_an_accepted_coding_and_one_no_worse_than_the_primarys_is_none(
    accept: str | None, primary: str, candidate: str
) -> None:
    assert paths(accept, primary, candidate) == []


def test_a_refused_coding_counts_for_head_too() -> None:
    assert paths("identity", "", "gzip", method="HEAD") == ["content-encoding"]


def test_a_rule_on_the_header_explains_it() -> None:
    rules = rules_from_case({"rules": [{"target": "header:content-encoding", "action": "ignore"}]})

    assert paths("identity", "", "gzip", rules) == []
