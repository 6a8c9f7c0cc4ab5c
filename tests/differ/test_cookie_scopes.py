"""What of several Set-Cookie lines counts, and what makes two of them one cookie."""

from __future__ import annotations

from datetime import date

import pytest

from differ.cookies import parse_cookie
from differ.judge import judge
from rules.load import EMPTY, rules_from_case
from traffic.message import Request, Response

TODAY = date(2026, 11, 21)


def paths(primary: list[bytes], candidate: list[bytes]) -> list[str]:
    answers = [Response(200, tuple((b"Set-Cookie", line) for line in lines)) for lines in (primary, candidate)]
    return judge(Request("GET", b"/"), "GET /", answers[0], answers[1], EMPTY, TODAY).paths


def test_of_two_lines_for_one_cookie_the_last_counts() -> None:
    assert paths([b"a=1; Path=/", b"a=2; Path=/"], [b"a=2; Path=/", b"a=1; Path=/"]) == ["a"]


def test_cookies_of_two_paths_have_no_order() -> None:
    assert paths([b"a=1; Path=/", b"a=2; Path=/b"], [b"a=2; Path=/b", b"a=1; Path=/"]) == []


def test_a_line_without_an_equals_sign_is_another_cookie() -> None:
    assert paths([b"a; Path=/"], [b"a=; Path=/"]) == ["a"]
    assert paths([b"a; Path=/"], [b"a; path=/"]) == []


@pytest.mark.parametrize("age", ["soon", "", "1.5", "+5"])
def test_expires_counts_where_max_age_is_no_number(age: str) -> None:
    one, other = (parse_cookie(f"a=1; Max-Age={age}; expires=Fri, {day} Nov 2099 06:02:03 GMT", TODAY) for day in (20, 27))

    assert one != other
    assert parse_cookie(f"a=1; Max-Age={age}; expires=Thu, 01 Jan 1970 00:00:00 GMT", TODAY).deleted


@pytest.mark.parametrize(("age", "deleted"), [("0", True), ("-1", True), ("00", True), ("1", False), ("9" * 5_000, False)])
def test_an_age_of_nothing_or_less_deletes(age: str, deleted: bool) -> None:
    assert parse_cookie(f"a=1; Max-Age={age}", TODAY).deleted is deleted


def test_a_deleted_cookie_is_not_present() -> None:
    rules = rules_from_case({"rules": [{"target": "cookie:a", "action": "present_only"}]})
    answers = [Response(200, ((b"Set-Cookie", line),)) for line in (b"a=1; Path=/", b"a=2; Path=/; Max-Age=0")]

    assert judge(Request("GET", b"/"), "GET /", answers[0], answers[1], rules, TODAY).paths == ["a"]
